// SPDX-License-Identifier: MIT
// The kernels that are written once for every vector instruction set, sixteen floats at a time: the sixteen virtual
// lanes of the numeric contract are one vector. Included by x86/avx2.cpp and x86/avx512.cpp, which are compiled for
// their sets and add the integer dot products. Must not include anything that instantiates shared inline functions:
// a copy compiled for a newer processor could be the one that the linker keeps.
//
// The including file has defined, in the same anonymous namespace:
//   add_value_dots(high, low, values, tile_count, scale, out): out[d] += float(dot of 32 slots) * scale for d < 16 *
//   tile_count, where the weight of a slot is 128 * high + low, both 0 to 127.

#include "kernels/kernels.h"
#include "numeric/exp.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

namespace tacit::kernels {
namespace {

using f32x16 = float __attribute__((vector_size(64)));
using i32x16 = std::int32_t __attribute__((vector_size(64)));
using u32x16 = std::uint32_t __attribute__((vector_size(64)));
using u64x16 = std::uint64_t __attribute__((vector_size(128)));
using i16x16 = std::int16_t __attribute__((vector_size(32)));
using i8x16 = std::int8_t __attribute__((vector_size(16)));

#define TACIT_INLINE static inline __attribute__((always_inline))

template <class V>
TACIT_INLINE V load_as(const void* source) {
  V value;
  __builtin_memcpy(&value, source, sizeof(V));
  return value;
}
template <class V>
TACIT_INLINE void store_as(void* target, V value) {
  __builtin_memcpy(target, &value, sizeof(V));
}
TACIT_INLINE f32x16 load(const float* source) { return load_as<f32x16>(source); }
TACIT_INLINE f32x16 splat(float value) { return value - f32x16{}; }  // x - 0 is x, -0 included
TACIT_INLINE i32x16 bits_of(f32x16 x) { return reinterpret_cast<i32x16>(x); }
TACIT_INLINE f32x16 floats_of(i32x16 x) { return reinterpret_cast<f32x16>(x); }

// The elements of a 16-element vector of any type folded 16-8-4-2-1 by `combine`.
#define TACIT_FOLD(v, combine)                                                              \
  v = combine(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)); \
  v = combine(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));             \
  v = combine(v, __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3));             \
  v = combine(v, __builtin_shufflevector(v, v, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1))
#define TACIT_PLUS(a, b) ((a) + (b))
#define TACIT_MAX(a, b) ((a) > (b) ? (a) : (b))

TACIT_INLINE float fold_sum(f32x16 v) {
  TACIT_FOLD(v, TACIT_PLUS);
  return v[0];
}
TACIT_INLINE float fold_max(f32x16 v) {
  TACIT_FOLD(v, TACIT_MAX);
  return v[0];
}
TACIT_INLINE std::int32_t fold_max(i32x16 v) {
  TACIT_FOLD(v, TACIT_MAX);
  return v[0];
}

// numeric::exp, lane by lane.
TACIT_INLINE f32x16 exp16(f32x16 x) {
  const i32x16 in_range = x >= numeric::kExpMin;  // false for NaN
  const f32x16 outside = x == x ? f32x16{} : x;
  x = x > numeric::kExpMax ? splat(numeric::kExpMax) : x;
  const f32x16 shifted = x * numeric::kLog2E + numeric::kRoundMagic;
  const f32x16 n = shifted - numeric::kRoundMagic;
  const f32x16 r = (x - n * numeric::kLn2High) - n * numeric::kLn2Low;
  const f32x16 q = (((numeric::kExpC4 * r + numeric::kExpC3) * r + numeric::kExpC2) * r + numeric::kExpC1) * r +
                   numeric::kExpC0;
  const f32x16 mantissa = (q * (r * r) + r) + 1.0f;
  const i32x16 exponent = bits_of(shifted) - numeric::kRoundMagicBits;
  return in_range ? mantissa * floats_of((exponent + 127) << 23) : outside;
}

TACIT_INLINE i32x16 magnitudes(f32x16 x) { return bits_of(x) & 0x7fffffff; }

TACIT_INLINE i32x16 round_half_even(f32x16 x) { return bits_of(x + numeric::kRoundMagic) - numeric::kRoundMagicBits; }

