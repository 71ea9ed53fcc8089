// SPDX-License-Identifier: MIT
// Matrices of activations, a row for each position that runs, as floats and as the kernels multiply them.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/cpu/kernels/kernels.h"

namespace tacit {

// Row-major floats whose rows are padded with zeros to a multiple of kBlock.
class RowMatrix {
 public:
  // What the rows hold is left open, but for the zeros behind them.
  void resize(std::uint32_t row_count, std::uint32_t width);
  [[nodiscard]] float* row(std::uint32_t r) { return data_.data() + r * stride_; }
  [[nodiscard]] const float* row(std::uint32_t r) const { return data_.data() + r * stride_; }
  [[nodiscard]] std::size_t stride() const { return stride_; }
  [[nodiscard]] std::uint32_t width() const { return width_; }

 private:
  std::vector<float> data_;
  std::uint32_t width_ = 0;
  std::size_t stride_ = 0;
};

// Rows as the kernels multiply them, int8 or int16.
class QuantizedMatrix {
 public:
  void resize(std::uint32_t row_count, std::uint32_t width, bool is_int16);
  void quantize(const kernels::Kernels& kernels, const float* x, std::uint32_t row);
  // Quantises x into `row` and what that left of x, x - q * scale, into row + 1. Int8 only.
  void quantize_with_residual(const kernels::Kernels& kernels, const float* x, std::uint32_t row);
  [[nodiscard]] kernels::QuantizedRows rows(std::uint32_t first) const;

 private:
  std::uint32_t width_ = 0;
  std::uint32_t block_count_ = 0;
  bool is_int16_ = false;
  std::vector<std::int8_t> int8_;
  std::vector<std::int16_t> int16_values_;
  std::vector<float> scales_;
  std::vector<std::int32_t> sums_;
  std::vector<float> residual_;
};

}  // namespace tacit
