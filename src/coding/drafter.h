// SPDX-License-Identifier: MIT
// Drafts for speculative decoding (arXiv 2211.17192): how a text may go on, from its own past only. A draft is what
// followed the newest occurrence of the last symbols, as far as that is likely enough to be right.
// A draft changes how fast a text is decoded, never what it is. Knows symbols, neither models nor codes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"

namespace tacit {

class Drafter {
 public:
  // `text_size`: symbols that the text will have, fewer than 2^32 - 1. `row_cost`: what the model needs for one more
  // row of a run, in runs of one row; less than 1. A symbol is drafted if it is as likely as that, with all before it,
  // to be right: a run is saved then, on average, for what rows cost.
  Drafter(std::uint64_t text_size, double row_cost);

  // At most `count_max` symbols that may follow `past`, which is the text so far: that of the last call and what came
  // after it. Valid until the next call.
  std::span<const TokenId> draft(std::span<const TokenId> past, std::size_t count_max);

 private:
  // Contexts that are looked up, longest first, and how much of a match is told apart. Longer contexts and more of them
  // change little (docs/decisions/0013).
  static constexpr std::array<std::uint32_t, 2> kOrders = {4, 2};
  static constexpr std::uint32_t kLengthMax = 16;
  static constexpr std::uint64_t kBucketsMin = 1u << 10;
  static constexpr std::uint64_t kBucketsMax = 1u << 16;  // of longer texts many older positions are forgotten
  static constexpr std::uint32_t kNoPosition = ~std::uint32_t{0};
  static constexpr double kHitStart = 0.5;
  static constexpr double kHitRate = 1.0 / 32;

  void learn(std::uint32_t position);
  void find_match(std::uint32_t position);
  // The entry of the context of kOrders[order] symbols before `position`.
  [[nodiscard]] std::uint32_t& newest(std::size_t order, std::uint32_t position);
  [[nodiscard]] std::uint32_t length_in_common(std::uint32_t a, std::uint32_t b) const;

  double row_cost_;
  std::span<const TokenId> past_;
  std::uint32_t learnt_ = 0;  // symbols of the past
  std::uint32_t bucket_mask_;
  std::array<std::vector<std::uint32_t>, kOrders.size()> chain_heads_;  // position after a context, by its hash
  std::uint32_t match_ = kNoPosition;        // the position whose symbol comes next, if the text goes on as there
  std::uint32_t match_length_ = 0;           // symbols before it that are the last ones, at most kLengthMax
  std::array<double, kLengthMax + 1> hits_;  // how often the symbol is right, by length
  std::vector<TokenId> draft_;
};

}  // namespace tacit