// What the quantisation rule makes of the largest magnitude of a block.
struct BlockScale {
  float scale;
  float inverse;  // 0: the block becomes zero
};
TACIT_INLINE BlockScale block_scale(std::int32_t largest_bits, float value_max) {
  const float magnitude = std::bit_cast<float>(largest_bits);
  if (largest_bits >= 0x7f800000) return {std::bit_cast<float>(0x7fc00000), 0.0f};
  if (magnitude < kQuantizeMin) return {0.0f, 0.0f};
  return {magnitude / value_max, value_max / magnitude};
}

// Blocks of a row; a short last one is copied and filled up with zeros. Calls body(pointer to kBlock floats, block).
template <class Body>
TACIT_INLINE void for_each_block(const float* x, std::uint32_t count, Body body) {
  std::uint32_t b = 0;
  for (; (b + 1) * kBlock <= count; ++b) body(x + b * kBlock, b);
  if (b * kBlock == count) return;
  float last[kBlock] = {};
  for (std::uint32_t i = b * kBlock; i < count; ++i) last[i - b * kBlock] = x[i];
  body(last, b);
}

// The vectors a block was quantised to; both zero where the scale says so.
struct QuantizedBlock {
  i32x16 low;
  i32x16 high;
  float scale;
};
TACIT_INLINE QuantizedBlock quantize_vectors(f32x16 low, f32x16 high, float value_max) {
  const i32x16 low_bits = magnitudes(low);
  const i32x16 high_bits = magnitudes(high);
  const BlockScale s = block_scale(fold_max(TACIT_MAX(low_bits, high_bits)), value_max);
  if (s.inverse == 0.0f) return {i32x16{}, i32x16{}, s.scale};
  return {round_half_even(low * s.inverse), round_half_even(high * s.inverse), s.scale};
}

void quantize_narrow(const float* x, std::uint32_t count, std::int8_t* q, float* scales, std::int32_t* sums) {
  for_each_block(x, count, [=](const float* block, std::uint32_t b) {
    const QuantizedBlock result = quantize_vectors(load(block), load(block + 16), kNarrowMax);
    store_as(q + b * kBlock, __builtin_convertvector(result.low, i8x16));
    store_as(q + b * kBlock + 16, __builtin_convertvector(result.high, i8x16));
    scales[b] = result.scale;
    i32x16 total = result.low + result.high;
    TACIT_FOLD(total, TACIT_PLUS);
    sums[b] = total[0];
  });
}

void quantize_wide(const float* x, std::uint32_t count, std::int16_t* q, float* scales) {
  for_each_block(x, count, [=](const float* block, std::uint32_t b) {
    const QuantizedBlock result = quantize_vectors(load(block), load(block + 16), kWideMax);
    store_as(q + b * kBlock, __builtin_convertvector(result.low, i16x16));
    store_as(q + b * kBlock + 16, __builtin_convertvector(result.high, i16x16));
    scales[b] = result.scale;
  });
}

float quantize_values(const float* x, std::uint32_t count, std::int8_t* q) {
  float padded[kValueGroup] = {};
  for (std::uint32_t i = 0; i < count; ++i) padded[i] = x[i];
  i32x16 largest{};
  for (std::uint32_t i = 0; i < kValueGroup; i += 16) largest = TACIT_MAX(largest, magnitudes(load(padded + i)));
  const BlockScale s = block_scale(fold_max(largest), kNarrowMax);
  std::int8_t result[kValueGroup] = {};
  for (std::uint32_t i = 0; i < kValueGroup && s.inverse != 0.0f; i += 16) {
    store_as(result + i, __builtin_convertvector(round_half_even(load(padded + i) * s.inverse), i8x16));
  }
  for (std::uint32_t i = 0; i < count; ++i) q[i] = result[i];
  return s.scale;
}

void rms_norm(const float* x, const float* weight, std::uint32_t count, float epsilon, float* out) {
  f32x16 squares{};
  for (std::uint32_t i = 0; i < count; i += 16) squares = squares + load(x + i) * load(x + i);
  const float mean = fold_sum(squares) / static_cast<float>(count);
  const float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
  for (std::uint32_t i = 0; i < count; i += 16) store_as(out + i, (load(x + i) * scale) * load(weight + i));
}

