// SPDX-License-Identifier: MIT
#include "quants/dequantize.h"

#include <cassert>
#include <cstring>

#include "quants/blocks.h"

namespace tacit {
namespace quants {
namespace {

using gguf::TensorType;

constexpr BlockType kBlockTypes[] = {
    {TensorType::kQ4_0, false, decode_q4_0},       {TensorType::kQ4_1, true, decode_q4_1},
    {TensorType::kQ5_0, false, decode_q5_0},       {TensorType::kQ5_1, true, decode_q5_1},
    {TensorType::kQ8_0, false, decode_q8_0},       {TensorType::kQ2_K, true, decode_q2_k},
    {TensorType::kQ3_K, false, decode_q3_k},       {TensorType::kQ4_K, true, decode_q4_k},
    {TensorType::kQ5_K, true, decode_q5_k},        {TensorType::kQ6_K, false, decode_q6_k},
    {TensorType::kIQ1_S, false, decode_iq1_s},     {TensorType::kIQ1_M, false, decode_iq1_m},
    {TensorType::kIQ2_XXS, false, decode_iq2_xxs}, {TensorType::kIQ2_XS, false, decode_iq2_xs},
    {TensorType::kIQ2_S, false, decode_iq2_s},     {TensorType::kIQ3_XXS, false, decode_iq3_xxs},
    {TensorType::kIQ3_S, false, decode_iq3_s},     {TensorType::kIQ4_NL, false, decode_iq4_nl},
    {TensorType::kIQ4_XS, false, decode_iq4_xs},   {TensorType::kTQ1_0, false, decode_tq1_0},
    {TensorType::kTQ2_0, false, decode_tq2_0},     {TensorType::kMXFP4, false, decode_mxfp4},
    {TensorType::kNVFP4, false, decode_nvfp4},
};

// Adding a minimum of zero would turn -0 into 0.
void expand(const Integers& block, bool has_minimum, std::uint32_t count, float* out) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const float product = static_cast<float>(block.values[i]) * block.scales[i / kRun];
    out[i] = has_minimum ? product + block.minimums[i / kRun] : product;
  }
}

}  // namespace

const BlockType* find_block_type(TensorType type) {
  const auto* found = std::ranges::find(kBlockTypes, type, &BlockType::type);
  return found == std::end(kBlockTypes) ? nullptr : found;
}

}  // namespace quants

using gguf::TensorType;

bool is_dequantizable(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16 ||
         quants::find_block_type(type) != nullptr;
}

void dequantize(TensorType type, const std::uint8_t* source, std::uint64_t count, float* out) {
  switch (type) {
    case TensorType::kF32:
      std::memcpy(out, source, count * sizeof(float));
      return;
    case TensorType::kF16:
      for (std::uint64_t i = 0; i < count; ++i) out[i] = quants::half_at(source + 2 * i);
      return;
    case TensorType::kBF16:
      for (std::uint64_t i = 0; i < count; ++i) {
        out[i] = numeric::from_bfloat16(load_unaligned<std::uint16_t>(source + 2 * i));
      }
      return;
    default:
      break;
  }
  const quants::BlockType* block_type = quants::find_block_type(type);
  assert(block_type != nullptr);
  const gguf::TensorTypeInfo& info = *gguf::find_tensor_type(static_cast<std::uint32_t>(type));
  quants::Integers block;
  for (std::uint64_t i = 0; i < count; i += info.block_elements, source += info.block_bytes) {
    block_type->decode(source, block);
    quants::expand(block, block_type->has_minimum, info.block_elements, out + i);
  }
}

}  // namespace tacit
