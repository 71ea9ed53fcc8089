// SPDX-License-Identifier: MIT
#include "predict/frequencies.h"

#include <algorithm>
#include <cassert>

namespace tacit {

Frequencies::Frequencies(const kernels::Kernels& kernels, std::uint32_t vocabulary_size, std::uint32_t symbol_count)
    : kernels_(kernels), vocabulary_size_(vocabulary_size), values_(symbol_count, 1) {}

Status Frequencies::set_softmax(const float* logits) {
  const std::uint64_t total = kernels_.frequencies(logits, vocabulary_size_, values_.data());
  if (total == 0) return model_error("the model gave a logit that is infinite or no number");
  total_ = total + (values_.size() - vocabulary_size_);
  return {};
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

}  // namespace tacit
