// SPDX-License-Identifier: MIT
#include "predict/frequencies.h"

#include <algorithm>
#include <cassert>

namespace tacit {

Frequencies::Frequencies(const kernels::Kernels& kernels, std::uint32_t vocabulary_size, std::uint32_t symbol_count)
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

Interval Frequencies::interval_of(std::uint32_t symbol) const {
  assert(symbol < values_.size());
  return {kernels_.sum(values_.data(), symbol), values_[symbol], total_};
}

std::uint32_t Frequencies::symbol_at(std::uint64_t value, Interval& interval) const {
  assert(value < total_);
  constexpr std::uint32_t kStride = 256;  // whole strides are summed fast, the one that holds the value one by one
  const auto count = static_cast<std::uint32_t>(values_.size());
  std::uint32_t symbol = 0;
  std::uint64_t low = 0;
  while (true) {
    const std::uint64_t stride_sum = kernels_.sum(values_.data() + symbol, std::min(kStride, count - symbol));
    if (value < low + stride_sum) break;
    low += stride_sum;
    symbol += kStride;
  }
  for (; value >= low + values_[symbol]; ++symbol) low += values_[symbol];
  interval = {low, values_[symbol], total_};
  return symbol;
}

void Frequencies::take(std::uint32_t symbol) {
  const std::uint32_t frequency = values_[symbol];
  taken_.push_back({symbol, frequency});
  values_[symbol] = 0;
  total_ -= frequency;
}

void Frequencies::add_counts(std::span<const std::uint32_t> counts, std::uint32_t unit) {
  assert(counts.size() == values_.size() && unit_ == 0);
  counts_ = counts;
  unit_ = unit;
  std::uint64_t count = 0;
  for (std::size_t symbol = 0; symbol < values_.size(); ++symbol) {
    values_[symbol] += counts[symbol] * unit;
    count += counts[symbol];
  }
  for (const Taken& taken : taken_) {
    values_[taken.symbol] = 0;
    count -= counts[taken.symbol];
  }
  added_total_ = count * unit;
  total_ += added_total_;
}

void Frequencies::restore() {
  if (unit_ > 0) {  // what was taken out gets its old value below
    for (std::size_t symbol = 0; symbol < values_.size(); ++symbol) values_[symbol] -= counts_[symbol] * unit_;
    total_ -= added_total_;
    unit_ = 0;
  }
  for (const Taken& taken : taken_) {
    values_[taken.symbol] = taken.frequency;
    total_ += taken.frequency;
  }
  taken_.clear();
}

}  // namespace tacit
