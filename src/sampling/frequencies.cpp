// SPDX-License-Identifier: MIT
#include "sampling/frequencies.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tacit {

Frequencies::Frequencies(const kernels::DistributionKernels& kernels, std::uint32_t vocabulary_size,
                         std::uint32_t symbol_count)
    : kernels_(kernels), vocabulary_size_(vocabulary_size), values_(symbol_count, 1) {}

Status Frequencies::set_softmax(const float* logits) {
  const std::uint64_t total = kernels_.frequencies(logits, vocabulary_size_, 1.0f, values_.data());
  if (total == 0) return model_error("the model gave a logit that is infinite or no number");
  total_ = total + (values_.size() - vocabulary_size_);
  return {};
}

void Frequencies::set_mixture(std::span<const kernels::MixturePart> parts) {
  const std::uint64_t total =
      kernels_.mix(parts.data(), static_cast<std::uint32_t>(parts.size()), vocabulary_size_, values_.data());
  total_ = total + (values_.size() - vocabulary_size_);
}

TopTokens Frequencies::top() const {
  std::uint32_t tokens[2];
  kernels_.top_two(values_.data(), vocabulary_size_, tokens);
  return {tokens[0], tokens[1]};
}

Interval Frequencies::interval_of(std::uint32_t symbol) const {
  assert(symbol < values_.size());
  return {sum(0, symbol), (*this)[symbol], total_};
}

std::uint64_t Frequencies::sum(std::uint32_t first, std::uint32_t end) const {
  return kernels_.sum(values_.data() + first, end - first) + added(first, end);
}

std::uint64_t Frequencies::added(std::uint32_t first, std::uint32_t end) const {
  if (unit_ == 0) return 0;
  std::uint64_t counts = kernels_.sum(counts_.data() + first, end - first);
  for (const Excluded& excluded : excluded_) {
    if (excluded.symbol >= first && excluded.symbol < end) counts -= counts_[excluded.symbol];
  }
  return counts * unit_;
}

std::uint32_t Frequencies::symbol_at(std::uint64_t value, Interval& interval) const {
  assert(value < total_);
  constexpr std::uint32_t kStride = 256;  // whole strides are summed fast, the one that holds the value one by one
  const auto count = static_cast<std::uint32_t>(values_.size());
  std::uint32_t symbol = 0;
  std::uint64_t low = 0;
  while (true) {
    const std::uint64_t stride_sum = sum(symbol, std::min(symbol + kStride, count));
    if (value < low + stride_sum) break;
    low += stride_sum;
    symbol += kStride;
  }
  for (; value >= low + (*this)[symbol]; ++symbol) low += (*this)[symbol];
  interval = {low, (*this)[symbol], total_};
  return symbol;
}

void Frequencies::exclude(std::uint32_t symbol) {
  const std::uint32_t frequency = values_[symbol];
  excluded_.push_back({symbol, frequency});
  values_[symbol] = 0;
  total_ -= frequency;
}

void Frequencies::add_counts(std::span<const std::uint32_t> counts, std::uint32_t unit) {
  assert(counts.size() == values_.size() && unit_ == 0);
  counts_ = counts;
  unit_ = unit;
  added_total_ = added(0, symbol_count());
  total_ += added_total_;
}

void Frequencies::restore() {
  total_ -= std::exchange(added_total_, 0);
  unit_ = 0;
  for (const Excluded& excluded : excluded_) {
    values_[excluded.symbol] = excluded.frequency;
    total_ += excluded.frequency;
  }
  excluded_.clear();
}

}  // namespace tacit
