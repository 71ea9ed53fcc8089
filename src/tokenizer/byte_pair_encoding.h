// SPDX-License-Identifier: MIT
// Byte-pair encoding by a list of merges (tokenizer.ggml.model = gpt2 and gemma4), id for id as llama.cpp does it: a
// pre-tokenizer cuts the text into words, and inside of each the pair that comes first in the list is merged as long as
// there is one. Pieces spell bytes by characters (GPT-2's byte-level alphabet), or text with U+2581 for the space.
#pragma once

#include <array>
#include <string>
#include <unordered_map>

#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace tacit {

// Ranks by pair of parts.
class PairRanks {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // For at most `count` pairs.
  void reserve(std::size_t count);
  // The first rank of a pair counts.
  void insert(std::int32_t left, std::int32_t right, std::uint32_t rank);
  [[nodiscard]] std::uint32_t find(std::int32_t left, std::int32_t right) const {
    return slots_[slot(key(left, right))].rank;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t rank = kNone;  // kNone: empty
  };

  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  // Where `key` is, or would be.
  [[nodiscard]] std::size_t slot(std::uint64_t key) const;

  std::vector<Slot> slots_ = std::vector<Slot>(2);  // a power of two, at most half of them taken
  int shift_ = 63;
};

class BytePairEncoding final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> load(const gguf::File& file);
  static Status check_kind(const gguf::File& file);

 private:
  class Merger;

  // Parts of words: tokens, and behind their ids the strings that merges know and the vocabulary does not.
  static constexpr std::int32_t kNoPart = -1;

  explicit BytePairEncoding(const PreTokenizer::Rule& rule) : flags_(rule.flags), pre_tokenizer_(rule) {}

  static Result<const PreTokenizer::Rule*> find_rule(const gguf::File& file, std::string_view model);
  Status read_merges(const gguf::File& file);
  Status read_symbol_bytes(const gguf::File& file);
  void index_bytes();
  std::int32_t intern(std::string_view part);
  [[nodiscard]] std::int32_t find_part(std::string_view part) const;
  void append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const override;
  [[nodiscard]] std::vector<TokenId> encode_exactly(ByteSpan text) const override;

  PreTokenizer::Flags flags_;
  PreTokenizer pre_tokenizer_;
  PairRanks ranks_;
  std::vector<std::int32_t> joined_;  // by rank: the part that the pair becomes
  std::unordered_map<std::string, std::int32_t> more_parts_;
  std::array<std::string, 256> spellings_;           // how pieces spell a byte of the text
  std::array<std::int32_t, 256> byte_parts_{};       // the part of that spelling, or kNoPart
  std::array<std::vector<TokenId>, 256> fallbacks_;  // what a byte becomes in a part that is no token
};

}  // namespace tacit
