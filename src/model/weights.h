// SPDX-License-Identifier: MIT
// The weights of a model, in the form that the kernels take. Knows tensor names, shapes and types.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/packing.h"

namespace tacit {

struct LayerWeights {
  std::vector<float> attention_norm;  // [width], padded
  Linear query;                       // [width] -> [head_count * head_dim]
  Linear key;                         // [width] -> [kv_head_count * head_dim]
  Linear value;                       // [width] -> [kv_head_count * value_dim]
  Linear attention_output;            // [head_count * value_dim] -> [width]
  std::vector<float> ffn_norm;        // [width], padded
  Linear gate;                        // [width] -> [ffn_width]
  Linear up;                          // [width] -> [ffn_width]
  Linear down;                        // [ffn_width] -> [width]
};

struct Weights {
  gguf::Tensor embedding;  // [vocabulary, width], as in the file, whose bytes must outlive this
  std::vector<LayerWeights> layers;
  std::vector<float> output_norm;  // [width], padded
  Linear output;                   // [width] -> [vocabulary]; the embedding again where the file has none

  // Errors: kModel, naming file, tensor, found and expected.
  static Result<Weights> load(const gguf::File& file, const Config& config);

  // Row `token` of the embedding into out[width].
  void embed(std::uint32_t token, float* out) const;
};

}  // namespace tacit
