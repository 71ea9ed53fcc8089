// SPDX-License-Identifier: MIT
// The AVX2 kernel set: vector16.inl compiled for it, and the integer dot products.
#include <immintrin.h>

#include "kernels/x86/x86.h"

namespace tacit::kernels {
namespace {

void add_value_dots(const std::int8_t* high, const std::int8_t* low, const std::int8_t* values,
                    std::uint32_t tile_count, float scale, float* out);

}  // namespace
}  // namespace tacit::kernels

#include "kernels/vector16.inl"

namespace tacit::kernels {
namespace {

constexpr std::uint32_t kGroups = kBlock / 4;
constexpr std::uint32_t kRowsMax = 4;
constexpr std::uint32_t kHalf = kTile / 2;  // outputs in one register

TACIT_INLINE __m256i load256(const void* source) { return _mm256_loadu_si256(static_cast<const __m256i*>(source)); }
TACIT_INLINE __m256i broadcast4(const void* source) { return _mm256_set1_epi32(load_as<std::int32_t>(source)); }

// a unsigned, b signed, both so small that no pair of products leaves int16.
TACIT_INLINE __m256i dot4(__m256i acc, __m256i a, __m256i b) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}

TACIT_INLINE __m256 accumulate(__m256 acc, __m256i dot, __m256 scale) {
  return _mm256_add_ps(acc, _mm256_mul_ps(_mm256_cvtepi32_ps(dot), scale));
}

// The halves of the weights are 0 to 127: two products of them and a signed byte fit int16.
void add_value_dots(const std::int8_t* high, const std::int8_t* low, const std::int8_t* values,
                    std::uint32_t tile_count, float scale, float* out) {
  for (std::uint32_t half = 0; half < 2 * tile_count; ++half) {
    const std::int8_t* data = values + (half / 2) * kTile * kBlock + (half % 2) * 32;
    __m256i high_dot = _mm256_setzero_si256();
    __m256i low_dot = _mm256_setzero_si256();
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const __m256i v = load256(data + 64 * g);
      high_dot = dot4(high_dot, broadcast4(high + 4 * g), v);
      low_dot = dot4(low_dot, broadcast4(low + 4 * g), v);
    }
    const __m256i dot = _mm256_add_epi32(_mm256_slli_epi32(high_dot, 7), low_dot);
    _mm256_storeu_ps(out + half * kHalf,
                     accumulate(_mm256_loadu_ps(out + half * kHalf), dot, _mm256_set1_ps(scale)));
  }
}

// The dot products of one block of one row with eight outputs. kInt8: with |w| on the unsigned side and the sign moved
// to x no pair leaves int16 (2 * 128 * 127), which w + 128 could.
template <WeightFormat kFormat>
TACIT_INLINE __m256i block_dot(const std::uint8_t* half_block, const QuantizedRows& rows, std::size_t block) {
  __m256i dot = _mm256_setzero_si256();
  if constexpr (kFormat == WeightFormat::kWide) {
    for (std::uint32_t pair = 0; pair < kBlock / 2; ++pair) {
      const __m256i x = broadcast4(rows.wide + block * kBlock + 2 * pair);
      dot = _mm256_add_epi32(dot, _mm256_madd_epi16(load256(half_block + 64 * pair), x));
    }
  } else if constexpr (kFormat == WeightFormat::kInt8) {
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const __m256i w = _mm256_xor_si256(load256(half_block + 64 * g), _mm256_set1_epi8(-128));
      const __m256i x = broadcast4(rows.narrow + block * kBlock + 4 * g);
      dot = dot4(dot, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    }
  } else {
    dot = _mm256_set1_epi32(-8 * rows.sums[block]);
    for (std::uint32_t g = 0; g < kGroups / 2; ++g) {
      const __m256i pair = load256(half_block + 64 * g);
      const __m256i nibble = _mm256_set1_epi8(15);
      const std::int8_t* x = rows.narrow + block * kBlock + 4 * g;
      dot = dot4(dot, _mm256_and_si256(pair, nibble), broadcast4(x));
      dot = dot4(dot, _mm256_and_si256(_mm256_srli_epi16(pair, 4), nibble), broadcast4(x + 16));
    }
  }
  return dot;
}

template <WeightFormat kFormat, std::uint32_t kRows, std::uint32_t kTiles>
void matmul_rows(const std::uint8_t* tile_data, std::size_t tile_bytes, std::uint32_t block_count,
                 const QuantizedRows& rows, std::size_t first_row, float* out, std::size_t out_stride) {
  for (std::uint32_t half = 0; half < 2 * kTiles; ++half) {
    __m256 acc[kRows];
    for (std::uint32_t r = 0; r < kRows; ++r) acc[r] = _mm256_setzero_ps();
    for (std::uint32_t b = 0; b < block_count; ++b) {
      const std::uint8_t* tile_block = tile_data + (half / 2) * tile_bytes + b * tile_block_bytes(kFormat);
      const auto* scales = reinterpret_cast<const float*>(tile_block + value_bytes(kFormat));
      const __m256 scale_w = _mm256_loadu_ps(scales + (half % 2) * kHalf);
#pragma GCC unroll 4
      for (std::uint32_t r = 0; r < kRows; ++r) {
        const std::size_t block = (first_row + r) * block_count + b;
        const __m256i dot = block_dot<kFormat>(tile_block + (half % 2) * 32, rows, block);
        acc[r] = accumulate(acc[r], dot, _mm256_mul_ps(_mm256_set1_ps(rows.scales[block]), scale_w));
      }
    }
    for (std::uint32_t r = 0; r < kRows; ++r) _mm256_storeu_ps(out + r * out_stride + half * kHalf, acc[r]);
  }
}

}  // namespace
}  // namespace tacit::kernels

#include "kernels/matmul_rows.inl"

namespace tacit::kernels {

const Kernels kAvx2Kernels = {
    "avx2", quantize_narrow, quantize_wide, quantize_values, matmul, rms_norm, swiglu,
    add,    rotate_pairs,    attend,        frequencies,     sum,
};

}  // namespace tacit::kernels
