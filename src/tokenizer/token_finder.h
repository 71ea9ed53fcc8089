// SPDX-License-Identifier: MIT
// Finds tokens in a text by their bytes, the longest first: those that are cut out before anything else is tokenized,
// and the next one of a greedy spelling.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "base/token.h"

namespace tacit {

class TokenFinder {
 public:
  struct Entry {
    TokenId token;
    ByteSpan bytes;  // not empty; must outlive the finder
    // White space beside the token that goes with it.
    bool strips_before = false, strips_after = false;
  };

  // Where a token stands in a text, with the white space that goes with it.
  struct Match {
    std::size_t begin, end;
    TokenId token;
  };

  TokenFinder() = default;
  explicit TokenFinder(std::vector<Entry> entries);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  // The longest entry that `text` starts with, of equal ones the lowest token; nullptr: none.
  [[nodiscard]] const Entry* longest(ByteSpan text) const;
  // In the order of the text. All occurrences of the longest entry count first (of equally long ones, of the lowest
  // token), left to right, then those of the next in what is left.
  [[nodiscard]] std::vector<Match> find_all(ByteSpan text, bool may_strip) const;

 private:
  static constexpr std::size_t kNoRank = ~std::size_t{0};

  [[nodiscard]] std::size_t longest_rank(ByteSpan text) const;

  std::vector<Entry> entries_;                  // longest first, then by token; an index here is a rank
  std::vector<std::size_t> sorted_;             // ranks, in the order of the entries' bytes
  std::array<std::size_t, 257> first_bytes_{};  // where in that the entries with each first byte begin
};

}  // namespace tacit
