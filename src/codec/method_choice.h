// SPDX-License-Identifier: MIT
// Model or fallback: the one place that decides what stores bytes, from a strip to a group. While a block is coded it
// says whether the model is given up; then which strips, and at last whether the block or a group of blocks, the
// fallback stores smaller. Nothing here changes how anything is coded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/token.h"
#include "codec/fallback.h"
#include "coding/coding_context.h"
#include "tokenizer/tokenizer.h"

namespace tacit {

// A part of a block: what a lane codes, or what the fallback stores.
struct Strip {
  std::span<const TokenId> symbols;
  ByteSpan bytes;
  ByteVector code;
  std::optional<Fallback> fallback;  // set: stores it
  std::uint64_t record_count = 0;
};

// Cuts a block's symbols into strips of equal count, at most `lane_max` for the model. Runs of noise become strips of
// their own, which the fallback stores.
std::vector<Strip> cut_strips(const Tokenizer& tokenizer, std::span<const TokenId> symbols, FallbackSearch& block,
                              std::uint32_t lane_max);

// The choice for one block, whose strips are coded once before choose_strips().
class BlockChoice {
 public:
  // `model_overhead`: bytes that the archive needs only if some block of it needs the model. `lane_count`: strips that
  // are coded at a time.
  BlockChoice(FallbackSearch& block, const Tokenizer& tokenizer, std::span<Strip> strips, std::uint64_t model_overhead,
              std::size_t lane_count);

  // Whether the model does so badly that the block's fallback should be taken now.
  [[nodiscard]] Proceed judge_lockstep(const CodingState& state);
  [[nodiscard]] Proceed judge_records(const CodingState& state);

  // Sets the fallback of each coded strip that is smaller with it. Returns whether there is any.
  bool choose_strips();

  // The fallback of the whole block, if that is smaller than `block_bytes` of a serialised block of strips; else null.
  const Fallback* better_block(std::uint64_t block_bytes);

 private:
  [[nodiscard]] bool loses_for_sure(std::uint64_t code_bytes);
  [[nodiscard]] bool loses_on_prefix(const CodingState& state, double limit);
  [[nodiscard]] bool any_strip_gains(const CodingState& state, std::span<const ByteSpan> prefixes) const;
  [[nodiscard]] std::vector<ByteSpan> prefixes(std::uint64_t step) const;

  FallbackSearch& block_;
  const Tokenizer& tokenizer_;
  std::span<Strip> strips_;
  std::uint64_t model_overhead_;
  std::size_t lane_count_;
  std::size_t judged_ = 0;  // judgements so far
};

// The choice for a group that has several blocks: one fallback block in the place of all of them.
class GroupChoice {
 public:
  GroupChoice(FallbackSearch& group, std::uint64_t model_overhead) : group_(group), model_overhead_(model_overhead) {}

  // After each block: the group's fallback, once that is known to be smaller than what is stored; else null.
  // `original_bytes` of the group became `stored_bytes`.
  const Fallback* better_group(std::uint64_t original_bytes, std::uint64_t stored_bytes);

 private:
  FallbackSearch& group_;
  std::uint64_t model_overhead_;
  bool is_first_ = true;
  bool is_known_ = false;
};

}  // namespace tacit
