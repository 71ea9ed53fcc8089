// SPDX-License-Identifier: MIT
// The AVX2 kernel set: vector.inl compiled for it, and the integer dot products.
#include <immintrin.h>

#include "kernels/x86/x86.h"

namespace tacit::kernels {
namespace {

using Ints = std::int32_t __attribute__((vector_size(32)));

void store_narrow(std::int8_t* q, const Ints* block);
void store_wide(std::int16_t* q, const Ints* block);
template <std::uint32_t kQueries>
void add_value_dots(const std::int16_t (*weights)[kBlock], const std::int8_t* values, std::uint32_t tile_count,
                    const float* scales, float* out, std::size_t out_stride);
std::uint32_t lanes_set(Ints comparison);

}  // namespace
}  // namespace tacit::kernels

#include "kernels/vector.inl"

namespace tacit::kernels {
namespace {

constexpr std::uint32_t kGroups = kBlock / 4;  // of four inputs
constexpr std::uint32_t kRowsMax = 4;          // rows that share the weights in registers
constexpr std::uint32_t kHalf = kTile / 2;  // outputs in one register

TACIT_INLINE __m256i load256(const void* source) { return _mm256_loadu_si256(static_cast<const __m256i*>(source)); }
TACIT_INLINE __m256i broadcast4(const void* source) { return _mm256_set1_epi32(load_as<std::int32_t>(source)); }

// Pairs of int16 added to int32.
TACIT_INLINE __m256i add_neighbours(__m256i values) { return _mm256_madd_epi16(values, _mm256_set1_epi16(1)); }

TACIT_INLINE __m256 accumulate(__m256 acc, __m256i dot, __m256 scale) {
  return _mm256_add_ps(acc, _mm256_mul_ps(_mm256_cvtepi32_ps(dot), scale));
}

// Two vectors as int16, in order; packing alone works within halves of 128 bits.
TACIT_INLINE __m256i pack16(Ints low, Ints high) {
  const __m256i packed = _mm256_packs_epi32(reinterpret_cast<__m256i>(low), reinterpret_cast<__m256i>(high));
  return _mm256_permute4x64_epi64(packed, 0xd8);
}

// A bit for each lane where a comparison held.
TACIT_INLINE std::uint32_t lanes_set(Ints comparison) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(comparison)));
}

TACIT_INLINE void store_wide(std::int16_t* q, const Ints* block) {
  store_as(q, pack16(block[0], block[1]));
  store_as(q + 16, pack16(block[2], block[3]));
}

TACIT_INLINE void store_narrow(std::int8_t* q, const Ints* block) {
  const __m256i packed = _mm256_packs_epi16(pack16(block[0], block[1]), pack16(block[2], block[3]));
  store_as(q, _mm256_permute4x64_epi64(packed, 0xd8));
}

TACIT_INLINE __m256i load_widened(const void* source) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(static_cast<const __m128i*>(source)));
}

// In int16, so that weights of fourteen bits need no splitting. The steps are not unrolled, as in add_part().
template <std::uint32_t kQueries>
void add_value_dots(const std::int16_t (*weights)[kBlock], const std::int8_t* values, std::uint32_t tile_count,
                    const float* scales, float* out, std::size_t out_stride) {
  for (std::uint32_t half = 0; half < 2 * tile_count; ++half) {
    const std::int8_t* data = values + (half / 2) * kTile * kBlock + (half % 2) * 32;
    __m256i low[kQueries];   // of outputs 0 to 3, two neighbouring sums each
    __m256i high[kQueries];  // of outputs 4 to 7
    for (std::uint32_t q = 0; q < kQueries; ++q) low[q] = high[q] = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const __m256i first = load_widened(data + 64 * g);
      const __m256i second = load_widened(data + 64 * g + 16);
#pragma GCC unroll 4
      for (std::uint32_t q = 0; q < kQueries; ++q) {
        const __m256i w = _mm256_set1_epi64x(load_as<std::int64_t>(weights[q] + 4 * g));
        low[q] = _mm256_add_epi32(low[q], _mm256_madd_epi16(w, first));
        high[q] = _mm256_add_epi32(high[q], _mm256_madd_epi16(w, second));
      }
    }
    for (std::uint32_t q = 0; q < kQueries; ++q) {
      float* sums = out + q * out_stride + half * kHalf;
      const __m256i dot = _mm256_permute4x64_epi64(_mm256_hadd_epi32(low[q], high[q]), 0xd8);
      _mm256_storeu_ps(sums, accumulate(_mm256_loadu_ps(sums), dot, _mm256_set1_ps(scales[q])));
    }
  }
}

