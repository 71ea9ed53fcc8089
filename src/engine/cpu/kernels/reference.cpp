// SPDX-License-Identifier: MIT
// The reference kernel set: plain loops that say what every other set must compute, bit for bit. Written to be read
// beside spec/numeric.md, not to be fast.
#include "engine/cpu/kernels/reference.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "numeric/exp.h"

namespace tacit::kernels {
namespace {

constexpr std::uint32_t kLanes = 16;  // virtual lanes of every float reduction

float fold(float* lanes) {
  for (std::uint32_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::uint32_t i = 0; i < width; ++i) lanes[i] = lanes[i] + lanes[i + width];
  }
  return lanes[0];
}

std::uint32_t magnitude_bits(float x) { return std::bit_cast<std::uint32_t>(x) & 0x7fffffffu; }

std::int32_t round_half_even(float x) {
  return std::bit_cast<std::int32_t>(x + numeric::kRoundMagic) - numeric::kRoundMagicBits;
}

// The quantisation rule on one block of `count` floats. Returns the scale.
template <class T>
float quantize_block(const float* x, std::uint32_t count, std::uint32_t value_max, T* q) {
  std::uint32_t largest = 0;
  for (std::uint32_t i = 0; i < count; ++i) largest = magnitude_bits(x[i]) > largest ? magnitude_bits(x[i]) : largest;
  for (std::uint32_t i = 0; i < count; ++i) q[i] = 0;
  const auto magnitude = std::bit_cast<float>(largest);
  if (largest >= 0x7f800000u) return std::bit_cast<float>(0x7fc00000u);
  if (magnitude < kQuantizeMin) return 0.0f;
  const float inverse = static_cast<float>(value_max) / magnitude;
  for (std::uint32_t i = 0; i < count; ++i) q[i] = static_cast<T>(round_half_even(x[i] * inverse));
  return magnitude / static_cast<float>(value_max);
}

// Elements of block `block` that exist; the others of its kBlock values are set to zero.
template <class T>
std::uint32_t begin_block(std::uint32_t count, std::uint32_t block, T* q) {
  for (std::uint32_t i = 0; i < kBlock; ++i) q[block * kBlock + i] = 0;
  const std::uint32_t left = count - block * kBlock;
  return left < kBlock ? left : kBlock;
}

void quantize_int8(const float* x, std::uint32_t count, std::int8_t* q, float* scales, std::int32_t* sums) {
  for (std::uint32_t b = 0; b * kBlock < count; ++b) {
    const std::uint32_t size = begin_block(count, b, q);
    scales[b] = quantize_block(x + b * kBlock, size, kInt8MagnitudeMax, q + b * kBlock);
    sums[b] = 0;
    for (std::uint32_t i = 0; i < kBlock; ++i) sums[b] += q[b * kBlock + i];
  }
}

void quantize_int16(const float* x, std::uint32_t count, std::int16_t* q, float* scales) {
  for (std::uint32_t b = 0; b * kBlock < count; ++b) {
    const std::uint32_t size = begin_block(count, b, q);
    scales[b] = quantize_block(x + b * kBlock, size, kInt16MagnitudeMax, q + b * kBlock);
  }
}

float quantize_values(const float* x, std::uint32_t count, std::int8_t* q) {
  return quantize_block(x, count, kInt8MagnitudeMax, q);
}

// Weight `k` of output `o` in a tile block, as an integer.
std::int32_t weight(const std::uint8_t* tile_block, const FormatTraits& format, std::uint32_t o, std::uint32_t k) {
  if (format.bits == 16) {
    std::int16_t value;
    std::memcpy(&value, tile_block + 2 * ((k / 2) * 32 + o * 2 + k % 2), sizeof(value));
    return value;
  }
  const std::uint32_t byte = (k / 4) * 64 + o * 4 + k % 4;
  if (format.bits == 8) return tile_block[byte] - format.offset;
  const int nibble = (tile_block[byte % 256] >> (k < 16 ? 0 : 4)) & 15;
  const int fifth = format.bits == 5 ? (tile_block[256 + byte % 64] >> (k / 4)) & 1 : 0;
  return (nibble | fifth << 4) - format.offset;
}

// Number `index` of the floats behind the values: scales by parts, then minimums by parts.
float factor(const std::uint8_t* tile_block, const FormatTraits& format, std::uint32_t o, std::uint32_t index) {
  float value;
  std::memcpy(&value, tile_block + value_bytes(format.format) + index * kScaleBytes + o * sizeof(float), sizeof(value));
  return value;
}

// acc with the products of block `block` of the rows and output o added.
float add_block(float acc, const std::uint8_t* tile_block, const FormatTraits& format, std::uint32_t o,
                const QuantizedRows& rows, std::size_t block) {
  const std::uint32_t part_size = kBlock / format.part_count;
  for (std::uint32_t part = 0; part < format.part_count; ++part) {
    std::int32_t dot = 0;
    std::int32_t sum = 0;
    for (std::uint32_t k = part * part_size; k < (part + 1) * part_size; ++k) {
      const std::size_t i = block * kBlock + k;
      const std::int32_t x = format.format == WeightFormat::kInt16 ? rows.int16[i] : rows.int8[i];
      dot += weight(tile_block, format, o, k) * x;
      sum += x;
    }
    acc = acc + static_cast<float>(dot) * (rows.scales[block] * factor(tile_block, format, o, part));
    if (!format.has_minimum) continue;
    const float minimum = factor(tile_block, format, o, format.part_count + part);
    acc = acc + static_cast<float>(sum) * (rows.scales[block] * minimum);
  }
  return acc;
}

void matmul(const PackedMatrix& weights, std::uint32_t first_tile, std::uint32_t end_tile, const QuantizedRows& rows,
            std::uint32_t row_count, float* out, std::size_t out_stride) {
  const std::size_t block_bytes = tile_block_bytes(weights.format);
  for (std::uint32_t tile = first_tile; tile < end_tile; ++tile) {
    const std::uint8_t* tile_data = weights.data + static_cast<std::size_t>(tile) * weights.block_count * block_bytes;
    for (std::uint32_t row = 0; row < row_count; ++row) {
      const std::size_t first_block = static_cast<std::size_t>(row) * weights.block_count;
      for (std::uint32_t o = 0; o < kTile; ++o) {
        float acc = 0.0f;
        for (std::uint32_t b = 0; b < weights.block_count; ++b) {
          acc = add_block(acc, tile_data + b * block_bytes, traits(weights.format), o, rows, first_block + b);
        }
        out[row * out_stride + tile * kTile + o] = acc;
      }
    }
  }
}

void rms_norm(const float* x, const float* weight, std::uint32_t count, float epsilon, float* out) {
  float lanes[kLanes] = {};
  for (std::uint32_t i = 0; i < count; ++i) lanes[i % kLanes] = lanes[i % kLanes] + x[i] * x[i];
  const float mean = fold(lanes) / static_cast<float>(count);
  const float scale = 1.0f / std::sqrt(mean + epsilon);
  for (std::uint32_t i = 0; i < count; ++i) out[i] = (x[i] * scale) * weight[i];
}

void layer_norm(const float* x, const float* weight, const float* bias, std::uint32_t count, float epsilon,
                float* out) {
  float lanes[kLanes] = {};
  for (std::uint32_t i = 0; i < count; ++i) lanes[i % kLanes] = lanes[i % kLanes] + x[i];
  const float mean = fold(lanes) / static_cast<float>(count);
  for (float& lane : lanes) lane = 0.0f;
  for (std::uint32_t i = 0; i < count; ++i) {
    lanes[i % kLanes] = lanes[i % kLanes] + (x[i] - mean) * (x[i] - mean);
  }
  const float variance = fold(lanes) / static_cast<float>(count);
  const float scale = 1.0f / std::sqrt(variance + epsilon);
  for (std::uint32_t i = 0; i < count; ++i) {
    out[i] = ((x[i] - mean) * scale) * weight[i];
    if (bias != nullptr) out[i] = out[i] + bias[i];
  }
}

void swiglu(const float* gate, const float* up, std::uint32_t count, float* out) {
  for (std::uint32_t i = 0; i < count; ++i) out[i] = numeric::silu(gate[i]) * up[i];
}

void geglu(const float* gate, const float* up, std::uint32_t count, float* out) {
  for (std::uint32_t i = 0; i < count; ++i) out[i] = numeric::gelu(gate[i]) * up[i];
}

void gelu(float* x, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) x[i] = numeric::gelu(x[i]);
}

