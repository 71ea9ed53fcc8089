// SPDX-License-Identifier: MIT
#include "engine/cpu/row_matrix.h"

#include <algorithm>

namespace tacit {

using kernels::kBlock;

void RowMatrix::resize(std::uint32_t row_count, std::uint32_t width) {
  const std::size_t stride = kernels::round_up(width, kBlock);
  // Only growth and another width clear: every operation writes its rows before they are read. Kernels keep the padding
  // zero, unless a number that is not finite came by, which must leave no trace in the rows to come.
  if (width != width_ || data_.size() < row_count * stride) data_.assign(row_count * stride, 0.0f);
  width_ = width;
  stride_ = stride;
  if (width == stride) return;
  for (std::uint32_t r = 0; r < row_count; ++r) std::fill(row(r) + width, row(r) + stride, 0.0f);
}

void QuantizedMatrix::resize(std::uint32_t row_count, std::uint32_t width, bool is_int16) {
  width_ = width;
  is_int16_ = is_int16;
  block_count_ = kernels::round_up(width, kBlock) / kBlock;
  const std::size_t blocks = static_cast<std::size_t>(row_count) * block_count_;
  if (is_int16 && int16_values_.size() < blocks * kBlock) int16_values_.resize(blocks * kBlock);
  if (!is_int16 && int8_.size() < blocks * kBlock) int8_.resize(blocks * kBlock);
  if (scales_.size() < blocks) scales_.resize(blocks);
  if (sums_.size() < blocks) sums_.resize(blocks);
}

void QuantizedMatrix::quantize(const kernels::Kernels& kernels, const float* x, std::uint32_t row) {
  const std::size_t block = static_cast<std::size_t>(row) * block_count_;
  if (is_int16_) {
    kernels.quantize_int16(x, width_, int16_values_.data() + block * kBlock, scales_.data() + block);
  } else {
    kernels.quantize_int8(x, width_, int8_.data() + block * kBlock, scales_.data() + block, sums_.data() + block);
  }
}

void QuantizedMatrix::quantize_with_residual(const kernels::Kernels& kernels, const float* x, std::uint32_t row) {
  quantize(kernels, x, row);
  residual_.resize(width_);
  const std::size_t block = static_cast<std::size_t>(row) * block_count_;
  for (std::uint32_t i = 0; i < width_; ++i) {
    residual_[i] = x[i] - static_cast<float>(int8_[block * kBlock + i]) * scales_[block + i / kBlock];
  }
  quantize(kernels, residual_.data(), row + 1);
}

kernels::QuantizedRows QuantizedMatrix::rows(std::uint32_t first) const {
  const std::size_t block = static_cast<std::size_t>(first) * block_count_;
  return {is_int16_ ? nullptr : int8_.data() + block * kBlock,
          is_int16_ ? int16_values_.data() + block * kBlock : nullptr, scales_.data() + block, sums_.data() + block};
}

}  // namespace tacit