// The bytes of a block of a row.
template <WeightFormat kFormat>
TACIT_INLINE const std::uint8_t* activations(const QuantizedRows& rows, std::size_t block) {
  if constexpr (kFormat == WeightFormat::kWide) {
    return reinterpret_cast<const std::uint8_t*>(rows.wide + block * kBlock);
  } else {
    return reinterpret_cast<const std::uint8_t*>(rows.narrow + block * kBlock);
  }
}

// Where the products of a part are added up in int16, two sums for each output: 16 products of four bits stay below 2^15
// (16 * 15 * 127), and so do 8 of five (8 * 31 * 127).
template <WeightFormat kFormat>
constexpr bool kSumsInt16 = traits(kFormat).bits == 4 || (traits(kFormat).bits == 5 && traits(kFormat).part_count == 2);

// Adds the products of a register of weights and the activations at x to the sums of eight outputs. 8 bits: with |w| on
// the unsigned side and the sign moved to x no pair leaves int16 (2 * 128 * 127), which w + 128 could.
template <WeightFormat kFormat>
TACIT_INLINE __m256i add_products(__m256i dot, __m256i weights, const std::uint8_t* x) {
  if constexpr (kFormat == WeightFormat::kWide) {
    return _mm256_add_epi32(dot, _mm256_madd_epi16(weights, broadcast4(x)));
  } else {
    const __m256i w = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(broadcast4(x), w));
    return _mm256_add_epi32(dot, add_neighbours(pairs));
  }
}

// The unsigned numbers in the low or the high nibbles. `fifth` has their fifth bits, shifted so that bit 0 is that of
// the low nibble and bit 4 that of the high one.
template <WeightFormat kFormat, bool kHigh>
TACIT_INLINE __m256i numbers(__m256i nibbles, [[maybe_unused]] __m256i fifth) {
  __m256i number = _mm256_and_si256(kHigh ? _mm256_srli_epi16(nibbles, 4) : nibbles, _mm256_set1_epi8(15));
  if constexpr (traits(kFormat).bits == 5) {
    const __m256i bit = kHigh ? fifth : _mm256_slli_epi16(fifth, 4);
    number = _mm256_or_si256(number, _mm256_and_si256(bit, _mm256_set1_epi8(16)));
  }
  return number;
}

// The same for nibbles, of which part `kPart` is wanted, or both where the format has one part.
template <WeightFormat kFormat, std::uint32_t kPart>
TACIT_INLINE __m256i add_nibble_products(__m256i dot, __m256i nibbles, __m256i fifth, const std::uint8_t* x) {
  constexpr bool kBoth = traits(kFormat).part_count == 1;
  __m256i products = _mm256_setzero_si256();
  if constexpr (kBoth || kPart == 0) products = _mm256_maddubs_epi16(numbers<kFormat, false>(nibbles, fifth), broadcast4(x));
  if constexpr (kBoth || kPart == 1) {
    const __m256i high = _mm256_maddubs_epi16(numbers<kFormat, true>(nibbles, fifth), broadcast4(x + kBlock / 2));
    products = kBoth ? _mm256_add_epi16(products, high) : high;
  }
  return kSumsInt16<kFormat> ? _mm256_add_epi16(dot, products) : _mm256_add_epi32(dot, add_neighbours(products));
}

