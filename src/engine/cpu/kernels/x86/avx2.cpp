// SPDX-License-Identifier: MIT
// The AVX2 kernel set: vector.inl compiled for it, and the integer dot products.
#include <immintrin.h>

#include "engine/cpu/kernels/x86/x86.h"

namespace tacit::kernels {
namespace {

using Ints = std::int32_t __attribute__((vector_size(32)));

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

// sum = sum + value, by an instruction that the compiler neither moves nor turns around: GCC would begin with the
// products of all rows, more than the registers hold, and copy each sum besides.
TACIT_INLINE void add_int32(__m256i& sum, __m256i value) {
  __asm__ volatile("vpaddd %1, %0, %0" : "+x"(sum) : "x"(value));
}
TACIT_INLINE void add_int16(__m256i& sum, __m256i value) {
  __asm__ volatile("vpaddw %1, %0, %0" : "+x"(sum) : "x"(value));
}

// Two vectors as int16, in order; the packing instruction works within halves of 128 bits.
TACIT_INLINE __m256i pack16(Ints low, Ints high) {
  const __m256i packed = _mm256_packs_epi32(reinterpret_cast<__m256i>(low), reinterpret_cast<__m256i>(high));
  return _mm256_permute4x64_epi64(packed, 0xd8);
}

// A bit for each lane where a comparison held.
TACIT_INLINE std::uint32_t lanes_set(Ints comparison) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(comparison)));
}

TACIT_INLINE void store_int16(std::int16_t* q, const Ints* block) {
  store_as(q, pack16(block[0], block[1]));
  store_as(q + 16, pack16(block[2], block[3]));
}

TACIT_INLINE void store_int8(std::int8_t* q, const Ints* block) {
  const __m256i packed = _mm256_packs_epi16(pack16(block[0], block[1]), pack16(block[2], block[3]));
  store_as(q, _mm256_permute4x64_epi64(packed, 0xd8));
}

TACIT_INLINE __m256i load_widened(const void* source) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(static_cast<const __m128i*>(source)));
}

