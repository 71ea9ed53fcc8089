// SPDX-License-Identifier: MIT
// A lane's cache (KV cache): the keys and values of the last positions of one text, in bounded memory, laid out so that
// the attention scores of a query are one packed matrix product and the weighted sum of values another; or, of a
// recurrent model, its state.
//
// Positions live in a ring of slots, slot = position mod ring, the ring of a layer a multiple of 32 that holds what
// the layer attends to and the rows of one chunk. One more block of 32 slots behind the ring keeps position 0, the
// attention sink (arXiv 2309.17453; spec/numeric.md, section 6).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "engine/cpu/kernels/kernels.h"
#include "model/config.h"

namespace tacit {

class LaneCache {
 public:
  // `window` positions of attention, at most `chunk` new positions before the attention of the first of them.
  LaneCache(const Config& config, std::uint32_t window, std::uint32_t chunk);
  static std::size_t bytes_needed(const Config& config, std::uint32_t window, std::uint32_t chunk);
  // Empty if the caches of `lane_count` lanes take no more than limits::kCacheBytesMax and the scores of a chunk no
  // more than limits::kScoreBytesMax, else what is wrong with them.
  static std::string excess(const Config& config, std::uint32_t window, std::uint32_t chunk, std::uint64_t lane_count);

  // What a recurrent layer carries from position to position: Config::state_floats numbers.
  [[nodiscard]] float* state(std::uint32_t layer) { return states_.data() + layer * state_floats_; }

  void clear_states() { std::fill(states_.begin(), states_.end(), 0.0f); }

  [[nodiscard]] std::uint32_t ring(std::uint32_t layer) const { return layers_[layer].ring; }
  [[nodiscard]] std::uint32_t slot_count(std::uint32_t layer) const { return layers_[layer].ring + kernels::kBlock; }
  [[nodiscard]] std::uint32_t slot_of(std::uint32_t layer, std::uint32_t position) const {
    return position % layers_[layer].ring;
  }
  [[nodiscard]] std::uint32_t sink_slot(std::uint32_t layer) const { return layers_[layer].ring; }

  // Quantises and stores the rotated key and the value of one position of one head. `key` and `value` are head_dim
  // and value_dim floats.
  void store(const kernels::Kernels& kernels, std::uint32_t layer, std::uint32_t kv_head, std::uint32_t position,
             const float* key, const float* value);

  // The keys of one head as a matrix with one output per slot.
  [[nodiscard]] kernels::PackedMatrix keys(std::uint32_t layer, std::uint32_t kv_head) const;
  [[nodiscard]] const std::int8_t* values(std::uint32_t layer, std::uint32_t kv_head) const;
  [[nodiscard]] const float* value_scales(std::uint32_t layer, std::uint32_t kv_head) const;

 private:
  struct Layer {
    std::uint32_t ring;
    std::size_t offset;        // of its first head
    std::size_t keys;          // bytes of one head's
    std::size_t values;
    std::size_t value_scales;
    [[nodiscard]] std::size_t head_bytes() const { return keys + values + value_scales; }
  };
  static std::vector<Layer> lay_out(const Config& config, std::uint32_t window, std::uint32_t chunk,
                                    std::size_t& bytes);
  [[nodiscard]] std::size_t head_offset(std::uint32_t layer, std::uint32_t kv_head) const {
    return layers_[layer].offset + kv_head * layers_[layer].head_bytes();
  }
  void store_key(const kernels::Kernels& kernels, std::uint8_t* keys, std::uint32_t slot, const float* key);
  void store_value(const kernels::Kernels& kernels, const Layer& layer, std::uint8_t* head, std::uint32_t slot,
                   const float* value);

  std::uint32_t head_dim_;
  std::uint32_t value_dim_;
  std::size_t bytes_ = 0;
  std::vector<Layer> layers_;
  AlignedBuffer storage_;
  std::size_t state_floats_;
  std::vector<float> states_;
};

}  // namespace tacit