void swiglu(const float* gate, const float* up, std::uint32_t count, float* out) {
  for (std::uint32_t i = 0; i < count; i += 16) {
    const f32x16 g = load(gate + i);
    store_as(out + i, (g / (1.0f + exp16(-g))) * load(up + i));
  }
}

void add(const float* x, std::uint32_t count, float* accumulator) {
  for (std::uint32_t i = 0; i < count; i += 16) store_as(accumulator + i, load(accumulator + i) + load(x + i));
}

void rotate_pairs(float* x, std::uint32_t head_count, std::uint32_t head_dim, std::uint32_t pair_count,
                  const float* cosine, const float* sine) {
  for (std::uint32_t head = 0; head < head_count; ++head) {
    float* pairs = x + static_cast<std::size_t>(head) * head_dim;
    std::uint32_t i = 0;
    for (; i + 8 <= pair_count; i += 8) {
      const f32x16 v = load(pairs + 2 * i);
      const f32x16 swapped = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
      f32x16 c;
      f32x16 s;
      for (int j = 0; j < 8; ++j) {
        c[2 * j] = c[2 * j + 1] = cosine[i + j];
        s[2 * j] = -sine[i + j];
        s[2 * j + 1] = sine[i + j];
      }
      store_as(pairs + 2 * i, v * c + swapped * s);
    }
    for (; i < pair_count; ++i) {
      const float a = pairs[2 * i];
      const float b = pairs[2 * i + 1];
      pairs[2 * i] = a * cosine[i] - b * sine[i];
      pairs[2 * i + 1] = a * sine[i] + b * cosine[i];
    }
  }
}

constexpr i32x16 kIota = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// True in the lanes whose slot, first + lane, is in the span.
TACIT_INLINE i32x16 inside(SlotSpan span, std::uint32_t first) {
  const i32x16 slots = kIota + static_cast<std::int32_t>(first);
  return (slots >= static_cast<std::int32_t>(span.begin)) & (slots < static_cast<std::int32_t>(span.end));
}

TACIT_INLINE void add_values(const AttentionHead& head, std::uint32_t block, f32x16 low, f32x16 high, float* out) {
  const std::uint32_t tile_count = round_up(head.value_dim, kTile) / kTile;
  const std::int8_t* values = head.values + static_cast<std::size_t>(block) * tile_count * kTile * kBlock;
  constexpr std::uint32_t kGroupTiles = kValueGroup / kTile;
  for (std::uint32_t first = 0; first < tile_count; first += kGroupTiles) {
    const float* scales = head.value_scales + (first / kGroupTiles) * head.value_scale_stride + block * kBlock;
    const QuantizedBlock weights = quantize_vectors(low == 0.0f ? f32x16{} : low * load(scales),
                                                    high == 0.0f ? f32x16{} : high * load(scales + 16), kAttentionMax);
    if (weights.scale == 0.0f) continue;  // adds float(0) * 0 to every output, which is never -0
    std::int8_t high_bits[kBlock];
    std::int8_t low_bits[kBlock];
    store_as(high_bits, __builtin_convertvector(weights.low >> 7, i8x16));
    store_as(high_bits + 16, __builtin_convertvector(weights.high >> 7, i8x16));
    store_as(low_bits, __builtin_convertvector(weights.low & 127, i8x16));
    store_as(low_bits + 16, __builtin_convertvector(weights.high & 127, i8x16));
    const std::uint32_t tiles = tile_count - first < kGroupTiles ? tile_count - first : kGroupTiles;
    add_value_dots(high_bits, low_bits, values + first * kTile * kBlock, tiles, weights.scale, out + first * kTile);
  }
}

TACIT_INLINE f32x16 load_scores(const AttentionHead& head, std::uint32_t slot) {
  return load(head.scores + slot) + load(head.residual_scores + slot);
}

