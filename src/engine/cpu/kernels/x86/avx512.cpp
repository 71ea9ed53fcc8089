// SPDX-License-Identifier: MIT
// The AVX-512 kernel set (F, BW, DQ, VL, VNNI): vector.inl compiled for it, and the integer dot products.
#include <immintrin.h>

#include "engine/cpu/kernels/x86/x86.h"

namespace tacit::kernels {
namespace {

using Ints = std::int32_t __attribute__((vector_size(64)));

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

constexpr std::uint32_t kGroups = kBlock / 4;  // of four inputs, which one dpbusd multiplies and adds
constexpr std::uint32_t kRowsMax = 8;          // rows that share the weights in registers
template <WeightFormat>
struct ManyRows {
  static constexpr bool kApart = false;  // weights are multiplied as they are, for any number of rows
};

TACIT_INLINE __m512i broadcast4(const void* source) { return _mm512_set1_epi32(load_as<std::int32_t>(source)); }

// dot += products of weights and the activations at x, four of int8 or two of int16 for each of sixteen outputs. One
// instruction with its load, which GCC does not make of intrinsics: it would load the activations by another one first.
#ifdef TACIT_EMULATED_AVX512  // tests/emulation/
TACIT_INLINE void add_products(__m512i& dot, __m512i weights, const std::int8_t* x) {
  dot = _mm512_dpbusd_epi32(dot, weights, broadcast4(x));
}
TACIT_INLINE void add_products(__m512i& dot, __m512i weights, const std::int16_t* x) {
  dot = _mm512_dpwssd_epi32(dot, weights, broadcast4(x));
}
#else
struct FourBytes {
  std::int8_t bytes[4];
};
TACIT_INLINE void add_products(__m512i& dot, __m512i weights, const std::int8_t* x) {  // the weights are unsigned
  __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(dot) : "v"(weights), "m"(*reinterpret_cast<const FourBytes*>(x)));
}
TACIT_INLINE void add_products(__m512i& dot, __m512i weights, const std::int16_t* x) {
  __asm__("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(dot) : "v"(weights), "m"(*reinterpret_cast<const FourBytes*>(x)));
}
#endif

TACIT_INLINE void store_int8(std::int8_t* q, const Ints* block) {
  store_as(q, _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(block[0])));
  store_as(q + 16, _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(block[1])));
}

// A bit for each lane where a comparison held.
TACIT_INLINE std::uint32_t lanes_set(Ints comparison) {
  return _cvtmask16_u32(_mm512_movepi32_mask(reinterpret_cast<__m512i>(comparison)));
}

TACIT_INLINE void store_int16(std::int16_t* q, const Ints* block) {
  store_as(q, _mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(block[0])));
  store_as(q + 16, _mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(block[1])));
}

// The weights are split into halves of seven bits, which fit the unsigned side; the values are signed.
template <std::uint32_t kQueries>
void add_value_dots(const std::int16_t (*weights)[kBlock], const std::int8_t* values, std::uint32_t tile_count,
                    const float* scales, float* out, std::size_t out_stride) {
  std::int8_t high[kQueries][kBlock];
  std::int8_t low[kQueries][kBlock];
  for (std::uint32_t q = 0; q < kQueries; ++q) {
    for (std::uint32_t i = 0; i < kBlock; i += 16) {  // as store_int16 has written them
      const __m256i w = load_as<__m256i>(weights[q] + i);
      store_as(high[q] + i, _mm256_cvtepi16_epi8(_mm256_srli_epi16(w, 7)));
      store_as(low[q] + i, _mm256_cvtepi16_epi8(_mm256_and_si256(w, _mm256_set1_epi16(127))));
    }
  }
  for (std::uint32_t tile = 0; tile < tile_count; ++tile) {
    const std::int8_t* data = values + tile * kTile * kBlock;
    __m512i high_dot[kQueries];
    __m512i low_dot[kQueries];
    for (std::uint32_t q = 0; q < kQueries; ++q) high_dot[q] = low_dot[q] = _mm512_setzero_si512();
#pragma GCC unroll 1  // else GCC loads all weights first, into memory
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const __m512i v = _mm512_loadu_si512(data + 64 * g);
      for (std::uint32_t q = 0; q < kQueries; ++q) {
        high_dot[q] = _mm512_dpbusd_epi32(high_dot[q], broadcast4(high[q] + 4 * g), v);
        low_dot[q] = _mm512_dpbusd_epi32(low_dot[q], broadcast4(low[q] + 4 * g), v);
      }
    }
    for (std::uint32_t q = 0; q < kQueries; ++q) {
      float* sums = out + q * out_stride + tile * kTile;
      const __m512 dot = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high_dot[q], 7), low_dot[q]));
      _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_loadu_ps(sums), _mm512_mul_ps(dot, _mm512_set1_ps(scales[q]))));
    }
  }
}

