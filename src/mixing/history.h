// SPDX-License-Identifier: MIT
// What all lanes have coded so far, and where each recent context of theirs occurred, in hash chains as zstd's match
// finders have them. A context is the last few symbols of a lane, or some of them together with what the model held
// likely; contexts do not reach over the start of a strip.
// Knows symbols, not probabilities.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "mixing/resettable_table.h"

namespace tacit {

class History {
 public:
  // Contexts: of the last so many symbols, and as model_keys_of() makes them. kDepths: how many positions of a
  // context's chain are visited, newest first (docs/decisions/0007).
  static constexpr std::array<std::uint32_t, 5> kOrders = {1, 2, 3, 5, 8};
  static constexpr std::array<std::uint32_t, 5> kDepths = {64, 48, 32, 24, 24};
  static constexpr std::size_t kModelContexts = 2;
  static constexpr std::uint32_t kModelDepth = 48;
  static constexpr std::uint32_t kMatchMin = 12;  // symbols in common from which on a position is a match
  static constexpr std::uint32_t kNoPosition = ~std::uint32_t{0};

  // Strips of so many symbols, one after another; fewer than 2^32 - 1 in all.
  explicit History(std::span<const std::uint64_t> strip_sizes);
  // As if made anew, at the cost of what the last strips have entered and the next ones need.
  void reset(std::span<const std::uint64_t> strip_sizes);

  // Where the lane's next symbol will stand, and what stands at a position that was coded.
  [[nodiscard]] std::uint32_t position_of(std::size_t lane, std::uint64_t step) const {
    return begins_[lane] + static_cast<std::uint32_t>(step);
  }
  [[nodiscard]] std::uint32_t symbol_at(std::uint32_t position) const { return symbols_[position]; }
  [[nodiscard]] std::size_t size() const { return symbols_.size(); }

  // The buckets of the contexts before the lane's step; entry kOrders.size() is that of kMatchMin symbols. Contexts
  // longer than the strip so far have none.
  using Buckets = std::array<std::uint32_t, kOrders.size() + 1>;
  [[nodiscard]] Buckets buckets_of(std::size_t lane, std::uint64_t step) const;

  // The lane's contexts with the model's two most likely tokens, as hashes: the first with the symbols before the last
  // one, the second, both tokens, with the last one.
  using ModelKeys = std::array<std::uint32_t, kModelContexts>;
  [[nodiscard]] ModelKeys model_keys_of(std::size_t lane, std::uint64_t step, std::uint32_t first,
                                        std::uint32_t second) const;

  // Where a step's contexts occurred. Large: make one and use it for many steps.
  class Occurrences;
  // Follows the chains of all contexts.
  void find(const Buckets& buckets, const ModelKeys& keys, Occurrences& occurrences) const;
  // Calls found(symbol) for each occurrence of the context of kOrders[order] symbols before `position`, newest first,
  // with the symbol that followed it.
  template <class Found>
  void for_each_occurrence(std::size_t order, const Occurrences& occurrences, std::uint32_t position,
                           const Found& found) const;
  // The same for a context with the model's tokens.
  template <class Found>
  void for_each_model_occurrence(std::size_t context, const Occurrences& occurrences, std::uint32_t key,
                                 const Found& found) const;

  // The newest position after the same kMatchMin symbols as stand before `position`, or kNoPosition.
  [[nodiscard]] std::uint32_t find_match(std::uint32_t bucket, std::uint32_t position) const;

  // The symbol that the lane coded at `step`. Readers see it at once as a symbol, as a context's continuation after
  // enter().
  void set(std::size_t lane, std::uint64_t step, std::uint32_t symbol) { symbols_[position_of(lane, step)] = symbol; }
  // Enters the position of the lane's step into the chains of the contexts before it.
  void enter(const Buckets& buckets, const ModelKeys& keys, std::uint32_t position);
  // Enters `position`, whose symbol comes next, as the newest after its kMatchMin symbols.
  void enter_match(std::uint32_t bucket, std::uint32_t position);

 private:
  static constexpr std::size_t kChainCount = kOrders.size() + kModelContexts;
  static constexpr std::uint32_t kDepthMax = *std::max_element(kDepths.begin(), kDepths.end());
  static_assert(kModelDepth <= kDepthMax);
  // A model key's upper half is its bucket, its lower half is kept with the position.
  static constexpr int kModelBucketShift = 16;

  // Of a position, side by side: chains of different contexts lead to the same positions.
  struct alignas(32) Links {
    std::array<std::uint32_t, kChainCount> previous;  // the position before it in the chain
    std::array<std::uint16_t, kModelContexts> keys;
  };

  [[nodiscard]] bool same_context(std::uint32_t a, std::uint32_t b, std::uint32_t length) const {
    for (std::uint32_t i = 1; i <= length; ++i) {
      if (symbols_[a - i] != symbols_[b - i]) return false;
    }
    return true;
  }

  int bucket_bits_ = 0;
  std::vector<std::uint32_t> begins_;
  std::vector<std::uint32_t> symbols_;
  std::vector<Links> links_;  // of each position; where none was entered yet, maybe those of an earlier text
  std::vector<ResettableTable<std::uint32_t>> chain_heads_;     // newest position of each bucket
  ResettableTable<std::uint32_t> match_table_{0, kNoPosition};  // newest position of each bucket of kMatchMin symbols
};

class History::Occurrences {
 private:
  friend class History;
  std::array<std::array<std::uint32_t, kDepthMax>, kChainCount> positions_;
  std::array<std::uint32_t, kChainCount> counts_;
};

template <class Found>
void History::for_each_occurrence(std::size_t order, const Occurrences& occurrences, std::uint32_t position,
                                  const Found& found) const {
  for (std::uint32_t i = 0; i < occurrences.counts_[order]; ++i) {
    const std::uint32_t at = occurrences.positions_[order][i];
    if (same_context(at, position, kOrders[order])) found(symbols_[at]);
  }
}

template <class Found>
void History::for_each_model_occurrence(std::size_t context, const Occurrences& occurrences, std::uint32_t key,
                                        const Found& found) const {
  const std::size_t chain = kOrders.size() + context;
  for (std::uint32_t i = 0; i < occurrences.counts_[chain]; ++i) {
    const std::uint32_t at = occurrences.positions_[chain][i];
    if (links_[at].keys[context] == static_cast<std::uint16_t>(key)) found(symbols_[at]);
  }
}

}  // namespace tacit
