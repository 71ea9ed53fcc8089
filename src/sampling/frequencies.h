// SPDX-License-Identifier: MIT
// Logits to integer frequencies of symbols, and symbols to intervals of their running sum and back. Exact integers:
// encoder and decoder see the same ones. Knows no model and no code stream.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "sampling/distribution_kernels.h"

namespace tacit {

// A symbol's share of [0, total): [low, low + size).
struct Interval {
  std::uint64_t low = 0;
  std::uint64_t size = 0;
  std::uint64_t total = 0;
};

// The model's two most likely tokens, the lower of equal ones first; the same twice where there is only one.
struct TopTokens {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
};

// total < 2^51: at most 2^20 tokens (base/limits.h) of at most 2^30, and 256 byte symbols.
class Frequencies {
 public:
  // `symbol_count` >= `vocabulary_size`; symbols beyond the vocabulary (byte symbols) get the frequency 1 each.
  Frequencies(const kernels::DistributionKernels& kernels, std::uint32_t vocabulary_size, std::uint32_t symbol_count);

  // The plain softmax of `logits`, in units of 2^-30 of the most likely symbol, at least one unit each (spec/
  // numeric.md, section 7). Errors: kModel where a logit is not finite.
  Status set_softmax(const float* logits);

  // A mixture of distributions, in units of 2^-30 of all probability, at least one unit each (section 11).
  void set_mixture(std::span<const kernels::MixturePart> parts);

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint32_t symbol_count() const { return static_cast<std::uint32_t>(values_.size()); }
  // Before any are excluded.
  [[nodiscard]] TopTokens top() const;
  [[nodiscard]] std::uint32_t operator[](std::uint32_t symbol) const {
    const std::uint32_t value = values_[symbol];
    return unit_ > 0 && value > 0 ? value + counts_[symbol] * unit_ : value;
  }
  [[nodiscard]] Interval interval_of(std::uint32_t symbol) const;
  // The symbol whose interval holds `value` < total().
  [[nodiscard]] std::uint32_t symbol_at(std::uint64_t value, Interval& interval) const;

  // Gives a symbol an empty interval, as PPM's exclusion does.
  void exclude(std::uint32_t symbol);
  // Adds `unit` for each count to the symbols that are not excluded: once, after which no more are. No frequency
  // may reach 2^32. `counts`, one for each symbol, must not change before restore().
  void add_counts(std::span<const std::uint32_t> counts, std::uint32_t unit);
  // Undoes exclude() and add_counts().
  void restore();

 private:
  // Of the symbols [first, end): all of their frequencies, and what counts add to these.
  [[nodiscard]] std::uint64_t sum(std::uint32_t first, std::uint32_t end) const;
  [[nodiscard]] std::uint64_t added(std::uint32_t first, std::uint32_t end) const;

  const kernels::DistributionKernels& kernels_;
  std::uint32_t vocabulary_size_;
  std::vector<std::uint32_t> values_;  // zero only where a symbol is excluded
  std::uint64_t total_ = 0;
  struct Excluded {
    std::uint32_t symbol;
    std::uint32_t frequency;
  };
  std::vector<Excluded> excluded_;
  std::span<const std::uint32_t> counts_;  // that are added when a frequency is asked for: few ever are
  std::uint32_t unit_ = 0;
  std::uint64_t added_total_ = 0;
};

}  // namespace tacit
