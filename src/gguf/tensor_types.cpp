// SPDX-License-Identifier: MIT
// The table of tensor element types: how many elements share a block, and how many bytes it takes. Knows sizes only;
// what the bytes of a block mean is the business of those who decode them.
#include <algorithm>

#include "gguf/gguf.h"

namespace tacit::gguf {
namespace {

// A sum in the last column names the parts of a block: float16 or 8-bit scales first, then packed elements.
constexpr TensorTypeInfo kTensorTypes[] = {
    {TensorType::kF32, "F32", 1, 4},
    {TensorType::kF16, "F16", 1, 2},
    {TensorType::kQ4_0, "Q4_0", 32, 2 + 16},
    {TensorType::kQ4_1, "Q4_1", 32, 2 + 2 + 16},
    {TensorType::kQ5_0, "Q5_0", 32, 2 + 4 + 16},
    {TensorType::kQ5_1, "Q5_1", 32, 2 + 2 + 4 + 16},
    {TensorType::kQ8_0, "Q8_0", 32, 2 + 32},
    {TensorType::kQ8_1, "Q8_1", 32, 2 + 2 + 32},
    {TensorType::kQ2_K, "Q2_K", 256, 16 + 64 + 2 + 2},
    {TensorType::kQ3_K, "Q3_K", 256, 32 + 64 + 12 + 2},
    {TensorType::kQ4_K, "Q4_K", 256, 2 + 2 + 12 + 128},
    {TensorType::kQ5_K, "Q5_K", 256, 2 + 2 + 12 + 32 + 128},
    {TensorType::kQ6_K, "Q6_K", 256, 128 + 64 + 16 + 2},
    {TensorType::kQ8_K, "Q8_K", 256, 4 + 256 + 32},
    {TensorType::kIQ2_XXS, "IQ2_XXS", 256, 2 + 64},
    {TensorType::kIQ2_XS, "IQ2_XS", 256, 2 + 64 + 8},
    {TensorType::kIQ3_XXS, "IQ3_XXS", 256, 2 + 64 + 32},
    {TensorType::kIQ1_S, "IQ1_S", 256, 2 + 32 + 16},
    {TensorType::kIQ4_NL, "IQ4_NL", 32, 2 + 16},
    {TensorType::kIQ3_S, "IQ3_S", 256, 2 + 64 + 8 + 32 + 4},
    {TensorType::kIQ2_S, "IQ2_S", 256, 2 + 64 + 8 + 8},
    {TensorType::kIQ4_XS, "IQ4_XS", 256, 2 + 2 + 4 + 128},
    {TensorType::kI8, "I8", 1, 1},
    {TensorType::kI16, "I16", 1, 2},
    {TensorType::kI32, "I32", 1, 4},
    {TensorType::kI64, "I64", 1, 8},
    {TensorType::kF64, "F64", 1, 8},
    {TensorType::kIQ1_M, "IQ1_M", 256, 32 + 16 + 8},
    {TensorType::kBF16, "BF16", 1, 2},
    {TensorType::kTQ1_0, "TQ1_0", 256, 48 + 4 + 2},
    {TensorType::kTQ2_0, "TQ2_0", 256, 64 + 2},
    {TensorType::kMXFP4, "MXFP4", 32, 1 + 16},
    {TensorType::kNVFP4, "NVFP4", 64, 4 + 32},
};

}  // namespace

const TensorTypeInfo* find_tensor_type(std::uint32_t number) {
  const auto* found = std::ranges::find(kTensorTypes, static_cast<TensorType>(number), &TensorTypeInfo::type);
  return found == std::end(kTensorTypes) ? nullptr : found;
}

}  // namespace tacit::gguf
