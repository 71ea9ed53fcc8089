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

// Of an RMS norm or a layer norm. Both vectors are padded with zeros to a multiple of kBlock.
struct Norm {
  bool present = false;
  std::vector<float> weight;
  std::vector<float> bias;  // empty: none
};

// A norm of the heads of a query or a key.
struct HeadNorm {
  enum class Scope : std::uint8_t {
    kNone,
    kShared,   // each head alone, all with the same weights
    kPerHead,  // each head alone, with weights of its own
    kWhole,    // all heads together
  };
  Scope scope = Scope::kNone;
  std::vector<Norm> norms;  // one, or for kPerHead one a head
};

// One feed-forward network; `gate` is empty where the family has none.
struct Ffn {
  Linear gate;  // [width] -> [ffn width]
  Linear up;    // [width] -> [ffn width]
  Linear down;  // [ffn width] -> [width]
  [[nodiscard]] bool present() const { return down.input_count != 0; }
  [[nodiscard]] bool gated() const { return gate.input_count != 0; }
};

struct LayerWeights {
  Norm attention_norm;       // [width]
  Norm second_norm;          // attention's own where ffn reads attention_norm (Falcon 40B)
  Linear query;              // [width] -> [head_count * head_dim]
  Linear key;                // [width] -> [kv_head_count * head_dim]
  Linear value;              // [width] -> [kv_head_count * value_dim]
  HeadNorm query_norm;
  HeadNorm key_norm;
  std::vector<float> sinks;  // [head_count] logits of a value of zero; empty: none
  Linear attention_output;   // [head_count * value_dim] -> [width]
  Norm post_attention_norm;  // of what attention adds
  Norm ffn_norm;             // [width]
  Ffn ffn;                   // of dense layers; else the shared experts' where there are any
  Norm post_ffn_norm;

  Linear router;                   // [width] -> [expert_count]
  std::vector<Ffn> experts;        // empty: a dense layer
  std::vector<float> shared_gate;  // [width], padded: the shared experts' sigmoid gate; empty: none
};

struct Weights {
  gguf::Tensor embedding;  // [vocabulary, width], as in the file, whose bytes must outlive this
  gguf::Tensor positions;  // [context_length, width] likewise, where positions are learned
  Norm embedding_norm;
  std::vector<LayerWeights> layers;
  Norm output_norm;
  Linear output;  // [width] -> [vocabulary]; the embedding again where the file has none

  // Errors: kModel, naming file, tensor, found and expected; a tensor that the family does not use is one.
  static Result<Weights> load(const gguf::File& file, const Config& config);
};

// Row `index` of a matrix of the file, dequantised into out[shape[0]].
void read_row(const gguf::Tensor& tensor, std::uint32_t index, float* out);

}  // namespace tacit