// Adds the products of part `kPart` of a tile block and of the blocks first, first + stride ... of kRows rows to acc, both
// halves of the tile side by side. The steps are not unrolled: GCC would reorder the sums until they no longer fit the
// registers.
template <WeightFormat kFormat, std::uint32_t kPart, std::uint32_t kRows>
TACIT_INLINE void add_part(const std::uint8_t* tile_block, const QuantizedRows& rows, std::size_t first,
                           std::size_t stride, __m256 (*acc)[2]) {
  constexpr FormatTraits kTraits = traits(kFormat);
  constexpr bool kNibbles = kTraits.bits < 8;
  constexpr std::uint32_t kSteps = kNibbles ? kGroups / 2 : static_cast<std::uint32_t>(value_bytes(kFormat)) / 64 / kTraits.part_count;
  constexpr std::uint32_t kFirstStep = kNibbles ? 0 : kPart * kSteps;
  __m256i fifth[2] = {};
  if constexpr (kTraits.bits == 5) {
    fifth[0] = load256(tile_block + 256);
    fifth[1] = load256(tile_block + 256 + 32);
  }
  __m256i dot[kRows][2];
  for (auto& d : dot) d[0] = d[1] = _mm256_setzero_si256();
#pragma GCC unroll 1
  for (std::uint32_t step = kFirstStep; step < kFirstStep + kSteps; ++step) {
    const __m256i low = load256(tile_block + 64 * step);
    const __m256i high = load256(tile_block + 64 * step + 32);
#pragma GCC unroll 4
    for (std::uint32_t r = 0; r < kRows; ++r) {
      const std::uint8_t* x = activations<kFormat>(rows, first + r * stride) + 4 * step;
      if constexpr (kNibbles) {
        dot[r][0] = add_nibble_products<kFormat, kPart>(dot[r][0], low, fifth[0], x);
        dot[r][1] = add_nibble_products<kFormat, kPart>(dot[r][1], high, fifth[1], x);
      } else {
        dot[r][0] = add_products<kFormat>(dot[r][0], low, x);
        dot[r][1] = add_products<kFormat>(dot[r][1], high, x);
      }
    }
    for (__m256i& bits : fifth) bits = _mm256_srli_epi16(bits, 1);
  }
  const auto* scales = reinterpret_cast<const float*>(tile_block + value_bytes(kFormat)) + kPart * kTile;
#pragma GCC unroll 4
  for (std::uint32_t r = 0; r < kRows; ++r) {
    const std::size_t block = first + r * stride;
    std::int32_t sums[2] = {};
    if constexpr (kNibbles) {
      sums[0] = rows.sums[block];
      if constexpr (kTraits.part_count == 2) split_sum(rows.narrow + block * kBlock, sums);
    }
    const __m256 scale_x = _mm256_set1_ps(rows.scales[block]);
#pragma GCC unroll 2
    for (std::uint32_t half = 0; half < 2; ++half) {
      __m256i exact = kSumsInt16<kFormat> ? add_neighbours(dot[r][half]) : dot[r][half];
      if constexpr (kNibbles && kTraits.offset != 0) {
        exact = _mm256_sub_epi32(exact, _mm256_set1_epi32(kTraits.offset * sums[kPart]));
      }
      acc[r][half] = accumulate(acc[r][half], exact, _mm256_mul_ps(scale_x, _mm256_load_ps(scales + half * kHalf)));
      if constexpr (kTraits.has_minimum) {
        const __m256 minimum = _mm256_load_ps(scales + kTraits.part_count * kTile + half * kHalf);
        acc[r][half] = accumulate(acc[r][half], _mm256_set1_epi32(sums[kPart]), _mm256_mul_ps(scale_x, minimum));
      }
    }
  }
}

template <WeightFormat kFormat, std::uint32_t kRows, std::uint32_t kTiles>
void matmul_rows(const std::uint8_t* tile_data, std::size_t tile_bytes, std::uint32_t block_count,
                 const QuantizedRows& rows, std::size_t first_row, float* out, std::size_t out_stride) {
  for (std::uint32_t t = 0; t < kTiles; ++t) {
    __m256 acc[kRows][2];
    for (auto& a : acc) a[0] = a[1] = _mm256_setzero_ps();
    for (std::uint32_t b = 0; b < block_count; ++b) {
      const std::uint8_t* tile_block = tile_data + t * tile_bytes + b * tile_block_bytes(kFormat);
      prefetch_ahead<tile_block_bytes(kFormat)>(tile_block);
      add_part<kFormat, 0, kRows>(tile_block, rows, first_row * block_count + b, block_count, acc);
      if constexpr (traits(kFormat).part_count == 2) {
        add_part<kFormat, 1, kRows>(tile_block, rows, first_row * block_count + b, block_count, acc);
      }
    }
    for (std::uint32_t r = 0; r < kRows; ++r) {
      _mm256_storeu_ps(out + r * out_stride + t * kTile, acc[r][0]);
      _mm256_storeu_ps(out + r * out_stride + t * kTile + kHalf, acc[r][1]);
    }
  }
}

}  // namespace
}  // namespace tacit::kernels

#include "kernels/matmul_rows.inl"
#include "kernels/table.inl"

namespace tacit::kernels {

constinit const Kernels kAvx2Kernels = table_of_this_set("avx2");

}  // namespace tacit::kernels