void attend(const AttentionHead& head, float* out) {
  const std::uint32_t some_slot = head.spans[0].begin;
  f32x16 largest = splat(head.scores[some_slot] + head.residual_scores[some_slot]);
  for (std::uint32_t i = 0; i < head.span_count; ++i) {
    for (std::uint32_t s = head.spans[i].begin / 16 * 16; s < head.spans[i].end; s += 16) {
      const f32x16 scores = load_scores(head, s);
      largest = (inside(head.spans[i], s) & (scores > largest)) ? scores : largest;
    }
  }
  const float maximum = fold_max(largest) * head.scale;
  f32x16 lanes{};
  float sums[kHeadDimMax];
  const std::uint32_t padded_dim = round_up(head.value_dim, kTile);
  for (std::uint32_t d = 0; d < padded_dim; d += 16) store_as(sums + d, f32x16{});
  for (std::uint32_t i = 0; i < head.span_count; ++i) {
    const SlotSpan span = head.spans[i];
    for (std::uint32_t block = span.begin / kBlock; block * kBlock < span.end; ++block) {
      const f32x16 low = exp16(load_scores(head, block * kBlock) * head.scale - maximum);
      const f32x16 high = exp16(load_scores(head, block * kBlock + 16) * head.scale - maximum);
      const f32x16 low_weights = inside(span, block * kBlock) ? low : f32x16{};
      const f32x16 high_weights = inside(span, block * kBlock + 16) ? high : f32x16{};
      lanes = lanes + low_weights;
      lanes = lanes + high_weights;
      add_values(head, block, low_weights, high_weights, sums);
    }
  }
  const float total = fold_sum(lanes);
  for (std::uint32_t d = 0; d < padded_dim; d += 16) store_as(sums + d, load(sums + d) / total);
  for (std::uint32_t d = 0; d < head.value_dim; ++d) out[d] = sums[d];
}

// The last, short vector of a list of logits is filled up with the first logit, which changes no maximum.
TACIT_INLINE f32x16 load_logits(const float* logits, std::uint32_t first, std::uint32_t count) {
  if (first + 16 <= count) return load(logits + first);
  f32x16 v = splat(logits[0]);
  for (std::uint32_t i = first; i < count; ++i) v[i - first] = logits[i];
  return v;
}

TACIT_INLINE std::uint64_t fold_sum(u64x16 v) {
  std::uint64_t parts[16];
  store_as(parts, v);
  std::uint64_t total = 0;
  for (const std::uint64_t part : parts) total += part;
  return total;
}

std::uint64_t frequencies(const float* logits, std::uint32_t count, std::uint32_t* frequencies) {
  f32x16 largest = splat(logits[0]);
  i32x16 not_finite{};
  for (std::uint32_t i = 0; i < count; i += 16) {
    const f32x16 v = load_logits(logits, i, count);
    not_finite = not_finite | (magnitudes(v) >= 0x7f800000);
    largest = TACIT_MAX(v, largest);
  }
  if (fold_max(not_finite & 1) != 0) return 0;
  const float maximum = fold_max(largest);
  u64x16 total{};
  for (std::uint32_t i = 0; i < count; i += 16) {
    const f32x16 scaled = exp16(load_logits(logits, i, count) - maximum) * static_cast<float>(kFrequencyOne);
    i32x16 frequency = __builtin_convertvector(scaled, i32x16);
    frequency = frequency > 0 ? frequency : i32x16{} + 1;
    if (i + 16 <= count) {
      store_as(frequencies + i, frequency);
    } else {
      frequency = kIota + static_cast<std::int32_t>(i) < static_cast<std::int32_t>(count) ? frequency : i32x16{};
      for (std::uint32_t j = i; j < count; ++j) frequencies[j] = static_cast<std::uint32_t>(frequency[j - i]);
    }
    total = total + __builtin_convertvector(reinterpret_cast<u32x16>(frequency), u64x16);
  }
  return fold_sum(total);
}

std::uint64_t sum(const std::uint32_t* frequencies, std::uint32_t count) {
  u64x16 total{};
  std::uint32_t i = 0;
  for (; i + 16 <= count; i += 16) {
    total = total + __builtin_convertvector(load_as<u32x16>(frequencies + i), u64x16);
  }
  std::uint64_t rest = 0;
  for (; i < count; ++i) rest += frequencies[i];
  return fold_sum(total) + rest;
}

}  // namespace
}  // namespace tacit::kernels

#pragma GCC diagnostic pop