// In int16, so that weights of fourteen bits need no splitting.
template <std::uint32_t kQueries>
void add_value_dots(const std::int16_t (*weights)[kBlock], const std::int8_t* values, std::uint32_t tile_count,
                    const float* scales, float* out, std::size_t out_stride) {
  for (std::uint32_t half = 0; half < 2 * tile_count; ++half) {
    const std::int8_t* data = values + (half / 2) * kTile * kBlock + (half % 2) * 32;
    __m256i low[kQueries];   // of outputs 0 to 3, two neighbouring sums each
    __m256i high[kQueries];  // of outputs 4 to 7
    for (std::uint32_t q = 0; q < kQueries; ++q) low[q] = high[q] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const __m256i first = load_widened(data + 64 * g);
      const __m256i second = load_widened(data + 64 * g + 16);
#pragma GCC unroll 4
      for (std::uint32_t q = 0; q < kQueries; ++q) {
        const __m256i w = _mm256_set1_epi64x(load_as<std::int64_t>(weights[q] + 4 * g));
        add_int32(low[q], _mm256_madd_epi16(w, first));
        add_int32(high[q], _mm256_madd_epi16(w, second));
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
  if constexpr (kFormat == WeightFormat::kInt16) {
    return reinterpret_cast<const std::uint8_t*>(rows.int16 + block * kBlock);
  } else {
    return reinterpret_cast<const std::uint8_t*>(rows.int8 + block * kBlock);
  }
}

// Where the products of a part are added up in int16, two sums for each output: 16 products of four bits stay below
// 2^15 (16 * 15 * 127), and so do 8 of five (8 * 31 * 127).
template <WeightFormat kFormat>
constexpr bool kSumsInt16 = traits(kFormat).bits == 4 || (traits(kFormat).bits == 5 && traits(kFormat).part_count == 2);

// Adds products of weights and activations x, four of each for each of eight outputs, to their sums. 8 bits: with |w|
// on the unsigned side and the sign moved to x no pair leaves int16 (2 * 128 * 127), which w + 128 could.
TACIT_INLINE void add_signed_products(__m256i& dot, __m256i magnitudes, __m256i weights, __m256i x) {
  add_int32(dot, add_neighbours(_mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(x, weights))));
}
TACIT_INLINE __m256i without_offset(__m256i weights) { return _mm256_xor_si256(weights, _mm256_set1_epi8(-128)); }

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

// Adds the products of part `kPart` of nibbles, or of both where the format has one part.
template <WeightFormat kFormat, std::uint32_t kPart>
TACIT_INLINE void add_nibble_products(__m256i& dot, __m256i nibbles, __m256i fifth, const std::uint8_t* x) {
  constexpr bool kBoth = traits(kFormat).part_count == 1;
  __m256i products = _mm256_setzero_si256();
  if constexpr (kBoth || kPart == 0) {
    products = _mm256_maddubs_epi16(numbers<kFormat, false>(nibbles, fifth), broadcast4(x));
  }
  if constexpr (kBoth || kPart == 1) {
    const __m256i high = _mm256_maddubs_epi16(numbers<kFormat, true>(nibbles, fifth), broadcast4(x + kBlock / 2));
    products = kBoth ? _mm256_add_epi16(products, high) : high;
  }
  if constexpr (kSumsInt16<kFormat>) {
    add_int16(dot, products);
  } else {
    add_int32(dot, add_neighbours(products));
  }
}

// acc = acc + float(dot) * scale for the int32 sums of part `kPart` of a tile block and of the blocks first, first +
// stride ... of kRows rows, both halves of the tile side by side, and what the format adds to it.
template <WeightFormat kFormat, std::uint32_t kPart, std::uint32_t kRows>
TACIT_INLINE void accumulate_part(const std::uint8_t* tile_block, const QuantizedRows& rows, std::size_t first,
                                  std::size_t stride, const __m256i (*dot)[2], __m256 (*acc)[2]) {
  constexpr FormatTraits kTraits = traits(kFormat);
  constexpr bool kNibbles = kTraits.bits < 8;
  const auto* scales = reinterpret_cast<const float*>(tile_block + value_bytes(kFormat)) + kPart * kTile;
#pragma GCC unroll 4
  for (std::uint32_t r = 0; r < kRows; ++r) {
    const std::size_t block = first + r * stride;
    std::int32_t sums[2] = {};
    if constexpr (kNibbles) {
      sums[0] = rows.sums[block];
      if constexpr (kTraits.part_count == 2) split_sum(rows.int8 + block * kBlock, sums);
    }
    const __m256 scale_x = _mm256_set1_ps(rows.scales[block]);
#pragma GCC unroll 2
    for (std::uint32_t half = 0; half < 2; ++half) {
      __m256i exact = dot[r][half];
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

// Adds the products of part `kPart` of a tile block and of blocks of kRows rows to acc, as accumulate_part() has them.
// The steps are not unrolled: they fill the registers.
template <WeightFormat kFormat, std::uint32_t kPart, std::uint32_t kRows>
TACIT_INLINE void add_part(const std::uint8_t* tile_block, const QuantizedRows& rows, std::size_t first,
                           std::size_t stride, __m256 (*acc)[2]) {
  constexpr FormatTraits kTraits = traits(kFormat);
  constexpr bool kNibbles = kTraits.bits < 8;
  constexpr std::uint32_t kSteps =
      kNibbles ? kGroups / 2 : static_cast<std::uint32_t>(value_bytes(kFormat)) / 64 / kTraits.part_count;
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
    __m256i weights[2];
    __m256i magnitudes[2];
    for (std::uint32_t half = 0; half < 2; ++half) {
      weights[half] = load256(tile_block + 64 * step + 32 * half);
      if constexpr (kTraits.bits == 8) {
        weights[half] = without_offset(weights[half]);
        magnitudes[half] = _mm256_abs_epi8(weights[half]);
      }
    }
#pragma GCC unroll 4
    for (std::uint32_t r = 0; r < kRows; ++r) {
      const std::uint8_t* x = activations<kFormat>(rows, first + r * stride) + 4 * step;
#pragma GCC unroll 2
      for (std::uint32_t half = 0; half < 2; ++half) {
        if constexpr (kNibbles) {
          add_nibble_products<kFormat, kPart>(dot[r][half], weights[half], fifth[half], x);
        } else if constexpr (kFormat == WeightFormat::kInt16) {
          add_int32(dot[r][half], _mm256_madd_epi16(weights[half], broadcast4(x)));
        } else {
          add_signed_products(dot[r][half], magnitudes[half], weights[half], broadcast4(x));
        }
      }
    }
    for (__m256i& bits : fifth) bits = _mm256_srli_epi16(bits, 1);
  }
  if constexpr (kSumsInt16<kFormat>) {
    for (auto& d : dot) d[0] = add_neighbours(d[0]), d[1] = add_neighbours(d[1]);
  }
  accumulate_part<kFormat, kPart, kRows>(tile_block, rows, first, stride, dot, acc);
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

// ---- Many rows: weights of five and eight bits, which take some work before they can be multiplied ----

// A tile block's weights as the products want them, four inputs after four and both halves of the tile: found once for
// many rows. With eight bits the signs go to the activations by xor, which more of the processor's units do than
// vpsignb. An activation x becomes -x - 1 there, so that the sum lacks the magnitude; all of these together are what
// `negatives` has.
struct SplitBlock {
  __m256i magnitudes[kGroups][2];  // unsigned
  __m256i signs[kGroups][2];       // eight bits only: -1 where the weight is negative, else 0
  __m256i negatives[2][2];         // [part][half], likewise
};

template <WeightFormat kFormat>
TACIT_INLINE void split_signed_block(const std::uint8_t* tile_block, SplitBlock& split) {
  constexpr std::uint32_t kPartGroups = kGroups / traits(kFormat).part_count;
  const __m256i zero = _mm256_setzero_si256();
  for (std::uint32_t half = 0; half < 2; ++half) {
    split.negatives[0][half] = split.negatives[1][half] = zero;
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const __m256i weights = without_offset(load256(tile_block + 64 * g + 32 * half));
      const __m256i magnitudes = _mm256_abs_epi8(weights);
      const __m256i signs = _mm256_cmpgt_epi8(zero, weights);
      split.magnitudes[g][half] = magnitudes;
      split.signs[g][half] = signs;
      __m256i& negatives = split.negatives[g / kPartGroups][half];
      negatives = _mm256_sub_epi32(negatives, add_neighbours(_mm256_maddubs_epi16(magnitudes, signs)));
    }
  }
}

template <WeightFormat kFormat>
TACIT_INLINE void split_nibble_block(const std::uint8_t* tile_block, SplitBlock& split) {
  for (std::uint32_t half = 0; half < 2; ++half) {
    const std::uint8_t* data = tile_block + 32 * half;
    __m256i fifth = load256(data + 256);
    for (std::uint32_t g = 0; g < kGroups / 2; ++g) {
      split.magnitudes[g][half] = numbers<kFormat, false>(load256(data + 64 * g), fifth);
      split.magnitudes[g + kGroups / 2][half] = numbers<kFormat, true>(load256(data + 64 * g), fifth);
      fifth = _mm256_srli_epi16(fifth, 1);
    }
  }
}

// The groups [kFirst, kEnd) of a block's inputs, added to dot, in int16 where the weights have five bits.
template <WeightFormat kFormat, std::uint32_t kFirst, std::uint32_t kEnd, std::uint32_t kRows>
TACIT_INLINE void add_split_groups(const SplitBlock& split, const QuantizedRows& rows, std::size_t first,
                                   std::size_t stride, __m256i (*dot)[2]) {
#pragma GCC unroll 8
  for (std::uint32_t g = kFirst; g < kEnd; ++g) {
#pragma GCC unroll 4
    for (std::uint32_t r = 0; r < kRows; ++r) {
      const __m256i x = broadcast4(activations<kFormat>(rows, first + r * stride) + 4 * g);
#pragma GCC unroll 2
      for (std::uint32_t half = 0; half < 2; ++half) {
        const __m256i magnitudes = split.magnitudes[g][half];
        if constexpr (traits(kFormat).bits == 8) {
          const __m256i signed_x = _mm256_xor_si256(x, split.signs[g][half]);
          add_int32(dot[r][half], add_neighbours(_mm256_maddubs_epi16(magnitudes, signed_x)));
        } else {
          add_int16(dot[r][half], _mm256_maddubs_epi16(magnitudes, x));
        }
      }
    }
  }
}

// As add_part(), with the weights at hand.
template <WeightFormat kFormat, std::uint32_t kPart, std::uint32_t kRows>
TACIT_INLINE void add_split_part(const SplitBlock& split, const std::uint8_t* tile_block, const QuantizedRows& rows,
                                 std::size_t first, std::size_t stride, __m256 (*acc)[2]) {
  constexpr bool kSigned = traits(kFormat).bits == 8;
  constexpr std::uint32_t kPartGroups = kGroups / traits(kFormat).part_count;
  constexpr std::uint32_t kBegin = kPart * kPartGroups;
  __m256i dot[kRows][2];
  for (auto& d : dot) {
    for (std::uint32_t half = 0; half < 2; ++half) {
      d[half] = kSigned ? split.negatives[kPart][half] : _mm256_setzero_si256();
    }
  }
  if constexpr (kSigned) {
    add_split_groups<kFormat, kBegin, kBegin + kPartGroups, kRows>(split, rows, first, stride, dot);
  } else {
    // int16 has room for four groups (kSumsInt16).
    add_split_groups<kFormat, kBegin, kBegin + 4, kRows>(split, rows, first, stride, dot);
    for (auto& d : dot) d[0] = add_neighbours(d[0]), d[1] = add_neighbours(d[1]);
    if constexpr (kPartGroups == 8) {
      __m256i more[kRows][2];
      for (auto& d : more) d[0] = d[1] = _mm256_setzero_si256();
      add_split_groups<kFormat, 4, 8, kRows>(split, rows, first, stride, more);
      for (std::uint32_t r = 0; r < kRows; ++r) {
        for (std::uint32_t half = 0; half < 2; ++half) {
          dot[r][half] = _mm256_add_epi32(dot[r][half], add_neighbours(more[r][half]));
        }
      }
    }
  }
  accumulate_part<kFormat, kPart, kRows>(tile_block, rows, first, stride, dot, acc);
}

template <WeightFormat kFormat>
struct ManyRows {
  static constexpr bool kApart = traits(kFormat).bits == 5 || traits(kFormat).bits == 8;
  static constexpr std::uint32_t kMin = 16;  // with fewer the work on the weights does not pay
  static constexpr std::uint32_t kMax = 32;
  static void matmul(const std::uint8_t* tile_data, std::uint32_t block_count, const QuantizedRows& rows,
                     std::size_t first_row, std::uint32_t row_count, float* out, std::size_t out_stride);
};

// By groups of kRowsMax rows.
template <WeightFormat kFormat>
void ManyRows<kFormat>::matmul(const std::uint8_t* tile_data, std::uint32_t block_count, const QuantizedRows& rows,
                               std::size_t first_row, std::uint32_t row_count, float* out, std::size_t out_stride) {
  __m256 acc[kMax][2];
  for (std::uint32_t r = 0; r < row_count; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
  for (std::uint32_t b = 0; b < block_count; ++b) {
    const std::uint8_t* tile_block = tile_data + b * tile_block_bytes(kFormat);
    prefetch_ahead<tile_block_bytes(kFormat)>(tile_block);
    SplitBlock split;
    if constexpr (traits(kFormat).bits == 8) {
      split_signed_block<kFormat>(tile_block, split);
    } else {
      split_nibble_block<kFormat>(tile_block, split);
    }
    std::size_t first = first_row * block_count + b;
    for (std::uint32_t r = 0; r < row_count; r += kRowsMax, first += std::size_t{kRowsMax} * block_count) {
      add_split_part<kFormat, 0, kRowsMax>(split, tile_block, rows, first, block_count, acc + r);
      if constexpr (traits(kFormat).part_count == 2) {
        add_split_part<kFormat, 1, kRowsMax>(split, tile_block, rows, first, block_count, acc + r);
      }
    }
  }
  for (std::uint32_t r = 0; r < row_count; ++r) {
    _mm256_storeu_ps(out + r * out_stride, acc[r][0]);
    _mm256_storeu_ps(out + r * out_stride + kHalf, acc[r][1]);
  }
}

}  // namespace
}  // namespace tacit::kernels

#include "engine/cpu/kernels/matmul_rows.inl"
#include "engine/cpu/kernels/table.inl"

namespace tacit::kernels {

constinit const Kernels kAvx2Kernels = table_of_this_set("avx2");

}  // namespace tacit::kernels
