// SPDX-License-Identifier: MIT
// The shape of a model, read from GGUF metadata and checked. Knows keys and their limits, not tensors' contents.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"

namespace tacit {

struct Config {
  std::string architecture;  // "llama"
  std::uint32_t layer_count = 0;
  std::uint32_t width = 0;          // n_embd
  std::uint32_t head_count = 0;     // query heads
  std::uint32_t kv_head_count = 0;  // key and value heads; head_count is a multiple of it
  std::uint32_t head_dim = 0;       // of queries and keys
  std::uint32_t value_dim = 0;      // of values
  std::uint32_t ffn_width = 0;
  std::uint32_t vocabulary_size = 0;
  std::uint32_t context_length = 0;  // as trained
  float norm_epsilon = 0;
  std::uint32_t rope_dim = 0;             // leading dimensions of a head that rotate
  std::vector<double> rope_frequencies;   // [rope_dim / 2] radians per position, scaling included
  double rope_magnitude = 1;              // factor on the rotated pairs (YaRN)

  // Errors: kModel, naming file, key, found and expected.
  static Result<Config> load(const gguf::File& file);
};

}  // namespace tacit
