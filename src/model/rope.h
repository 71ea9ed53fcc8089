// SPDX-License-Identifier: MIT
// Rotary position embedding (arXiv 2104.09864): how fast each pair of a head turns, with the scaling for longer
// contexts than a model was first trained on: linear scaling, YaRN, Llama 3's divisors, LongRoPE.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"
#include "model/keys.h"

namespace tacit {

// Rotations of one kind of layer.
struct Rope {
  std::uint32_t dim = 0;                 // leading dimensions of a head that rotate
  std::vector<double> frequencies;       // [dim / 2] radians per position, scaling included
  std::vector<double> long_frequencies;  // LongRoPE's for windows above `short_context`; else empty
  std::uint32_t short_context = 0;
  double magnitude = 1;  // factor on the rotated pairs

  [[nodiscard]] const std::vector<double>& frequencies_for(std::uint32_t window) const {
    return !long_frequencies.empty() && window > short_context ? long_frequencies : frequencies;
  }
};

struct RopeSettings {
  std::uint32_t head_dim = 0;
  std::uint32_t context_length = 0;
  bool scaled = true;      // false: without the scaling for longer contexts
  bool in_windows = false;  // of layers with a window: their base is rope.freq_base_swa,
  double window_base = 0;   // where that is missing this, or where this is 0 the other layers'
};

// Errors: kModel, naming file, key or tensor, found and expected.
Result<Rope> load_rope(const gguf::File& file, const Keys& keys, const RopeSettings& settings);

}  // namespace tacit