void soft_cap(float* x, std::uint32_t count, float cap) {
  const float inverse = 1.0f / cap;
  for (std::uint32_t i = 0; i < count; ++i) x[i] = cap * numeric::tanh(x[i] * inverse);
}

void add(const float* x, std::uint32_t count, float* accumulator) {
  for (std::uint32_t i = 0; i < count; ++i) accumulator[i] = accumulator[i] + x[i];
}

void rotate(float& a, float& b, float cosine, float sine) {
  const float rotated = a * cosine - b * sine;
  b = a * sine + b * cosine;
  a = rotated;
}

void rotate_pairs(float* x, std::uint32_t head_count, std::uint32_t head_dim, std::uint32_t pair_count,
                  const float* cosine, const float* sine) {
  for (std::uint32_t head = 0; head < head_count; ++head) {
    float* pairs = x + static_cast<std::size_t>(head) * head_dim;
    for (std::uint32_t i = 0; i < pair_count; ++i) rotate(pairs[2 * i], pairs[2 * i + 1], cosine[i], sine[i]);
  }
}

void rotate_halves(float* x, std::uint32_t head_count, std::uint32_t head_dim, std::uint32_t pair_count,
                   const float* cosine, const float* sine) {
  for (std::uint32_t head = 0; head < head_count; ++head) {
    float* halves = x + static_cast<std::size_t>(head) * head_dim;
    for (std::uint32_t i = 0; i < pair_count; ++i) rotate(halves[i], halves[i + pair_count], cosine[i], sine[i]);
  }
}

