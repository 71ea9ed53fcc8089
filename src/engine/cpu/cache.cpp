// SPDX-License-Identifier: MIT
#include "engine/cpu/cache.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/limits.h"

namespace tacit {
namespace {

using kernels::kBlock;
using kernels::kTile;
using kernels::kValueGroup;

constexpr std::size_t kKeyBlockBytes = kernels::tile_block_bytes(kernels::WeightFormat::kInt8);

std::uint32_t block_count(std::uint32_t head_dim) { return kernels::round_up(head_dim, kBlock) / kBlock; }

}  // namespace

std::vector<LaneCache::Layer> LaneCache::lay_out(const Config& config, std::uint32_t window, std::uint32_t chunk,
                                                 std::size_t& bytes) {
  std::vector<Layer> layers;
  bytes = 0;
  if (config.is_recurrent()) return layers;
  for (const LayerConfig& shape : config.layers) {
    const std::uint32_t attended = shape.window != 0 ? std::min(shape.window, window) : window;
    Layer layer{};
    layer.ring = kernels::round_up(attended + chunk, kBlock);
    layer.offset = bytes;
    const std::size_t slot_count = layer.ring + kBlock;
    const std::size_t group_count = kernels::round_up(config.value_dim, kValueGroup) / kValueGroup;
    layer.keys = slot_count / kTile * block_count(config.head_dim) * kKeyBlockBytes;
    layer.values = slot_count * kernels::round_up(config.value_dim, kTile);
    layer.value_scales = group_count * slot_count * sizeof(float);
    bytes += layer.head_bytes() * shape.kv_head_count;
    layers.push_back(layer);
  }
  return layers;
}

std::size_t LaneCache::bytes_needed(const Config& config, std::uint32_t window, std::uint32_t chunk) {
  std::size_t bytes = 0;
  lay_out(config, window, chunk, bytes);
  return bytes + std::size_t{config.layer_count} * config.state_floats() * sizeof(float);
}

std::string LaneCache::excess(const Config& config, std::uint32_t window, std::uint32_t chunk,
                              std::uint64_t lane_count) {
  if (window > config.window_max()) {
    return "window: found " + std::to_string(window) + ", expected at most " + std::to_string(config.window_max()) +
           (config.learns_positions() ? ", the positions that the model has learned" : "");
  }
  const std::uint64_t score_bytes = std::uint64_t{2} * chunk * config.query_group_max() *
                                    (kernels::round_up(window + chunk, kBlock) + kBlock) * sizeof(float);
  if (score_bytes > limits::kScoreBytesMax) {
    return "window: found " + std::to_string(window) + " tokens, whose attention scores need " +
           std::to_string(score_bytes) + " bytes, expected at most " + std::to_string(limits::kScoreBytesMax);
  }
  const std::uint64_t lane_bytes = bytes_needed(config, window, chunk);
  if (lane_count <= limits::kCacheBytesMax / lane_bytes) return {};
  return "window: found " + std::to_string(lane_count) + (lane_count == 1 ? " lane" : " lanes") + " of " +
         std::to_string(window) + " tokens, which need " + std::to_string(lane_bytes) +
         " bytes of keys and values each, expected at most " + std::to_string(limits::kCacheBytesMax) + " in all";
}

LaneCache::LaneCache(const Config& config, std::uint32_t window, std::uint32_t chunk)
    : head_dim_(config.head_dim),
      value_dim_(config.value_dim),
      layers_(lay_out(config, window, chunk, bytes_)),
      storage_(bytes_),
      state_floats_(config.state_floats()),
      states_(config.layer_count * state_floats_) {}

void LaneCache::store(const kernels::Kernels& kernels, std::uint32_t layer, std::uint32_t kv_head,
                      std::uint32_t position, const float* key, const float* value) {
  std::uint8_t* head = storage_.data() + head_offset(layer, kv_head);
  store_key(kernels, head, slot_of(layer, position), key);
  store_value(kernels, layers_[layer], head, slot_of(layer, position), value);
  if (position != 0) return;
  store_key(kernels, head, sink_slot(layer), key);
  store_value(kernels, layers_[layer], head, sink_slot(layer), value);
}

void LaneCache::store_key(const kernels::Kernels& kernels, std::uint8_t* keys, std::uint32_t slot, const float* key) {
  std::array<std::int8_t, limits::kHeadDimMax> q;
  std::array<float, limits::kHeadDimMax / kBlock> scales;
  std::array<std::int32_t, limits::kHeadDimMax / kBlock> sums;
  kernels.quantize_int8(key, head_dim_, q.data(), scales.data(), sums.data());
  const std::uint32_t blocks = block_count(head_dim_);
  std::uint8_t* tile = keys + (slot / kTile) * blocks * kKeyBlockBytes;
  const std::uint32_t output = slot % kTile;
  for (std::uint32_t b = 0; b < blocks; ++b, tile += kKeyBlockBytes) {
    for (std::uint32_t group = 0; group < kBlock / 4; ++group) {
      // Four int8 become bytes that are 128 larger: their sign bits flip.
      const auto four = load_unaligned<std::uint32_t>(q.data() + b * kBlock + 4 * group) ^ 0x80808080u;
      std::memcpy(tile + group * 64 + output * 4, &four, sizeof(four));
    }
    std::memcpy(tile + kernels::value_bytes(kernels::WeightFormat::kInt8) + output * sizeof(float), &scales[b],
                sizeof(float));
  }
}

void LaneCache::store_value(const kernels::Kernels& kernels, const Layer& layer, std::uint8_t* head,
                            std::uint32_t slot, const float* value) {
  auto* values = reinterpret_cast<std::int8_t*>(head + layer.keys);
  auto* scales = reinterpret_cast<float*>(head + layer.keys + layer.values);
  const std::size_t slot_count = layer.ring + kBlock;
  const std::size_t block_bytes = static_cast<std::size_t>(kernels::round_up(value_dim_, kTile)) * kBlock;
  values += (slot / kBlock) * block_bytes + (slot % kBlock) / 4 * 64 + slot % 4;
  for (std::uint32_t first = 0; first < value_dim_; first += kValueGroup) {
    std::array<std::int8_t, kValueGroup> q;
    const std::uint32_t size = std::min(kValueGroup, value_dim_ - first);
    scales[(first / kValueGroup) * slot_count + slot] = kernels.quantize_values(value + first, size, q.data());
    for (std::uint32_t i = 0; i < size; ++i) {
      const std::uint32_t d = first + i;
      values[(d / kTile) * kTile * kBlock + (d % kTile) * 4] = q[i];
    }
  }
}

kernels::PackedMatrix LaneCache::keys(std::uint32_t layer, std::uint32_t kv_head) const {
  return {storage_.data() + head_offset(layer, kv_head), slot_count(layer), block_count(head_dim_),
          kernels::WeightFormat::kInt8};
}

const std::int8_t* LaneCache::values(std::uint32_t layer, std::uint32_t kv_head) const {
  return reinterpret_cast<const std::int8_t*>(storage_.data() + head_offset(layer, kv_head) + layers_[layer].keys);
}

const float* LaneCache::value_scales(std::uint32_t layer, std::uint32_t kv_head) const {
  return reinterpret_cast<const float*>(storage_.data() + head_offset(layer, kv_head) + layers_[layer].keys +
                                         layers_[layer].values);
}

}  // namespace tacit
