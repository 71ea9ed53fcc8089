// SPDX-License-Identifier: MIT
// Which parts of a text are taken for binary data spelled as base64, and which are not.
#include "codec/noise_runs.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tacit {
namespace {

ByteSpan bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string random_letters(const std::string& alphabet, std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string text(size, ' ');
  for (char& letter : text) letter = alphabet[random() % alphabet.size()];
  return text;
}

const std::string kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::size_t size, std::uint32_t seed = 1) { return random_letters(kBase64, size, seed); }

std::string in_lines(const std::string& text, const std::string& line_end) {
  std::string lines;
  for (std::size_t begin = 0; begin < text.size(); begin += 76) lines += text.substr(begin, 76) + line_end;
  return lines;
}

const std::string kProse = "{\"role\": \"user\", \"content\": \"What does this picture show? ";

TEST(NoiseRuns, FindsAnImageInsideOfText) {
  const std::string image = base64(5000);
  const std::string text = kProse + "data:image/png;base64," + image + "\"}\n";
  const auto runs = find_noise_runs(bytes_of(text), 9);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_NEAR(static_cast<double>(runs[0].begin), static_cast<double>(text.find(image)), 256);
  EXPECT_NEAR(static_cast<double>(runs[0].end), static_cast<double>(text.find(image) + image.size()), 256);
}

TEST(NoiseRuns, TakesLinesOfOneImageTogetherHoweverTheyEnd) {
  for (const std::string line_end : {"\n", "\r\n", "\\n"}) {
    const std::string image = in_lines(base64(6000), line_end);
    const auto runs = find_noise_runs(bytes_of(kProse + "\n" + image + "\n" + kProse), 9);
    ASSERT_EQ(runs.size(), 1u) << line_end;
    EXPECT_GT(runs[0].size(), image.size() - 2 * 256) << line_end;
  }
}

TEST(NoiseRuns, LeavesTextHexShortRunsAndEvenRunsAlone) {
  const std::string word(3000, 'x');
  const std::string words = random_letters("etaoinshrdlucmfw", 5000, 3);
  const std::string hex = random_letters("0123456789abcdef", 5000, 2);
  for (const std::string& text :
       {kProse + kProse, hex, base64(900), word, words, in_lines(words, "\n"), std::string()}) {
    EXPECT_TRUE(find_noise_runs(bytes_of(text), 9).empty()) << text.substr(0, 60);
  }
}

TEST(NoiseRuns, LeavesARunThatTheTextRepeatsToTheModel) {
  const std::string once = base64(3000, 1), twice = base64(3000, 2);
  const std::string text = twice + kProse + once + kProse + twice;
  const auto runs = find_noise_runs(bytes_of(text), 9);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_NEAR(static_cast<double>(runs[0].begin), static_cast<double>(text.find(once)), 256);
}

TEST(NoiseRuns, TakesTheLongestWhereThereAreTooManyAndKeepsTheirOrder) {
  std::string text;
  for (std::uint32_t i = 0; i < 6; ++i) text += kProse + base64(2000 + i % 3 * 1000, i) + "\"}\n";
  const auto runs = find_noise_runs(bytes_of(text), 2);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_GT(runs[0].size(), 3500u);
  EXPECT_GT(runs[1].size(), 3500u);
  EXPECT_LT(runs[0].end, runs[1].begin);
  EXPECT_TRUE(find_noise_runs(bytes_of(text), 0).empty());
}

}  // namespace
}  // namespace tacit
