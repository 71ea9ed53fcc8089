// SPDX-License-Identifier: MIT
// The NEON kernel set for processors with dot products of int8 (SDOT).
#include "engine/cpu/kernels/arm/vectors.inl"

namespace tacit::kernels {
namespace {

struct DotSums {
  int32x4_t dot;  // one sum for each output
};
TACIT_INLINE int32x4_t total(DotSums sums) { return sums.dot; }

template <std::uint32_t kBits>
using Int8Sums = DotSums;

template <int kLane>
TACIT_INLINE DotSums add_products(DotSums sums, int8x16_t first, int8x16_t second, int8x16_t x) {
  return {vdotq_laneq_s32(vdotq_laneq_s32(sums.dot, first, x, kLane), second, x, kLane + 1)};
}

}  // namespace
}  // namespace tacit::kernels

#include "engine/cpu/kernels/arm/products.inl"
#include "engine/cpu/kernels/table.inl"

namespace tacit::kernels {

constinit const Kernels kDotprodKernels = table_of_this_set("dotprod");

}  // namespace tacit::kernels