// Adds the values of one block of slots, weighed by `weights` (zero outside of the span), to out.
void add_values(const AttentionHead& head, std::uint32_t block, const float* weights, float* out) {
  const std::uint32_t tile_count = round_up(head.value_dim, kTile) / kTile;
  const std::int8_t* values = head.values + static_cast<std::size_t>(block) * tile_count * kTile * kBlock;
  for (std::uint32_t first = 0; first < head.value_dim; first += kValueGroup) {
    const float* scales = head.value_scales + (first / kValueGroup) * head.value_scale_stride + block * kBlock;
    float scaled[kBlock];
    for (std::uint32_t s = 0; s < kBlock; ++s) scaled[s] = weights[s] == 0.0f ? 0.0f : weights[s] * scales[s];
    std::int16_t q[kBlock];
    const float scale = quantize_block(scaled, kBlock, kAttentionMax, q);
    for (std::uint32_t d = first; d < head.value_dim && d < first + kValueGroup; ++d) {
      std::int32_t dot = 0;
      for (std::uint32_t s = 0; s < kBlock; ++s) {
        dot += q[s] * values[(d / kTile) * kTile * kBlock + (s / 4) * 64 + (d % kTile) * 4 + s % 4];
      }
      out[d] = out[d] + static_cast<float>(dot) * scale;
    }
  }
}