// number | (bits & 16)
TACIT_INLINE __m512i join_fifth_bit(__m512i number, __m512i bits) {
  return _mm512_ternarylogic_epi32(number, bits, _mm512_set1_epi8(16), 0xf8);
}

// Eight vectors of unsigned weights of a tile block.
template <WeightFormat kFormat>
TACIT_INLINE void load_weights(const std::uint8_t* tile_block, __m512i* weights) {
  if constexpr (traits(kFormat).bits == 8) {
    for (std::uint32_t g = 0; g < kGroups; ++g) weights[g] = _mm512_load_si512(tile_block + 64 * g);
  } else {
    const __m512i nibble = _mm512_set1_epi8(15);
#pragma GCC unroll 4
    for (std::uint32_t g = 0; g < kGroups / 2; ++g) {
      const __m512i pair = _mm512_load_si512(tile_block + 64 * g);
      weights[g] = _mm512_and_si512(pair, nibble);
      weights[g + kGroups / 2] = _mm512_and_si512(_mm512_srli_epi16(pair, 4), nibble);
      if constexpr (traits(kFormat).bits == 5) {
        const __m512i bits = _mm512_load_si512(tile_block + 256);
        weights[g] = join_fifth_bit(weights[g], _mm512_slli_epi16(bits, 4 - g));
        weights[g + kGroups / 2] = join_fifth_bit(weights[g + kGroups / 2], _mm512_srli_epi16(bits, g));
      }
    }
  }
}

TACIT_INLINE __m512 accumulate(__m512 acc, __m512i dot, __m512 scale_w, float scale_x) {
  const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(scale_x), scale_w);
  return _mm512_add_ps(acc, _mm512_mul_ps(_mm512_cvtepi32_ps(dot), scale));
}

// The products of a tile block, whose scales and minimums are `factors`, and a block of a row. The unsigned weights are
// too large by the offset; the block's sum of activations takes that off again.
template <WeightFormat kFormat>
TACIT_INLINE void add_block(const __m512i* weights, const std::uint8_t* factors, const QuantizedRows& rows,
                            std::size_t block, __m512& acc) {
  constexpr std::uint32_t kParts = traits(kFormat).part_count;
  std::int32_t sums[2] = {rows.sums[block]};
  if constexpr (kParts == 2) split_sum(rows.int8 + block * kBlock, sums);
  const float scale_x = rows.scales[block];
#pragma GCC unroll 2
  for (std::uint32_t part = 0; part < kParts; ++part) {
    __m512i dot = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (std::uint32_t g = part * kGroups / kParts; g < (part + 1) * kGroups / kParts; ++g) {
      add_products(dot, weights[g], rows.int8 + block * kBlock + 4 * g);
    }
    if constexpr (traits(kFormat).offset != 0) {
      constexpr int kOffsetBits = __builtin_ctz(traits(kFormat).offset);
      dot = _mm512_sub_epi32(dot, _mm512_slli_epi32(_mm512_set1_epi32(sums[part]), kOffsetBits));
    }
    acc = accumulate(acc, dot, _mm512_load_ps(factors + part * kScaleBytes), scale_x);
    if constexpr (traits(kFormat).has_minimum) {
      const __m512 minimum = _mm512_load_ps(factors + (kParts + part) * kScaleBytes);
      acc = accumulate(acc, _mm512_set1_epi32(sums[part]), minimum, scale_x);
    }
  }
}

