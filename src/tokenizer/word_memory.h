// SPDX-License-Identifier: MIT
// What became of the words that one call has seen so far, as places in its output: most words of a text are repeated.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/token.h"

namespace tacit {

class WordMemory {
 public:
  explicit WordMemory(std::size_t text_bytes)
      : words_(std::bit_ceil(std::clamp<std::size_t>(text_bytes / 8, 16, kWordsMax))),
        shift_(64 - std::countr_zero(words_.size())) {}

  static std::uint64_t hash(std::string_view word) {
    std::uint64_t hash = word.size();
    for (std::size_t offset = 0; offset < word.size(); offset += sizeof(std::uint64_t)) {
      std::uint64_t bytes = 0;
      std::memcpy(&bytes, word.data() + offset, std::min(sizeof(bytes), word.size() - offset));
      hash = (std::rotl(hash, 29) ^ bytes) * 0x9e3779b97f4a7c15;
    }
    return hash;
  }

  // Appends to `symbols`, always the same vector, what `word` became when it was last met; else what `make` appends.
  template <class Make>
  void append(std::string_view word, std::uint64_t hash, std::vector<TokenId>& symbols, const Make& make) {
    if (word.size() > kWordBytesMax) return make();
    Word& place = words_[static_cast<std::size_t>(hash >> shift_)];
    if (place.size == word.size() && std::memcmp(place.text.data(), word.data(), place.size) == 0) {
      for (std::uint64_t i = place.begin; i < place.begin + place.count; ++i) symbols.push_back(symbols[i]);
      return;
    }
    const std::size_t begin = symbols.size();
    make();
    place.begin = begin;
    place.count = static_cast<std::uint16_t>(symbols.size() - begin);
    place.size = static_cast<std::uint16_t>(word.size());
    std::memcpy(place.text.data(), word.data(), word.size());
  }

 private:
  static constexpr std::size_t kWordsMax = 16384;
  static constexpr std::size_t kWordBytesMax = 36;

  // `size` 0: empty.
  struct Word {
    std::uint64_t begin = 0;
    std::uint16_t count = 0;
    std::uint16_t size = 0;
    std::array<char, kWordBytesMax> text{};
  };

  std::vector<Word> words_;  // by hash, the last word wins; a power of two
  int shift_;
};

}  // namespace tacit
