// SPDX-License-Identifier: MIT
// The kernels that are written once for every vector instruction set. Included by the sets of x86/ and arm/, which are
// compiled for their processors and add what vector extensions do not say well. A vector is as wide as a register,
// since GCC splits wider ones into scalars; where the numeric contract has sixteen virtual lanes, as many vectors
// as it takes stand for them. Must not include anything that instantiates shared inline functions: a copy compiled for
// a newer processor could be the one that the linker keeps.
//
// The including file has declared, in the same anonymous namespace:
//   Ints: a vector of int32, of 16, 32 or 64 bytes;
//   lanes_set(comparison): a bit for each lane where a comparison held;
//   store_int8(q, block), store_int16(q, block): the kBlock values of `block`, which all fit, as int8 or as int16;
//   add_value_dots<queries>(weights, values, tile_count, scales, out, out_stride), for each of the queries: out[d] +=
//   float(dot of 32 slots) * scale for d < 16 * tile_count, where the weights of the slots are 0 to kAttentionMax.

#include <iterator>
#include <utility>

#include "engine/cpu/kernels/kernels.h"
#include "numeric/exp.h"

#define TACIT_INLINE inline __attribute__((always_inline))

namespace tacit::kernels {
namespace {

using Floats = float __attribute__((vector_size(sizeof(Ints))));
using HalfFloats = float __attribute__((vector_size(sizeof(Ints) / 2)));
using Uint64s = std::uint64_t __attribute__((vector_size(sizeof(Ints))));

constexpr std::uint32_t kLanes = sizeof(Floats) / sizeof(float);
constexpr std::uint32_t kVirtual = 16 / kLanes;           // vectors that hold the sixteen virtual lanes
constexpr std::uint32_t kBlockVectors = kBlock / kLanes;  // vectors that hold a block

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
TACIT_INLINE Floats load(const float* source) { return load_as<Floats>(source); }
TACIT_INLINE Floats splat(float value) { return value - Floats{}; }  // x - 0 is x, -0 included
TACIT_INLINE Ints bits_of(Floats x) { return reinterpret_cast<Ints>(x); }
TACIT_INLINE Floats floats_of(Ints x) { return reinterpret_cast<Floats>(x); }

// Shuffles, written for any number of lanes: the last argument lists their numbers.
template <std::uint32_t kCount>
constexpr std::make_integer_sequence<int, kCount> kLaneNumbers{};

template <int kDistance, class V, int... kLane>
TACIT_INLINE V exchange(V v, std::integer_sequence<int, kLane...>) {  // lane i gets lane i ^ kDistance
  return __builtin_shufflevector(v, v, (kLane ^ kDistance)...);
}
template <int... kLane>
TACIT_INLINE Floats twice(HalfFloats v, std::integer_sequence<int, kLane...>) {  // lane i gets lane i / 2
  return __builtin_shufflevector(v, v, (kLane / 2)...);
}
template <int... kLane>
constexpr Ints numbers(std::integer_sequence<int, kLane...>) {
  return Ints{kLane...};
}
constexpr Ints kIota = numbers(kLaneNumbers<kLanes>);

constexpr auto plus = [](auto a, auto b) { return a + b; };
constexpr auto larger = [](auto a, auto b) { return a > b ? a : b; };
constexpr auto smaller = [](auto a, auto b) { return a < b ? a : b; };

// The lanes of a vector of any type folded to one, halving the distance: ...-8-4-2-1.
template <class V, class Combine, int kDistance = sizeof(V) / sizeof(V{}[0]) / 2>
TACIT_INLINE auto fold(V v, Combine combine) {
  v = combine(v, exchange<kDistance>(v, kLaneNumbers<sizeof(V) / sizeof(V{}[0])>));
  if constexpr (kDistance > 1) {
    return fold<V, Combine, kDistance / 2>(v, combine);
  } else {
    return v[0];
  }
}

// The sum of the sixteen virtual lanes.
TACIT_INLINE float fold_virtual(Floats* lanes) {
  for (std::uint32_t width = kVirtual / 2; width > 0; width /= 2) {
    for (std::uint32_t i = 0; i < width; ++i) lanes[i] = lanes[i] + lanes[i + width];
  }
  return fold(lanes[0], plus);
}

// numeric::exp of kCount vectors between kExpMin and kExpMax, times 2^doublings, lane by lane. NaN gives NaN. Each step
// is taken for all vectors before the next one: one exponential is a chain of some twenty instructions, each of which
// waits for the one before it, and a processor does not look far enough ahead to begin many of them.
template <std::uint32_t kCount>
TACIT_INLINE void exp_in_range(Floats* x, std::int32_t doublings) {
  Floats shifted[kCount];
  Floats r[kCount];
  Floats q[kCount];
  for (std::uint32_t v = 0; v < kCount; ++v) shifted[v] = x[v] * numeric::kLog2E + numeric::kRoundMagic;
  for (std::uint32_t v = 0; v < kCount; ++v) {
    const Floats n = shifted[v] - numeric::kRoundMagic;
    r[v] = (x[v] - n * numeric::kLn2High) - n * numeric::kLn2Low;
  }
  for (std::uint32_t v = 0; v < kCount; ++v) q[v] = numeric::kExpC4 * r[v] + numeric::kExpC3;
  for (std::uint32_t v = 0; v < kCount; ++v) q[v] = q[v] * r[v] + numeric::kExpC2;
  for (std::uint32_t v = 0; v < kCount; ++v) q[v] = q[v] * r[v] + numeric::kExpC1;
  for (std::uint32_t v = 0; v < kCount; ++v) q[v] = q[v] * r[v] + numeric::kExpC0;
  for (std::uint32_t v = 0; v < kCount; ++v) q[v] = (q[v] * (r[v] * r[v]) + r[v]) + 1.0f;
  for (std::uint32_t v = 0; v < kCount; ++v) {
    const Ints exponent = bits_of(shifted[v]) - (numeric::kRoundMagicBits - 127 - doublings);
    x[v] = q[v] * floats_of(exponent << 23);
  }
}
// numeric::exp of kCount vectors.
template <std::uint32_t kCount>
TACIT_INLINE void exp_vectors(Floats* x) {
  Floats exponentials[kCount];
  for (std::uint32_t v = 0; v < kCount; ++v) {
    exponentials[v] = x[v] > numeric::kExpMax ? splat(numeric::kExpMax) : x[v];
  }
  exp_in_range<kCount>(exponentials, 0);
  for (std::uint32_t v = 0; v < kCount; ++v) {
    const Floats outside = x[v] == x[v] ? Floats{} : x[v];
    x[v] = x[v] >= numeric::kExpMin ? exponentials[v] : outside;  // the comparison is false for NaN
  }
}
// The same where no lane is above kExpMax, for any number of vectors: so many at once as registers hold.
template <std::uint32_t kCount>
TACIT_INLINE void exp_below_max(Floats* x) {
  constexpr std::uint32_t kAtOnce = kCount < 8 ? kCount : 8;
  Ints too_small[kAtOnce];
  for (std::uint32_t v = 0; v < kAtOnce; ++v) too_small[v] = x[v] < numeric::kExpMin;  // false for NaN
  exp_in_range<kAtOnce>(x, 0);
  for (std::uint32_t v = 0; v < kAtOnce; ++v) x[v] = floats_of(bits_of(x[v]) & ~too_small[v]);
  if constexpr (kCount > kAtOnce) exp_below_max<kCount - kAtOnce>(x + kAtOnce);
}
TACIT_INLINE Floats exp_lanes(Floats x) {
  exp_vectors<1>(&x);
  return x;
}

TACIT_INLINE Ints magnitudes(Floats x) { return bits_of(x) & 0x7fffffff; }

TACIT_INLINE Ints round_half_even(Floats x) { return bits_of(x + numeric::kRoundMagic) - numeric::kRoundMagicBits; }

// What the quantisation rule makes of the largest magnitude of a block.
struct BlockScale {
  float scale;
  float inverse;  // 0: the block becomes zero
};
TACIT_INLINE BlockScale block_scale(std::int32_t largest_bits, float value_max) {
  const float magnitude = __builtin_bit_cast(float, largest_bits);
  if (largest_bits >= 0x7f800000) return {__builtin_bit_cast(float, 0x7fc00000), 0.0f};
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

// Quantises a block in registers; all zero where the scale says so. Returns the scale.
TACIT_INLINE float quantize_vectors(const Floats* x, float value_max, Ints* q) {
  Ints largest{};
  for (std::uint32_t v = 0; v < kBlockVectors; ++v) largest = larger(largest, magnitudes(x[v]));
  const BlockScale s = block_scale(fold(largest, larger), value_max);
  for (std::uint32_t v = 0; v < kBlockVectors; ++v) {
    q[v] = s.inverse == 0.0f ? Ints{} : round_half_even(x[v] * s.inverse);
  }
  return s.scale;
}
TACIT_INLINE float quantize_block(const float* block, float value_max, Ints* q) {
  Floats x[kBlockVectors];
  for (std::uint32_t v = 0; v < kBlockVectors; ++v) x[v] = load(block + v * kLanes);
  return quantize_vectors(x, value_max, q);
}

void quantize_int8(const float* x, std::uint32_t count, std::int8_t* q, float* scales, std::int32_t* sums) {
  for_each_block(x, count, [=](const float* block, std::uint32_t b) {
    Ints values[kBlockVectors];
    scales[b] = quantize_block(block, kInt8MagnitudeMax, values);
    store_int8(q + b * kBlock, values);
    Ints total{};
    for (const Ints v : values) total = total + v;
    sums[b] = fold(total, plus);
  });
}

void quantize_int16(const float* x, std::uint32_t count, std::int16_t* q, float* scales) {
  for_each_block(x, count, [=](const float* block, std::uint32_t b) {
    Ints values[kBlockVectors];
    scales[b] = quantize_block(block, kInt16MagnitudeMax, values);
    store_int16(q + b * kBlock, values);
  });
}

float quantize_values(const float* x, std::uint32_t count, std::int8_t* q) {
  float padded[kValueGroup] = {};
  for (std::uint32_t i = 0; i < count; ++i) padded[i] = x[i];
  Ints largest{};
  for (std::uint32_t i = 0; i < kValueGroup; i += kLanes) largest = larger(largest, magnitudes(load(padded + i)));
  const BlockScale s = block_scale(fold(largest, larger), kInt8MagnitudeMax);
  std::int8_t result[kValueGroup] = {};
  for (std::uint32_t i = 0; i < kValueGroup && s.inverse != 0.0f; i += kBlock) {
    Ints values[kBlockVectors];
    for (std::uint32_t v = 0; v < kBlockVectors; ++v) {
      values[v] = round_half_even(load(padded + i + v * kLanes) * s.inverse);
    }
    store_int8(result + i, values);
  }
  for (std::uint32_t i = 0; i < count; ++i) q[i] = result[i];
  return s.scale;
}

void rms_norm(const float* x, const float* weight, std::uint32_t count, float epsilon, float* out) {
  Floats squares[kVirtual] = {};
  for (std::uint32_t i = 0; i < count; i += 16) {
    for (std::uint32_t v = 0; v < kVirtual; ++v) {
      const Floats part = load(x + i + v * kLanes);
      squares[v] = squares[v] + part * part;
    }
  }
  const float mean = fold_virtual(squares) / static_cast<float>(count);
  const float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
  for (std::uint32_t i = 0; i < count; i += kLanes) store_as(out + i, (load(x + i) * scale) * load(weight + i));
}

// x, with zero in the lanes whose number, first + lane, is no less than count.
TACIT_INLINE Floats below(Floats x, std::uint32_t first, std::uint32_t count) {
  const Ints number = kIota + static_cast<std::int32_t>(first);
  return number < static_cast<std::int32_t>(count) ? x : Floats{};
}

void layer_norm(const float* x, const float* weight, const float* bias, std::uint32_t count, float epsilon,
                float* out) {
  Floats lanes[kVirtual] = {};
  for (std::uint32_t i = 0; i < count; i += 16) {
    for (std::uint32_t v = 0; v < kVirtual; ++v) lanes[v] = lanes[v] + load(x + i + v * kLanes);
  }
  const float mean = fold_virtual(lanes) / static_cast<float>(count);
  for (Floats& lane : lanes) lane = Floats{};
  for (std::uint32_t i = 0; i < count; i += 16) {
    for (std::uint32_t v = 0; v < kVirtual; ++v) {
      const std::uint32_t first = i + v * kLanes;
      const Floats centred = below(load(x + first) - mean, first, count);
      lanes[v] = lanes[v] + centred * centred;
    }
  }
  const float variance = fold_virtual(lanes) / static_cast<float>(count);
  const float scale = 1.0f / __builtin_sqrtf(variance + epsilon);
  for (std::uint32_t i = 0; i < count; i += kLanes) {
    Floats y = below(((load(x + i) - mean) * scale) * load(weight + i), i, count);
    if (bias != nullptr) y = y + load(bias + i);
    store_as(out + i, y);
  }
}

// x * sigmoid(argument(x)) of a block's vectors, as numeric::silu and numeric::gelu have it.
template <class Argument>
TACIT_INLINE void gate_block(const float* x, Argument argument, Floats* out) {
  Floats e[kBlockVectors];
  for (std::uint32_t v = 0; v < kBlockVectors; ++v) e[v] = -argument(load(x + v * kLanes));
  exp_vectors<kBlockVectors>(e);
  for (std::uint32_t v = 0; v < kBlockVectors; ++v) out[v] = load(x + v * kLanes) / (1.0f + e[v]);
}
constexpr auto silu_argument = [](Floats x) { return x; };
constexpr auto gelu_argument = [](Floats x) {
  return x * (numeric::kGeluLinear + numeric::kGeluCubic * (x * x));
};

template <class Argument>
TACIT_INLINE void multiply_gated(const float* gate, const float* up, std::uint32_t count, Argument argument,
                                 float* out) {
  for (std::uint32_t i = 0; i < count; i += kBlock) {
    Floats gated[kBlockVectors];
    gate_block(gate + i, argument, gated);
    for (std::uint32_t v = 0; v < kBlockVectors; ++v) {
      store_as(out + i + v * kLanes, gated[v] * load(up + i + v * kLanes));
    }
  }
}
void swiglu(const float* gate, const float* up, std::uint32_t count, float* out) {
  multiply_gated(gate, up, count, silu_argument, out);
}
void geglu(const float* gate, const float* up, std::uint32_t count, float* out) {
  multiply_gated(gate, up, count, gelu_argument, out);
}

void gelu(float* x, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; i += kBlock) {
    Floats gated[kBlockVectors];
    gate_block(x + i, gelu_argument, gated);
    for (std::uint32_t v = 0; v < kBlockVectors; ++v) store_as(x + i + v * kLanes, gated[v]);
  }
}

void soft_cap(float* x, std::uint32_t count, float cap) {
  const float inverse = 1.0f / cap;
  for (std::uint32_t i = 0; i < count; i += kLanes) {
    const Floats scaled = load(x + i) * inverse;
    const Floats e = exp_lanes(-2.0f * floats_of(magnitudes(scaled)));  // numeric::tanh, lane by lane
    const Ints sign = bits_of(scaled) & static_cast<std::int32_t>(0x80000000u);
    store_as(x + i, cap * floats_of(bits_of((1.0f - e) / (1.0f + e)) | sign));
  }
}

void add(const float* x, std::uint32_t count, float* accumulator) {
  for (std::uint32_t i = 0; i < count; i += kLanes) store_as(accumulator + i, load(accumulator + i) + load(x + i));
}

// A pair turned by an angle, or many.
template <class T>
TACIT_INLINE void rotate(T& a, T& b, T cosine, T sine) {
  const T rotated = a * cosine - b * sine;
  b = a * sine + b * cosine;
  a = rotated;
}

void rotate_pairs(float* x, std::uint32_t head_count, std::uint32_t head_dim, std::uint32_t pair_count,
                  const float* cosine, const float* sine) {
  constexpr std::uint32_t kPairs = kLanes / 2;
  const Ints sign = (kIota + 1) << 31;  // of the even lanes, which subtract
  for (std::uint32_t head = 0; head < head_count; ++head) {
    float* pairs = x + static_cast<std::size_t>(head) * head_dim;
    std::uint32_t i = 0;
    for (; i + kPairs <= pair_count; i += kPairs) {
      const Floats v = load(pairs + 2 * i);
      const Floats c = twice(load_as<HalfFloats>(cosine + i), kLaneNumbers<kLanes>);
      const Floats s = twice(load_as<HalfFloats>(sine + i), kLaneNumbers<kLanes>);
      const Floats product = exchange<1>(v, kLaneNumbers<kLanes>) * s;
      store_as(pairs + 2 * i, v * c + floats_of(bits_of(product) ^ sign));
    }
    for (; i < pair_count; ++i) rotate(pairs[2 * i], pairs[2 * i + 1], cosine[i], sine[i]);
  }
}

void rotate_halves(float* x, std::uint32_t head_count, std::uint32_t head_dim, std::uint32_t pair_count,
                   const float* cosine, const float* sine) {
  for (std::uint32_t head = 0; head < head_count; ++head) {
    float* first = x + static_cast<std::size_t>(head) * head_dim;
    float* second = first + pair_count;
    std::uint32_t i = 0;
    for (; i + kLanes <= pair_count; i += kLanes) {
      Floats a = load(first + i);
      Floats b = load(second + i);
      rotate(a, b, load(cosine + i), load(sine + i));
      store_as(first + i, a);
      store_as(second + i, b);
    }
    for (; i < pair_count; ++i) rotate(first[i], second[i], cosine[i], sine[i]);
  }
}

}  // namespace
}  // namespace tacit::kernels

#include "engine/cpu/kernels/vector_attention.inl"
#include "engine/cpu/kernels/vector_distributions.inl"
