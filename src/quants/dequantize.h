// SPDX-License-Identifier: MIT
// What the bytes of a weight mean, for every element type that a tensor can have: floats, or blocks of integers with
// scales. Any bytes are safe: an index into a codebook is cut to its bits. Knows neither tensors nor kernels.
#pragma once

#include <array>
#include <cstdint>

#include "gguf/gguf.h"

namespace tacit {

// The dequantised values of `count` elements at `source`, a whole number of blocks of a type that `is_dequantizable`.
bool is_dequantizable(gguf::TensorType type);
void dequantize(gguf::TensorType type, const std::uint8_t* source, std::uint64_t count, float* out);

namespace quants {

inline constexpr std::uint32_t kRun = 16;  // elements that share a scale in every type, at the least
inline constexpr std::uint32_t kBlockMax = 256;

// One block of a quantised type. Element i is values[i] * scales[i / kRun], each rounded to float; and minimums[i /
// kRun] is added to that where the type has minimums.
struct Integers {
  std::array<std::int8_t, kBlockMax> values;
  std::array<float, kBlockMax / kRun> scales;
  std::array<float, kBlockMax / kRun> minimums;
};

struct BlockType {
  gguf::TensorType type;
  bool has_minimum;
  void (*decode)(const std::uint8_t* block, Integers& out);
};

// nullptr for a type that has no blocks, or is not known.
const BlockType* find_block_type(gguf::TensorType type);

}  // namespace quants
}  // namespace tacit
