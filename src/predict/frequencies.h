// SPDX-License-Identifier: MIT
// Logits to integer frequencies of symbols, and symbols to intervals of their running sum and back. Exact integers:
// encoder and decoder see the same ones. Knows no model and no code stream.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/kernels.h"

namespace tacit {

// A symbol's share of [0, total): [low, low + size).
struct Interval {
  std::uint64_t low = 0;
  std::uint64_t size = 0;
  std::uint64_t total = 0;
};

// total < 2^51: at most 2^20 tokens (base/limits.h) of at most 2^30, and 256 escapes.
class Frequencies {
 public:
  // `symbol_count` >= `vocabulary_size`; symbols beyond the vocabulary (escapes) get the frequency 1 each.
  Frequencies(const kernels::Kernels& kernels, std::uint32_t vocabulary_size, std::uint32_t symbol_count);

  // The plain softmax of `logits`, in units of 2^-30 of the most likely symbol, at least one unit each (spec/
  // numeric.md, section 7). Errors: kModel where a logit is not finite.
  Status set_softmax(const float* logits);

  // A mixture of distributions, in units of 2^-30 of all probability, at least one unit each (section 11).
  void set_mixture(std::span<const kernels::MixturePart> parts);

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint32_t symbol_count() const { return static_cast<std::uint32_t>(values_.size()); }
  [[nodiscard]] std::span<const std::uint32_t> tokens() const { return {values_.data(), vocabulary_size_}; }
  [[nodiscard]] std::uint32_t operator[](std::uint32_t symbol) const { return values_[symbol]; }
  [[nodiscard]] Interval interval_of(std::uint32_t symbol) const;
  // The symbol whose interval holds `value` < total().
  [[nodiscard]] std::uint32_t symbol_at(std::uint64_t value, Interval& interval) const;

  // Takes a symbol out, so that it has an empty interval.
  void take(std::uint32_t symbol);
  // Adds `unit` for each count to the symbols that are not taken out: once, after which no more are taken. No frequency
  // may reach 2^32. `counts`, one for each symbol, must not change before restore().
  void add_counts(std::span<const std::uint32_t> counts, std::uint32_t unit);
  // Undoes take() and add_counts().
  void restore();

 private:
  const kernels::Kernels& kernels_;
  std::uint32_t vocabulary_size_;
  std::vector<std::uint32_t> values_;
  std::uint64_t total_ = 0;
  struct Taken {
    std::uint32_t symbol;
    std::uint32_t frequency;
  };
  std::vector<Taken> taken_;
  std::span<const std::uint32_t> counts_;  // that were added
  std::uint32_t unit_ = 0;
  std::uint64_t added_total_ = 0;
};

}  // namespace tacit