// kRows rows by kTiles tiles, tile_bytes apart. With few rows several tiles go side by side, since the products of one
// block of one row wait for each other.
template <WeightFormat kFormat, std::uint32_t kRows, std::uint32_t kTiles>
void matmul_int8(const std::uint8_t* tile_data, std::size_t tile_bytes, std::uint32_t block_count,
                   const QuantizedRows& rows, std::size_t first_row, float* out, std::size_t out_stride) {
  __m512 acc[kTiles][kRows];
  for (std::uint32_t t = 0; t < kTiles; ++t) {
    for (std::uint32_t r = 0; r < kRows; ++r) acc[t][r] = _mm512_setzero_ps();
  }
  for (std::uint32_t b = 0; b < block_count; ++b, tile_data += tile_block_bytes(kFormat)) {
#pragma GCC unroll 4
    for (std::uint32_t t = 0; t < kTiles; ++t) {
      const std::uint8_t* tile_block = tile_data + t * tile_bytes;
      prefetch_ahead<tile_block_bytes(kFormat)>(tile_block);
      __m512i weights[kGroups];
      load_weights<kFormat>(tile_block, weights);
      std::size_t block = first_row * block_count + b;
#pragma GCC unroll 8
      for (std::uint32_t r = 0; r < kRows; ++r, block += block_count) {
        __asm__("" : "+r"(block));  // else each row has an index of its own, more than there are registers for
        add_block<kFormat>(weights, tile_block + value_bytes(kFormat), rows, block, acc[t][r]);
      }
    }
  }
  for (std::uint32_t t = 0; t < kTiles; ++t) {
    for (std::uint32_t r = 0; r < kRows; ++r) _mm512_storeu_ps(out + r * out_stride + t * kTile, acc[t][r]);
  }
}

template <WeightFormat kFormat, std::uint32_t kRows>
void matmul_int16(const std::uint8_t* tile_data, std::uint32_t block_count, const QuantizedRows& rows,
                 std::size_t first_row, float* out, std::size_t out_stride) {
  __m512 acc[kRows];
  for (std::uint32_t r = 0; r < kRows; ++r) acc[r] = _mm512_setzero_ps();
  const std::size_t first_block = first_row * block_count;
  for (std::uint32_t b = 0; b < block_count; ++b, tile_data += tile_block_bytes(kFormat)) {
    prefetch_ahead<tile_block_bytes(kFormat)>(tile_data);
    __m512i dot[kRows];
    for (std::uint32_t r = 0; r < kRows; ++r) dot[r] = _mm512_setzero_si512();
    for (std::uint32_t pair = 0; pair < kBlock / 2; ++pair) {
      const __m512i weights = _mm512_load_si512(tile_data + 64 * pair);
      for (std::uint32_t r = 0; r < kRows; ++r) {
        const std::size_t block = first_block + static_cast<std::size_t>(r) * block_count + b;
        add_products(dot[r], weights, rows.int16 + block * kBlock + 2 * pair);
      }
    }
    const __m512 scale_w = _mm512_load_ps(tile_data + value_bytes(kFormat));
    for (std::uint32_t r = 0; r < kRows; ++r) {
      const std::size_t block = first_block + static_cast<std::size_t>(r) * block_count + b;
      acc[r] = accumulate(acc[r], dot[r], scale_w, rows.scales[block]);
    }
  }
  for (std::uint32_t r = 0; r < kRows; ++r) _mm512_storeu_ps(out + r * out_stride, acc[r]);
}

template <WeightFormat kFormat, std::uint32_t kRows, std::uint32_t kTiles>
void matmul_rows(const std::uint8_t* tile_data, std::size_t tile_bytes, std::uint32_t block_count,
                 const QuantizedRows& rows, std::size_t first_row, float* out, std::size_t out_stride) {
  if constexpr (kFormat == WeightFormat::kInt16) {
    for (std::uint32_t t = 0; t < kTiles; ++t) {
      matmul_int16<kFormat, kRows>(tile_data + t * tile_bytes, block_count, rows, first_row, out + t * kTile,
                                  out_stride);
    }
  } else {
    matmul_int8<kFormat, kRows, kTiles>(tile_data, tile_bytes, block_count, rows, first_row, out, out_stride);
  }
}

}  // namespace
}  // namespace tacit::kernels

#include "engine/cpu/kernels/matmul_rows.inl"
#include "engine/cpu/kernels/table.inl"

namespace tacit::kernels {

constinit const Kernels kAvx512Kernels = table_of_this_set("avx512");

}  // namespace tacit::kernels
