// SPDX-License-Identifier: MIT
// The NEON kernel set for processors with dot products of int8 (SDOT).
#include "kernels/arm/vectors.inl"

namespace tacit::kernels {
namespace {

struct DotSums {
  int32x4_t dot;  // one sum for each output
};
TACIT_INLINE int32x4_t total(DotSums sums) { return sums.dot; }

template <std::uint32_t kBits>
using NarrowSums = DotSums;

template <int kLane>
TACIT_INLINE DotSums add_products(DotSums sums, int8x16_t first, int8x16_t second, int8x16_t x) {
  return {vdotq_laneq_s32(vdotq_laneq_s32(sums.dot, first, x, kLane), second, x, kLane + 1)};
}

}  // namespace
}  // namespace tacit::kernels

#include "kernels/arm/products.inl"

namespace tacit::kernels {

const Kernels kDotprodKernels = {
    "dotprod",
    quantize_narrow, quantize_wide, quantize_values, matmul, rms_norm, layer_norm, swiglu, geglu, gelu,
    soft_cap, add, rotate_pairs, rotate_halves, attend, frequencies, mix, collect, sum,
};

}  // namespace tacit::kernels
