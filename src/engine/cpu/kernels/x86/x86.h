// SPDX-License-Identifier: MIT
// The x86-64 kernel sets and what a processor must have for them.
#pragma once

#include <emmintrin.h>

#include "engine/cpu/kernels/kernels.h"

namespace tacit::kernels {

// sums[0] is the sum of a block's int8 activations; it becomes those of the block's halves. Always inlined, because
// each kernel set is compiled for another instruction set.
__attribute__((always_inline)) inline void split_sum(const std::int8_t* q, std::int32_t* sums) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(q));
  const __m128i above = _mm_sad_epu8(_mm_xor_si128(half, _mm_set1_epi8(-128)), _mm_setzero_si128());  // q + 128
  const std::int32_t first = _mm_cvtsi128_si32(_mm_add_epi32(above, _mm_unpackhi_epi64(above, above))) - 16 * 128;
  sums[1] = sums[0] - first;
  sums[0] = first;
}

// Fetches the weights of a block so many bytes ahead of their turn that they arrive in time from memory; the
// processor's own prefetching stops at every page.
template <std::size_t kBytes>
__attribute__((always_inline)) inline void prefetch_ahead(const std::uint8_t* tile_block) {
  constexpr std::size_t kAhead = 2304, kLine = 64;
  for (std::size_t at = 0; at < kBytes; at += kLine) __builtin_prefetch(tile_block + kAhead + at);
}

extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

inline bool x86_has_avx2() { return __builtin_cpu_supports("avx2") != 0; }
inline bool x86_has_avx512_vnni() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

}  // namespace tacit::kernels
