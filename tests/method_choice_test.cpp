// SPDX-License-Identifier: MIT
// What stores which bytes, seen from outside: logs that repeat themselves stay with the model, what no model shrinks
// passes quickly, images among text cost neither, and small inputs are never far above zstd.
#include <gtest/gtest.h>
#include <tacit/tacit.h>
#include <zstd.h>

#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include "codec/fallback.h"

namespace tacit {
namespace {

struct Stored {
  std::string archive;
  tacit_archive_info info{};
  std::uint64_t tokens_done = 0;  // that went through the model
};

Stored store(const std::string& text, std::uint32_t lane_count = 0) {
  Stored stored;
  tacit_options options;
  tacit_options_init(&options);
  options.threads = 1;
  options.lane_count = lane_count;
  options.skip_verification = 1;
  options.progress = [](void* context, const tacit_progress* progress) {
    *static_cast<std::uint64_t*>(context) = progress->tokens_done;
    return 0;
  };
  options.progress_context = &stored.tokens_done;
  void* data = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(tacit_compress_buffer(&options, text.data(), text.size(), &data, &size), TACIT_OK) << tacit_last_error();
  stored.archive.assign(static_cast<const char*>(data), size);
  tacit_archive_info_init(&stored.info);
  EXPECT_EQ(tacit_info_buffer(data, size, &stored.info), TACIT_OK);
  tacit_free(data);
  EXPECT_EQ(tacit_decompress_buffer(nullptr, stored.archive.data(), stored.archive.size(), &data, &size), TACIT_OK);
  EXPECT_EQ(std::string(static_cast<const char*>(data), size), text);
  tacit_free(data);
  return stored;
}

std::string prose() {
  std::ifstream file(std::string(TACIT_SOURCE_DIR) + "/examples/temperature-1.txt");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string random_letters(const std::string& alphabet, std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string text(size, ' ');
  for (char& letter : text) letter = alphabet[random() % alphabet.size()];
  return text;
}

std::string base64(std::size_t size, std::uint32_t seed) {
  return random_letters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", size, seed);
}

std::size_t fallback_size(const std::string& text) {
  return FallbackSearch({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}).smallest().payload.size();
}

std::size_t zstd_size(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  return ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 22);
}

// Lines that each hold the whole history so far, as agents and chat services log it.
std::string growing_log(std::size_t turn_count) {
  const std::string story = prose();
  std::string log;
  for (std::size_t turn = 1; turn <= turn_count; ++turn) {
    log += "{\"turn\": " + std::to_string(turn) + ", \"messages\": [";
    for (std::size_t i = 0; i < turn; ++i) log += "{\"content\": \"" + story.substr(i * 300, 300) + "\"}, ";
    log += "]}\n";
  }
  return log;
}

TEST(MethodChoice, ALogThatRepeatsItselfStaysWithTheModel) {
  const std::string log = growing_log(18);
  for (const std::uint32_t lanes : {0u, 1u}) {
    const Stored stored = store(log, lanes);
    EXPECT_GT(stored.info.model_segment_count, 0u) << lanes;
    EXPECT_LT(stored.archive.size(), fallback_size(log) * 9 / 10) << lanes;
  }
}

TEST(MethodChoice, WhatNoModelShrinksIsGivenUpEarly) {
  const std::string hex = random_letters("0123456789abcdef", 150'000, 1);
  const Stored stored = store(hex);
  EXPECT_EQ(stored.info.model_segment_count, 0u);
  EXPECT_LT(stored.tokens_done, hex.size() / 10) << "of some hundred thousand tokens";
  EXPECT_LE(stored.archive.size(), fallback_size(hex) + 70);
}

TEST(MethodChoice, ImagesAmongTextLeaveTheTextToTheModel) {
  const std::string story = prose();
  std::string text, words;
  std::size_t image_bytes = 0;
  for (std::uint32_t i = 0; i < 3; ++i) {
    const std::string part = story.substr(i * 4000, 4000);
    const std::string image = base64(6000, i);
    text += part + "data:image/png;base64," + image + "\n";
    words += part;
    image_bytes += image.size();
  }
  const Stored stored = store(text);
  EXPECT_EQ(stored.info.segment_count - stored.info.model_segment_count, 3u);
  EXPECT_LT(stored.archive.size(), store(words).archive.size() + image_bytes * 77 / 100 + 300);
}

TEST(MethodChoice, TextBesideHexKeepsTheModel) {
  const std::string text = prose() + random_letters("0123456789abcdef", 120'000, 2);
  const Stored stored = store(text);
  EXPECT_GT(stored.info.model_segment_count, 0u);
  EXPECT_LT(stored.archive.size(), fallback_size(text) * 97 / 100);
}

TEST(MethodChoice, NothingIsMoreThan64BytesAboveZstd22) {
  const std::string story = prose();
  for (const std::size_t size : {0u, 1u, 2u, 5u, 20u, 60u, 100u, 150u, 300u, 500u, 1000u, 3000u, 10'000u}) {
    std::mt19937 random(static_cast<unsigned>(size));
    std::string noise(size, ' ');
    for (char& byte : noise) byte = static_cast<char>(random());
    for (const std::string& text : {story.substr(0, size), noise, base64(size, 4), std::string(size, 'a'),
                                    random_letters("0123456789", size, 5)}) {
      EXPECT_LE(store(text).archive.size(), zstd_size(text) + 64) << size << " bytes: " << text.substr(0, 20);
    }
  }
  EXPECT_LE(store("hello").archive.size(), 70u);
}

TEST(FallbackSearch, AnswersFromTheFastCompressorWhereTheStrongOnesWouldNotWin) {
  const std::string text = prose();
  FallbackSearch search({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  EXPECT_EQ(search.smaller_than(search.fast_bytes() / 2), nullptr);
  const Fallback* const found = search.smaller_than(search.fast_bytes());
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found, &search.smallest()) << "found once";
  EXPECT_EQ(search.smaller_than(found->payload.size()), nullptr) << "no smaller than itself";
  EXPECT_EQ(search.smaller_than(found->payload.size() + 1), found);
}

}  // namespace
}  // namespace tacit
