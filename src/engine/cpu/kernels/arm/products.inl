// SPDX-License-Identifier: MIT
// The integer dot products of the aarch64 kernel sets, written once. A register of weights holds four outputs by four
// inputs (int16: by two), a step; 32 bits of a register of activations are multiplied with it. Steps go two by two,
// because two products are what int16 holds.
//
// The including file has included vectors.inl and defined, in the same anonymous namespace:
//   Int8Sums<bits>: sums of products of int8 for four outputs, where weights have so many bits; {} is zero;
//   add_products<lane>(sums, first, second, x): `first` times lane `lane` (of 32 bits) of x and `second` times the next
//   lane, added to the sums;
//   total(sums): four int32.

namespace tacit::kernels {
namespace {

constexpr std::uint32_t kRowsMax = 4;  // rows that share the weights in registers
template <WeightFormat>
struct ManyRows {
  static constexpr bool kApart = false;  // weights are multiplied as they are, for any number of rows
};
constexpr std::uint32_t kQuads = kTile / 4;
constexpr std::uint32_t kQuadsAtOnce = 2;  // with the sums and activations of kRowsMax rows these fill the registers
constexpr std::uint32_t kStepBytes = 64;   // from a step of four outputs to the next

template <WeightFormat kFormat>
constexpr bool kIsInt16 = kFormat == WeightFormat::kInt16;

template <WeightFormat kFormat>
using Register = std::conditional_t<kIsInt16<kFormat>, int16x8_t, int8x16_t>;

template <WeightFormat kFormat>
using Sums = std::conditional_t<kIsInt16<kFormat>, PairSums, Int8Sums<traits(kFormat).bits>>;

// Two activations, four times.
template <int kLane>
TACIT_INLINE int16x8_t repeat_int16(int16x8_t x) {
  return vreinterpretq_s16_s32(vdupq_laneq_s32(vreinterpretq_s32_s16(x), kLane));
}
template <int kLane>
TACIT_INLINE PairSums add_int16(PairSums sums, int16x8_t weights, int16x8_t x) {
  const int16x8_t repeated = repeat_int16<kLane>(x);
  return {vmlal_s16(sums.low, vget_low_s16(weights), vget_low_s16(repeated)),
          vmlal_high_s16(sums.high, weights, repeated)};
}
template <int kLane>
TACIT_INLINE PairSums add_products(PairSums sums, int16x8_t first, int16x8_t second, int16x8_t x) {
  return add_int16<kLane + 1>(add_int16<kLane>(sums, first, x), second, x);
}

// The unsigned numbers of step kStep in nibbles, and where there is one the fifth bit.
template <WeightFormat kFormat, std::uint32_t kStep>
TACIT_INLINE uint8x16_t numbers(const std::uint8_t* values) {
  constexpr std::uint32_t kLowSteps = kBlock / 4 / 2;  // whose numbers are in low nibbles
  uint8x16_t number = load_as<uint8x16_t>(values + kStep % kLowSteps * kStepBytes);
  if constexpr (kStep >= kLowSteps) number = vshrq_n_u8(number, 4);
  if constexpr (traits(kFormat).bits == 4) return vandq_u8(number, vdupq_n_u8(15));
  uint8x16_t fifth = load_as<uint8x16_t>(values + kLowSteps * kStepBytes);
  if constexpr (kStep > 0) fifth = vshrq_n_u8(fifth, kStep);
  return vandq_u8(vsliq_n_u8(number, fifth, 4), vdupq_n_u8(31));
}

// The weights of step kStep, signed where they have eight bits or sixteen. `values` is where the four outputs begin.
template <WeightFormat kFormat, std::uint32_t kStep>
TACIT_INLINE Register<kFormat> load_weights(const std::uint8_t* values) {
  if constexpr (kIsInt16<kFormat>) {
    return load_as<int16x8_t>(values + kStep * kStepBytes);
  } else if constexpr (traits(kFormat).bits == 8) {
    const auto number = load_as<uint8x16_t>(values + kStep * kStepBytes);
    return vreinterpretq_s8_u8(veorq_u8(number, vdupq_n_u8(128)));  // number - 128
  } else {
    return vreinterpretq_s8_u8(numbers<kFormat, kStep>(values));
  }
}

// The activations of a block of a row.
template <WeightFormat kFormat>
TACIT_INLINE const Register<kFormat>* activations(const QuantizedRows& rows, std::size_t block) {
  if constexpr (kIsInt16<kFormat>) {
    return reinterpret_cast<const int16x8_t*>(rows.int16 + block * kBlock);
  } else {
    return reinterpret_cast<const int8x16_t*>(rows.int8 + block * kBlock);
  }
}

// Adds the products of steps 2 * kPair and 2 * kPair + 1 to the sums of kRows rows by kQuadsAtOnce times four outputs.
template <WeightFormat kFormat, std::uint32_t kPair, std::uint32_t kRows>
TACIT_INLINE void add_pair(const std::uint8_t* values, const QuantizedRows& rows, std::size_t block,
                           std::size_t stride, Sums<kFormat> (*sums)[kQuadsAtOnce]) {
#pragma GCC unroll 2
  for (std::uint32_t quad = 0; quad < kQuadsAtOnce; ++quad) {
    const Register<kFormat> first = load_weights<kFormat, 2 * kPair>(values + quad * 16);
    const Register<kFormat> second = load_weights<kFormat, 2 * kPair + 1>(values + quad * 16);
#pragma GCC unroll 4
    for (std::uint32_t r = 0; r < kRows; ++r) {
      const auto x = load_as<Register<kFormat>>(activations<kFormat>(rows, block + r * stride) + kPair / 2);
      sums[r][quad] = add_products<2 * kPair % 4>(sums[r][quad], first, second, x);
    }
  }
}

template <WeightFormat kFormat, std::uint32_t kFirstPair, std::uint32_t kRows, std::uint32_t... kIndex>
TACIT_INLINE void add_pairs_from(const std::uint8_t* values, const QuantizedRows& rows, std::size_t block,
                                 std::size_t stride, Sums<kFormat> (*sums)[kQuadsAtOnce],
                                 std::integer_sequence<std::uint32_t, kIndex...>) {
  (add_pair<kFormat, kFirstPair + kIndex, kRows>(values, rows, block, stride, sums), ...);
}

TACIT_INLINE float32x4_t accumulate(float32x4_t acc, int32x4_t dot, const float* scale_w, float scale_x) {
  return vaddq_f32(acc, vmulq_f32(vcvtq_f32_s32(dot), vmulq_n_f32(vld1q_f32(scale_w), scale_x)));
}

// The sum of the activations of part kPart of a block. Half a block is one register.
template <WeightFormat kFormat, std::uint32_t kPart>
TACIT_INLINE std::int32_t part_sum(const QuantizedRows& rows, std::size_t block) {
  if constexpr (traits(kFormat).part_count == 1) return rows.sums[block];
  return vaddlvq_s8(load_as<int8x16_t>(rows.int8 + block * kBlock + kPart * kBlock / 2));
}

// Adds the products of part kPart of a tile block and of the blocks first, first + stride ... of kRows rows to acc.
// Nibbles are too large by the offset; the sum of the activations takes that off again.
template <WeightFormat kFormat, std::uint32_t kPart, std::uint32_t kRows>
TACIT_INLINE void add_part(const std::uint8_t* tile_block, const QuantizedRows& rows, std::size_t first,
                           std::size_t stride, float32x4_t (*acc)[kQuads]) {
  constexpr FormatTraits kTraits = traits(kFormat);
  constexpr std::uint32_t kPairs = (kIsInt16<kFormat> ? kBlock / 2 : kBlock / 4) / 2 / kTraits.part_count;
  constexpr std::integer_sequence kIndices = std::make_integer_sequence<std::uint32_t, kPairs>{};
  const auto* scales = reinterpret_cast<const float*>(tile_block + value_bytes(kFormat)) + kPart * kTile;
#pragma GCC unroll 2
  for (std::uint32_t begin = 0; begin < kQuads; begin += kQuadsAtOnce) {
    Sums<kFormat> sums[kRows][kQuadsAtOnce] = {};
    add_pairs_from<kFormat, kPart * kPairs, kRows>(tile_block + begin * 16, rows, first, stride, sums, kIndices);
#pragma GCC unroll 4
    for (std::uint32_t r = 0; r < kRows; ++r) {
      const std::size_t block = first + r * stride;
#pragma GCC unroll 2
      for (std::uint32_t quad = begin; quad < begin + kQuadsAtOnce; ++quad) {
        int32x4_t dot = total(sums[r][quad - begin]);
        if constexpr (kTraits.bits < 8 && kTraits.offset != 0) {
          dot = vsubq_s32(dot, vdupq_n_s32(kTraits.offset * part_sum<kFormat, kPart>(rows, block)));
        }
        acc[r][quad] = accumulate(acc[r][quad], dot, scales + quad * 4, rows.scales[block]);
        if constexpr (kTraits.has_minimum) {
          const int32x4_t sum = vdupq_n_s32(part_sum<kFormat, kPart>(rows, block));
          const float* minimums = scales + kTraits.part_count * kTile;
          acc[r][quad] = accumulate(acc[r][quad], sum, minimums + quad * 4, rows.scales[block]);
        }
      }
    }
  }
}

template <WeightFormat kFormat, std::uint32_t kRows, std::uint32_t kTiles>
void matmul_rows(const std::uint8_t* tile_data, std::size_t tile_bytes, std::uint32_t block_count,
                 const QuantizedRows& rows, std::size_t first_row, float* out, std::size_t out_stride) {
  for (std::uint32_t t = 0; t < kTiles; ++t) {
    float32x4_t acc[kRows][kQuads] = {};
    for (std::uint32_t b = 0; b < block_count; ++b) {
      const std::uint8_t* tile_block = tile_data + t * tile_bytes + b * tile_block_bytes(kFormat);
      add_part<kFormat, 0, kRows>(tile_block, rows, first_row * block_count + b, block_count, acc);
      if constexpr (traits(kFormat).part_count == 2) {
        add_part<kFormat, 1, kRows>(tile_block, rows, first_row * block_count + b, block_count, acc);
      }
    }
    for (std::uint32_t r = 0; r < kRows; ++r) {
      for (std::uint32_t quad = 0; quad < kQuads; ++quad) {
        vst1q_f32(out + r * out_stride + t * kTile + quad * 4, acc[r][quad]);
      }
    }
  }
}

// The dots of 32 slots and four dimensions, which begin at `values`; x is two registers.
template <std::uint32_t... kPair>
TACIT_INLINE int32x4_t value_dots(const std::int8_t* values, const int8x16_t* x,
                                  std::integer_sequence<std::uint32_t, kPair...>) {
  Int8Sums<8> sums{};
  ((sums = add_products<2 * kPair % 4>(sums, load_as<int8x16_t>(values + 2 * kPair * kStepBytes),
                                       load_as<int8x16_t>(values + (2 * kPair + 1) * kStepBytes), x[kPair / 2])),
   ...);
  return total(sums);
}

// The weights are split into halves of seven bits, which fit int8.
TACIT_INLINE void add_value_dots_of_query(const std::int16_t* weights, const std::int8_t* values,
                                          std::uint32_t tile_count, float scale, float* out) {
  constexpr std::integer_sequence kPairs = std::make_integer_sequence<std::uint32_t, kBlock / 8>{};
  int8x16_t high[2], low[2];
  for (std::uint32_t i = 0; i < 2; ++i) {
    const int16x8_t a = vld1q_s16(weights + 16 * i);
    const int16x8_t b = vld1q_s16(weights + 16 * i + 8);
    high[i] = vcombine_s8(vshrn_n_s16(a, 7), vshrn_n_s16(b, 7));
    low[i] = vandq_s8(vuzp1q_s8(vreinterpretq_s8_s16(a), vreinterpretq_s8_s16(b)), vdupq_n_s8(127));
  }
  for (std::uint32_t tile = 0; tile < tile_count; ++tile) {
    for (std::uint32_t quad = 0; quad < kQuads; ++quad) {
      const std::int8_t* data = values + tile * kTile * kBlock + quad * 16;
      const int32x4_t dot = vaddq_s32(vshlq_n_s32(value_dots(data, high, kPairs), 7), value_dots(data, low, kPairs));
      float* sums = out + tile * kTile + quad * 4;
      vst1q_f32(sums, vaddq_f32(vld1q_f32(sums), vmulq_n_f32(vcvtq_f32_s32(dot), scale)));
    }
  }
}

template <std::uint32_t kQueries>
void add_value_dots(const std::int16_t (*weights)[kBlock], const std::int8_t* values, std::uint32_t tile_count,
                    const float* scales, float* out, std::size_t out_stride) {
  for (std::uint32_t q = 0; q < kQueries; ++q) {
    add_value_dots_of_query(weights[q], values, tile_count, scales[q], out + q * out_stride);
  }
}

}  // namespace
}  // namespace tacit::kernels

#include "engine/cpu/kernels/matmul_rows.inl"
