// SPDX-License-Identifier: MIT
// Weights of a file into the form that the kernels take, exactly where the contract has a form for their type. Knows
// types, not names or shapes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "quants/dequantize.h"

namespace tacit {

// y = W x + bias, W packed.
struct Linear {
  AlignedBuffer storage;
  kernels::PackedMatrix packed;
  std::uint32_t input_count = 0;
  std::vector<float> bias;  // empty: none; padded with zeros to a multiple of kBlock
};

// Whether tensors of this type can be weights. `dequantize` (quants/dequantize.h) takes the same types.
bool is_weight_type(gguf::TensorType type);

// How weights of a type are held. Every packed weight is the very number that the file has, except in kWide: float types
// are quantised by blocks (spec/numeric.md, section 2).
kernels::WeightFormat format_of(gguf::TensorType type);

// Bytes of one row of a tensor: shape[0] elements.
std::size_t row_bytes(const gguf::Tensor& tensor);

// The rows [first_row, first_row + row_count) of a tensor, counted through all its dimensions but the first, as a
// matrix without a bias. Errors: kModel where a weight is not finite. `file` is for the message.
Result<Linear> pack(const gguf::File& file, const gguf::Tensor& tensor, std::uint64_t first_row,
                    std::uint32_t row_count);

}  // namespace tacit
