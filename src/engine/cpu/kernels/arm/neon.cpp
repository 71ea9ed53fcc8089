// SPDX-License-Identifier: MIT
// The NEON kernel set, for every aarch64 processor: int8 is multiplied to int16 (SMULL, SMLAL), then added up.
#include "engine/cpu/kernels/arm/vectors.inl"

namespace tacit::kernels {
namespace {

// As PairSums, in int16: eight products of five bits, which is what each sum of a block is made of, stay below 2^15
// (8 * 31 * 127).
struct ShortSums {
  int16x8_t low, high;
};
TACIT_INLINE int32x4_t total(ShortSums sums) { return vpaddq_s32(vpaddlq_s16(sums.low), vpaddlq_s16(sums.high)); }

template <std::uint32_t kBits>
using Int8Sums = std::conditional_t<kBits == 8, PairSums, ShortSums>;

// Four activations, four times.
template <int kLane>
TACIT_INLINE int8x16_t repeat(int8x16_t x) {
  return vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), kLane));
}

template <int kLane>
TACIT_INLINE ShortSums add_products(ShortSums sums, int8x16_t weights, int8x16_t x) {
  const int8x16_t repeated = repeat<kLane>(x);
  return {vmlal_s8(sums.low, vget_low_s8(weights), vget_low_s8(repeated)), vmlal_high_s8(sums.high, weights, repeated)};
}
template <int kLane>
TACIT_INLINE ShortSums add_products(ShortSums sums, int8x16_t first, int8x16_t second, int8x16_t x) {
  return add_products<kLane + 1>(add_products<kLane>(sums, first, x), second, x);
}

// Two products of eight bits fit int16 (2 * 128 * 127).
template <int kLane>
TACIT_INLINE PairSums add_products(PairSums sums, int8x16_t first, int8x16_t second, int8x16_t x) {
  const ShortSums pairs = add_products<kLane>(ShortSums{}, first, second, x);
  return {vpadalq_s16(sums.low, pairs.low), vpadalq_s16(sums.high, pairs.high)};
}

}  // namespace
}  // namespace tacit::kernels

#include "engine/cpu/kernels/arm/products.inl"
#include "engine/cpu/kernels/table.inl"

namespace tacit::kernels {

constinit const Kernels kNeonKernels = table_of_this_set("neon");

}  // namespace tacit::kernels
