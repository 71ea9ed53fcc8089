// SPDX-License-Identifier: MIT
// The table of functions that the forward pass is made of, and those of distributions, one table per kernel set.
// reference.cpp defines what each function computes, to the bit (spec/numeric.md); the sets under x86/ and arm/ compute
// the same bits faster. A kernel takes pointers and numbers, allocates nothing and cannot fail; its caller validates.
// Knows arithmetic, not models.
//
// Rows. Every row of floats is padded with zeros to a multiple of kBlock elements; kernels may read and write the
// padding and leave zeros there, beside finite numbers. Blocks are kBlock elements of the summed dimension, tiles kTile
// outputs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sampling/distribution_kernels.h"

namespace tacit::kernels {

inline constexpr std::uint32_t kBlock = 32;
inline constexpr std::uint32_t kTile = 16;
inline constexpr std::uint32_t kInt8MagnitudeMax = 127;  // largest magnitude of an int8 activation
// Of an int16 activation and of an int16 weight: 32 products stay below 2^29.
inline constexpr std::uint32_t kInt16MagnitudeMax = 4095;
inline constexpr std::uint32_t kAttentionMax = 16383;  // of an attention weight: two halves of seven bits
inline constexpr float kQuantizeMin = 0x1p-100f;          // a block whose magnitudes are all below this becomes zero

inline constexpr std::uint32_t round_up(std::uint32_t value, std::uint32_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// How the weights of a matrix are held: weight = scale * (number - offset), plus the minimum where there is one. Scale
// and minimum belong to one output and a part of a block: all of it, or each half. The activations multiplied with
// kInt16 are int16, the others int8.
enum class WeightFormat : std::uint8_t {
  kInt4, kInt4Minimum, kInt4Halves, kInt4HalvesMinimum, kInt5, kInt5Minimum, kInt5Halves, kInt8, kInt8Halves,
  kInt16,  // int16 in [-kInt16MagnitudeMax, kInt16MagnitudeMax]
};
struct FormatTraits {
  WeightFormat format;
  std::uint32_t bits;
  std::int32_t offset;
  std::uint32_t part_count;
  bool has_minimum;
};
inline constexpr FormatTraits kWeightFormats[] = {
    {WeightFormat::kInt4, 4, 8, 1, false},        {WeightFormat::kInt4Minimum, 4, 0, 1, true},
    {WeightFormat::kInt4Halves, 4, 8, 2, false},  {WeightFormat::kInt4HalvesMinimum, 4, 0, 2, true},
    {WeightFormat::kInt5, 5, 16, 1, false},       {WeightFormat::kInt5Minimum, 5, 0, 1, true},
    {WeightFormat::kInt5Halves, 5, 16, 2, false}, {WeightFormat::kInt8, 8, 128, 1, false},
    {WeightFormat::kInt8Halves, 8, 128, 2, false}, {WeightFormat::kInt16, 16, 0, 1, false},
};
inline constexpr const FormatTraits& traits(WeightFormat format) {
  return kWeightFormats[static_cast<std::size_t>(format)];
}

// A matrix packed for the kernels: for each tile of kTile outputs, for each block of kBlock inputs, the values, then
// for each part kTile float scales, then for each part kTile float minimums where the format has them. Values of one
// tile block, where k is the input within the block and o the output within the tile:  8 bits byte (k/4)*64 + o*4 +
// k%4;  4 and 5 bits the same byte index taken mod 256, low nibble for k < 16, high nibble for the others, and the
// fifth bit is bit k/4 of byte 256 + o*4 + k%4;  16 bits int16 (k/2)*32 + o*2 + k%2.  Outputs and inputs beyond the
// matrix add zero: their scales and minimums, or the activations multiplied with them, are zero.
struct PackedMatrix {
  const std::uint8_t* data = nullptr;  // 64-byte aligned
  std::uint32_t output_count = 0;
  std::uint32_t block_count = 0;
  WeightFormat format = WeightFormat::kInt8;

  [[nodiscard]] std::uint32_t tile_count() const { return round_up(output_count, kTile) / kTile; }
};

inline constexpr std::size_t kScaleBytes = kTile * sizeof(float);
inline constexpr std::size_t value_bytes(WeightFormat format) { return traits(format).bits * kBlock * kTile / 8; }
inline constexpr std::size_t tile_block_bytes(WeightFormat format) {
  return value_bytes(format) + traits(format).part_count * (traits(format).has_minimum ? 2 : 1) * kScaleBytes;
}

// Quantised activations: per row block_count blocks. `int8` or `int16` is set, as the weights need it.
struct QuantizedRows {
  const std::int8_t* int8 = nullptr;   // [row, block, kBlock]
  const std::int16_t* int16 = nullptr;    // [row, block, kBlock]
  const float* scales = nullptr;         // [row, block]
  const std::int32_t* sums = nullptr;    // [row, block] sum of the block's int8 values; int8 only
};

// Slots are places in a lane's cache (engine/cpu/cache.h); slot mod 32 = position mod 32.
struct SlotSpan {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};
inline constexpr std::uint32_t kSpansMax = 3;  // the sink, and a band that wraps around the end of the cache
inline constexpr std::uint32_t kValueGroup = 64;  // dimensions of a value that share a scale
// One head's cached values and their keys' scores, for the queries that share the head and attend to the same slots.
struct AttentionHead {
  const float* scores = nullptr;         // [query, slot] dot product of the quantised query and the key
  const float* residual_scores = nullptr;  // [query, slot] of what quantisation left of the query
  std::size_t score_stride = 0;          // from a query's to the next one's
  std::uint32_t query_count = 0;
  float scale = 1;                       // the sums of the two scores are multiplied by this first
  const SlotSpan* spans = nullptr;       // positions ascending from span to span
  std::uint32_t span_count = 0;
  std::uint32_t value_dim = 0;           // 1 to kHeadDimMax
  const std::int8_t* values = nullptr;   // per block of 32 slots, per tile of 16 dimensions: byte (s/4)*64 + d*4 + s%4
  const float* value_scales = nullptr;   // [group of kValueGroup dimensions][slot]
  std::size_t value_scale_stride = 0;    // slots in the cache
  const float* sinks = nullptr;          // not null: [query] the score, final, of one more value, which is zero
};
inline constexpr std::uint32_t kHeadDimMax = 1024;

struct Kernels : DistributionKernels {
  const char* name;

  // Quantises a row of `count` floats by blocks: scale = max|x| / kInt8MagnitudeMax, q = round half to even(x *
  // (kInt8MagnitudeMax / max|x|)). A block with a NaN or an infinity gets the scale NaN, so that it shows in every
  // logit.
  void (*quantize_int8)(const float* x, std::uint32_t count, std::int8_t* q, float* scales, std::int32_t* sums);
  void (*quantize_int16)(const float* x, std::uint32_t count, std::int16_t* q, float* scales);
  // The same rule with one scale for `count` <= kValueGroup floats. Returns the scale.
  float (*quantize_values)(const float* x, std::uint32_t count, std::int8_t* q);

  // out[row * out_stride + tile * kTile + o] for the tiles [first_tile, end_tile): per output the blocks ascending and
  // in a block its parts, acc = acc + float(dot) * (scale_x * scale_w), dot exact in int32; then, where the format has
  // minimums, acc = acc + float(sum of the part's activations) * (scale_x * minimum_w).
  void (*matmul)(const PackedMatrix& weights, std::uint32_t first_tile, std::uint32_t end_tile,
                 const QuantizedRows& rows, std::uint32_t row_count, float* out, std::size_t out_stride);

  // out = (x * (1 / sqrt(mean of squares + epsilon))) * weight; 16 virtual lanes. `count` is the true width.
  void (*rms_norm)(const float* x, const float* weight, std::uint32_t count, float epsilon, float* out);
  // out = (x - mean) * (1 / sqrt(mean of squares of that + epsilon)) * weight (+ bias, where that is not null).
  void (*layer_norm)(const float* x, const float* weight, const float* bias, std::uint32_t count, float epsilon,
                     float* out);
  // out = silu(gate) * up.
  void (*swiglu)(const float* gate, const float* up, std::uint32_t count, float* out);
  // out = gelu(gate) * up.
  void (*geglu)(const float* gate, const float* up, std::uint32_t count, float* out);
  // x = gelu(x).
  void (*gelu)(float* x, std::uint32_t count);
  // x = cap * tanh(x * (1 / cap)).
  void (*soft_cap)(float* x, std::uint32_t count, float cap);
  // accumulator = accumulator + x.
  void (*add)(const float* x, std::uint32_t count, float* accumulator);
  // Rotates the pairs (2i, 2i+1), i < pair_count, of each of `head_count` heads of `head_dim` floats.
  void (*rotate_pairs)(float* x, std::uint32_t head_count, std::uint32_t head_dim, std::uint32_t pair_count,
                       const float* cosine, const float* sine);
  // The same for the pairs (i, i + pair_count).
  void (*rotate_halves)(float* x, std::uint32_t head_count, std::uint32_t head_dim, std::uint32_t pair_count,
                        const float* cosine, const float* sine);
  // Softmax over the scores of the spans, then the weighted sum of the values, into out[query, value_dim]. Weights
  // times value scales are quantised per block of 32 slots to integers up to kAttentionMax.
  void (*attend)(const AttentionHead& head, float* out);
};

// The sets that this machine can run, best first; the reference set is always the last.
struct KernelList {
  const Kernels* const* sets;
  std::uint32_t count;
};
KernelList available_kernels();
// nullptr where `name` is no set, or one that this machine cannot run. "" is the best one.
const Kernels* find_kernels(const char* name);

}  // namespace tacit::kernels
