// SPDX-License-Identifier: MIT
// Loading tokenizers, texts that are hard on them, what `encode` and `decode` promise, and the kit's lines.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "shared_data.h"
#include "tokenizer/tokenizer.h"

namespace tacit::test {

inline constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581

inline Result<std::unique_ptr<Tokenizer>> load_bytes(const ByteVector& bytes) {
  TACIT_ASSIGN(const gguf::File file, gguf::File::parse(bytes, "t.gguf"));
  return Tokenizer::load(file);
}

inline std::unique_ptr<Tokenizer> loaded(Result<std::unique_ptr<Tokenizer>> tokenizer) {
  EXPECT_TRUE(tokenizer.ok()) << (tokenizer.ok() ? "" : tokenizer.error().message);
  return std::move(tokenizer).value();
}

inline std::unique_ptr<Tokenizer> load_file(const std::string& path) {
  const auto bytes = MappedFile::open(path);
  EXPECT_TRUE(bytes.ok()) << path;
  const auto file = gguf::File::parse(bytes.value().bytes(), path);
  EXPECT_TRUE(file.ok()) << path;
  return loaded(Tokenizer::load(file.value()));
}

using Ids = std::vector<TokenId>;

inline Ids tokenize(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.tokenize(as_bytes(text), false);
}
inline Ids encode(const Tokenizer& tokenizer, std::string_view text) { return tokenizer.encode(as_bytes(text)); }

inline std::string decode(const Tokenizer& tokenizer, std::span<const TokenId> symbols) {
  const auto text = tokenizer.decode(symbols, true);
  EXPECT_TRUE(text.ok()) << (text.ok() ? "" : text.error().message);
  return std::string(as_text(text.value()));
}

inline std::string readable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, 200)) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%02x ", static_cast<unsigned char>(c));
    result += hex;
  }
  return result;
}

// All that encode and decode promise for one text.
inline void expect_kept(const Tokenizer& tokenizer, std::string_view text) {
  const Ids symbols = encode(tokenizer, text);
  ASSERT_EQ(decode(tokenizer, symbols), text) << readable(text);
  bool each_has_bytes = true;
  for (const TokenId symbol : symbols) each_has_bytes &= !tokenizer.symbol_bytes(symbol).empty();
  EXPECT_TRUE(each_has_bytes) << "a symbol without a part in " << readable(text);
  const Ids plain = tokenize(tokenizer, text);
  const bool plain_has_bytes =
      std::ranges::none_of(plain, [&](TokenId token) { return tokenizer.symbol_bytes(token).empty(); });
  if (plain_has_bytes && decode(tokenizer, plain) == text) {
    EXPECT_EQ(symbols, plain) << readable(text);
  }
}

// Spelled by pieces of these kinds of text, so that they follow each other in all ways.
inline const std::vector<std::string> kTextParts = {"a",           "b",        "ab",
                                                    "x",           " ",        "  ",
                                                    "   ",         "\n",       "\n\n",
                                                    "\r\n",        "\t",       "1",
                                                    "<",           ">",        "<s>",
                                                    "</s>",        "<ud>",     "<unk>",
                                                    "<0x41>",      "<0x20>",   std::string(1, '\0'),
                                                    "\x01",        "é",        "中",
                                                    "🙂",        "\xe2",     "\x96",
                                                    "\x81",        "\xf0",     "\xff",
                                                    "\xc3",        "\xe2\x96", std::string(kBlank),
                                                    "the",         ".",        "\x7f",
                                                    "\xed\xa0\x80"};

inline std::string random_text(std::mt19937& random, std::size_t part_count_max) {
  std::string text;
  for (std::size_t left = random() % (part_count_max + 1); left > 0; --left) {
    text += kTextParts[random() % kTextParts.size()];
  }
  return text;
}

inline std::string random_bytes(std::mt19937& random, std::size_t size_max) {
  std::string text(random() % (size_max + 1), '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

inline std::string unhex(const std::string& hex) {
  std::string text;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return text;
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct KitLine {
  std::string text;
  Ids ids;
  bool add_special, parse_special;
};

inline std::vector<KitLine> kit_lines(const std::string& file) {
  std::vector<KitLine> lines;
  std::istringstream in(read_text(test::shared_data_path("conformance/tokenizers/" + file)));
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line);
    lines.push_back({unhex(json.at("text_hex")), json.at("ids"), json.value("add_special", false),
                     json.value("parse_special", false)});
  }
  return lines;
}

// Texts and ids that llama.cpp tests itself with.
inline std::vector<std::pair<std::string, Ids>> llama_cpp_pairs(const std::string& vocabulary) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string path = shared_data_path("conformance/vocab/ggml-vocab-" + vocabulary + ".gguf").string();
  std::string texts = read_text(path + ".inp");
  std::istringstream answers(read_text(path + ".out"));
  std::vector<std::pair<std::string, Ids>> pairs;
  for (std::string line; std::getline(answers, line);) {
    const std::size_t end = std::min(texts.find(separator), texts.size());
    std::istringstream numbers(line);
    pairs.emplace_back(texts.substr(0, end),
                       Ids{std::istream_iterator<TokenId>(numbers), std::istream_iterator<TokenId>()});
    texts.erase(0, end + separator.size());
  }
  return pairs;
}

}  // namespace tacit::test