void attend_query(const AttentionHead& head, std::uint32_t query, float* out) {
  const auto score = [&](std::uint32_t slot) {
    const std::size_t i = query * head.score_stride + slot;
    return head.scores[i] + head.residual_scores[i];
  };
  float largest = score(head.spans[0].begin);
  for (std::uint32_t i = 0; i < head.span_count; ++i) {
    for (std::uint32_t s = head.spans[i].begin; s < head.spans[i].end; ++s) {
      if (score(s) > largest) largest = score(s);
    }
  }
  float maximum = largest * head.scale;
  if (head.sinks != nullptr && head.sinks[query] > maximum) maximum = head.sinks[query];
  float lanes[kLanes] = {};
  for (std::uint32_t d = 0; d < head.value_dim; ++d) out[d] = 0.0f;
  for (std::uint32_t i = 0; i < head.span_count; ++i) {
    const SlotSpan span = head.spans[i];
    for (std::uint32_t block = span.begin / kBlock; block * kBlock < span.end; ++block) {
      float weights[kBlock] = {};
      for (std::uint32_t s = 0; s < kBlock; ++s) {
        const std::uint32_t slot = block * kBlock + s;
        if (slot < span.begin || slot >= span.end) continue;
        weights[s] = numeric::exp(score(slot) * head.scale - maximum);
        lanes[s % kLanes] = lanes[s % kLanes] + weights[s];
      }
      add_values(head, block, weights, out);
    }
  }
  float total = fold(lanes);
  if (head.sinks != nullptr) total = total + numeric::exp(head.sinks[query] - maximum);
  for (std::uint32_t d = 0; d < head.value_dim; ++d) out[d] = out[d] / total;
}

void attend(const AttentionHead& head, float* out) {
  for (std::uint32_t q = 0; q < head.query_count; ++q) attend_query(head, q, out + q * head.value_dim);
}

std::uint64_t frequencies(const float* logits, std::uint32_t count, float scale, std::uint32_t* frequencies) {
  float largest = logits[0];
  for (std::uint32_t i = 0; i < count; ++i) {
    if (magnitude_bits(logits[i]) >= 0x7f800000u) return 0;
    if (logits[i] > largest) largest = logits[i];
  }
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const float weight = numeric::exp((logits[i] - largest) * scale) * static_cast<float>(kFrequencyOne);
    const auto frequency = static_cast<std::uint32_t>(weight);
    frequencies[i] = frequency > 0 ? frequency : 1;
    total += frequencies[i];
  }
  return total;
}

std::uint64_t mix(const MixturePart* parts, std::uint32_t part_count, std::uint32_t count,
                  std::uint32_t* frequencies) {
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    float sum = 0;
    for (std::uint32_t p = 0; p < part_count; ++p) {
      const std::uint32_t weight = parts[p].weights[i];
      float gain = parts[p].gain;
      for (std::uint32_t c = 0; c < parts[p].cut_count; ++c) {
        const MixtureCut& cut = parts[p].cuts[c];
        gain = gain + (weight >= cut.lowest && weight <= cut.highest ? cut.gain : 0.0f);
      }
      sum = sum + static_cast<float>(weight) * gain;
    }
    const auto frequency = static_cast<std::uint32_t>(sum);
    frequencies[i] = frequency > 0 ? frequency : 1;
    total += frequencies[i];
  }
  return total;
}

std::uint32_t collect(const std::uint32_t* weights, std::uint32_t count, std::uint32_t lowest, std::uint32_t highest,
                      std::uint32_t* tokens) {
  std::uint32_t size = 0;
  for (std::uint32_t token = 0; token < count; ++token) {
    if (weights[token] >= lowest && weights[token] <= highest) tokens[size++] = token;
  }
  return size;
}

void top_two(const std::uint32_t* weights, std::uint32_t count, std::uint32_t* tokens) {
  tokens[0] = tokens[1] = 0;
  for (std::uint32_t token = 1; token < count; ++token) {
    if (weights[token] > weights[tokens[0]]) {
      tokens[1] = tokens[0];
      tokens[0] = token;
    } else if (tokens[1] == tokens[0] || weights[token] > weights[tokens[1]]) {
      tokens[1] = token;
    }
  }
}

std::uint64_t sum(const std::uint32_t* frequencies, std::uint32_t count) {
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < count; ++i) total += frequencies[i];
  return total;
}

}  // namespace
}  // namespace tacit::kernels

#include "engine/cpu/kernels/table.inl"

namespace tacit::kernels {

constinit const Kernels kReferenceKernels = table_of_this_set("reference");

}  // namespace tacit::kernels
