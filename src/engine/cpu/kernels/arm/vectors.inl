// SPDX-License-Identifier: MIT
// The part of both aarch64 kernel sets that knows no products: vector.inl for vectors of 16 bytes, and what it asks of
// its includer. neon.cpp and dotprod.cpp include this, define how int8 is multiplied, and include products.inl.
#include <arm_neon.h>

#include "engine/cpu/kernels/arm/arm.h"

namespace tacit::kernels {
namespace {

using Ints = std::int32_t __attribute__((vector_size(16)));

void store_int8(std::int8_t* q, const Ints* block);
void store_int16(std::int16_t* q, const Ints* block);
template <std::uint32_t kQueries>
void add_value_dots(const std::int16_t (*weights)[kBlock], const std::int8_t* values, std::uint32_t tile_count,
                    const float* scales, float* out, std::size_t out_stride);
std::uint32_t lanes_set(Ints comparison);

}  // namespace
}  // namespace tacit::kernels

#include "engine/cpu/kernels/vector.inl"

namespace tacit::kernels {
namespace {

// The low halves of eight numbers, in order.
TACIT_INLINE int16x8_t pack16(Ints low, Ints high) {
  return vuzp1q_s16(reinterpret_cast<int16x8_t>(low), reinterpret_cast<int16x8_t>(high));
}

TACIT_INLINE void store_int16(std::int16_t* q, const Ints* block) {
  for (std::uint32_t v = 0; v < kBlockVectors; v += 2) store_as(q + v * kLanes, pack16(block[v], block[v + 1]));
}

TACIT_INLINE void store_int8(std::int8_t* q, const Ints* block) {
  for (std::uint32_t v = 0; v < kBlockVectors; v += 4) {
    store_as(q + v * kLanes, vuzp1q_s8(vreinterpretq_s8_s16(pack16(block[v], block[v + 1])),
                                       vreinterpretq_s8_s16(pack16(block[v + 2], block[v + 3]))));
  }
}

TACIT_INLINE std::uint32_t lanes_set(Ints comparison) {
  const Ints bits = comparison & Ints{1, 2, 4, 8};
  return static_cast<std::uint32_t>(vaddvq_s32(reinterpret_cast<int32x4_t>(bits)));
}

// Products of four outputs, added up to several sums for each: those of outputs 0 and 1 in `low`, 2 and 3 in `high`.
struct PairSums {
  int32x4_t low, high;
};
TACIT_INLINE int32x4_t total(PairSums sums) { return vpaddq_s32(sums.low, sums.high); }

}  // namespace
}  // namespace tacit::kernels
