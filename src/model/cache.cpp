// SPDX-License-Identifier: MIT
#include "model/cache.h"

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

std::uint32_t LaneCache::ring_size(std::uint32_t window, std::uint32_t chunk) {
  return kernels::round_up(window + chunk, kBlock);
}

LaneCache::Layout LaneCache::layout(const Config& config, std::uint32_t slot_count) {
  const std::size_t tile_count = slot_count / kTile;
  const std::size_t group_count = kernels::round_up(config.value_dim, kValueGroup) / kValueGroup;
  return {tile_count * block_count(config.head_dim) * kKeyBlockBytes,
          static_cast<std::size_t>(slot_count) * kernels::round_up(config.value_dim, kTile),
          group_count * slot_count * sizeof(float)};
}

std::size_t LaneCache::bytes_needed(const Config& config, std::uint32_t window, std::uint32_t chunk) {
  const std::size_t heads = static_cast<std::size_t>(config.layer_count) * config.kv_head_count;
  return heads * layout(config, ring_size(window, chunk) + kBlock).total();
}

std::string LaneCache::excess(const Config& config, std::uint32_t window, std::uint32_t chunk,
                              std::uint64_t lane_count) {
  const std::uint64_t lane_bytes = bytes_needed(config, window, chunk);
  if (lane_count <= limits::kCacheBytesMax / lane_bytes) return {};
  return "window: found " + std::to_string(lane_count) + (lane_count == 1 ? " lane" : " lanes") + " of " +
         std::to_string(window) + " tokens, which need " + std::to_string(lane_bytes) +
         " bytes of keys and values each, expected at most " + std::to_string(limits::kCacheBytesMax) + " in all";
}

LaneCache::LaneCache(const Config& config, std::uint32_t window, std::uint32_t chunk)
    : kv_head_count_(config.kv_head_count),
      head_dim_(config.head_dim),
      value_dim_(config.value_dim),
      ring_(ring_size(window, chunk)),
      layout_(layout(config, slot_count())),
      storage_(bytes_needed(config, window, chunk)) {}

void LaneCache::store(const kernels::Kernels& kernels, std::uint32_t layer, std::uint32_t kv_head,
                      std::uint32_t position, const float* key, const float* value) {
  std::uint8_t* head = storage_.data() + head_offset(layer, kv_head);
  store_key(kernels, head, slot_of(position), key);
  store_value(kernels, head, slot_of(position), value);
  if (position != 0) return;
  store_key(kernels, head, sink_slot(), key);
  store_value(kernels, head, sink_slot(), value);
}

void LaneCache::store_key(const kernels::Kernels& kernels, std::uint8_t* keys, std::uint32_t slot, const float* key) {
  std::array<std::int8_t, limits::kHeadDimMax> q;
  std::array<float, limits::kHeadDimMax / kBlock> scales;
  std::array<std::int32_t, limits::kHeadDimMax / kBlock> sums;
  kernels.quantize_narrow(key, head_dim_, q.data(), scales.data(), sums.data());
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

void LaneCache::store_value(const kernels::Kernels& kernels, std::uint8_t* head, std::uint32_t slot,
                            const float* value) {
  auto* values = reinterpret_cast<std::int8_t*>(head + layout_.keys);
  auto* scales = reinterpret_cast<float*>(head + layout_.keys + layout_.values);
  const std::size_t block_bytes = static_cast<std::size_t>(kernels::round_up(value_dim_, kTile)) * kBlock;
  values += (slot / kBlock) * block_bytes + (slot % kBlock) / 4 * 64 + slot % 4;
  for (std::uint32_t first = 0; first < value_dim_; first += kValueGroup) {
    std::array<std::int8_t, kValueGroup> q;
    const std::uint32_t size = std::min(kValueGroup, value_dim_ - first);
    scales[(first / kValueGroup) * slot_count() + slot] = kernels.quantize_values(value + first, size, q.data());
    for (std::uint32_t i = 0; i < size; ++i) {
      const std::uint32_t d = first + i;
      values[(d / kTile) * kTile * kBlock + (d % kTile) * 4] = q[i];
    }
  }
}

kernels::PackedMatrix LaneCache::keys(std::uint32_t layer, std::uint32_t kv_head) const {
  return {storage_.data() + head_offset(layer, kv_head), slot_count(), block_count(head_dim_),
          kernels::WeightFormat::kInt8};
}

const std::int8_t* LaneCache::values(std::uint32_t layer, std::uint32_t kv_head) const {
  return reinterpret_cast<const std::int8_t*>(storage_.data() + head_offset(layer, kv_head) + layout_.keys);
}

const float* LaneCache::value_scales(std::uint32_t layer, std::uint32_t kv_head) const {
  return reinterpret_cast<const float*>(storage_.data() + head_offset(layer, kv_head) + layout_.keys + layout_.values);
}

}  // namespace tacit
