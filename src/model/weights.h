// SPDX-License-Identifier: MIT
// The weights of a model: vectors as floats, matrices as rows of the file's tensors, which an engine brings into a form
// of its own. Knows tensor names, shapes and types, not what computes with them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"
#include "model/config.h"

namespace tacit {

// Every vector of weights is padded with zeros to a multiple of so many floats, a block of the numeric contract.
inline constexpr std::uint32_t kVectorPadding = 32;
inline constexpr std::uint32_t padded(std::uint32_t size) {
  return (size + kVectorPadding - 1) / kVectorPadding * kVectorPadding;
}

// Rows [first_row, first_row + row_count) of a tensor, counted through all its dimensions but the first.
struct MatrixRows {
  gguf::Tensor tensor;
  std::uint64_t first_row = 0;
  std::uint32_t row_count = 0;

  [[nodiscard]] ByteSpan bytes() const {
    return tensor.data.subspan(first_row * tensor.row_bytes(), row_count * tensor.row_bytes());
  }
};

// y = W x + bias.
struct Linear {
  std::uint32_t matrix = 0;  // W: index into Weights::matrices
  std::uint32_t input_count = 0;
  std::uint32_t output_count = 0;
  std::vector<float> bias;  // padded; empty: none

  [[nodiscard]] std::uint64_t multiply_adds() const { return std::uint64_t{input_count} * output_count; }
};

// Of an RMS norm or a layer norm. Both vectors are padded.
struct Norm {
  bool present = false;
  std::vector<float> weight;
  std::vector<float> bias;  // empty: none
};

// A norm of the heads of a query or a key.
struct HeadNorm {
  enum class Scope : std::uint8_t {
    kNone,
    kShared,   // each head by itself, all with the same weights
    kPerHead,  // each head by itself, with weights of its own
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

// What RWKV mixes into a position before a matrix reads it: x + (x of the position before - x) * lerp.
using Lerp = std::vector<float>;  // [width], padded

// Two matrices through a narrow middle, and what is added to what they give.
struct LowRank {
  Linear down;
  Linear up;
  std::vector<float> base;  // [width], padded; empty: none
};

struct RwkvWeights {
  Lerp lerp_x;                  // RWKV-6: of the input of the interpolation
  Linear lerp_down;             // RWKV-6: [width] -> [5 * extra_dim]
  std::vector<Linear> lerp_up;  // RWKV-6: 5 of [extra_dim] -> [width]
  std::vector<Lerp> lerps;      // RWKV-6: w, k, v, r, g; RWKV-7: r, w, k, v, a, g
  LowRank decay;
  std::vector<float> bonus;     // RWKV-6: [width], of the position itself (time_mix_first)
  Linear receptance, key, value, output;
  Linear gate;                  // RWKV-6
  LowRank gate7, rate, value_mix;          // RWKV-7; rate is a, the in-context learning rate
  std::vector<float> key_key, key_rate, receptance_key;  // RWKV-7: k_k, k_a, r_k: [width]
  std::vector<Norm> head_norms;            // of what each head gives
  Lerp channel_lerp_key, channel_lerp_receptance;
  Linear channel_key, channel_value;
  Linear channel_receptance;    // RWKV-6
};

struct MambaWeights {
  Linear in;                         // [width] -> [2 * inner]: what is read, and its gate
  std::vector<float> convolution;    // [kernel_size, inner]
  std::vector<float> convolution_bias;  // [inner]
  Linear select;                     // [inner] -> [step_rank + 2 * state_size]
  Norm step_norm, state_norm;        // of what is selected, weights 1; not present: none
  Linear step;                       // [step_rank] -> [inner]
  std::vector<float> decay;          // [state_size, inner], negative
  std::vector<float> skip;           // [inner]
  Linear out;                        // [inner] -> [width]
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
  Ffn ffn;                   // of dense layers; else the shared ffn experts' where there are any
  Norm post_ffn_norm;

  Linear router;                   // [width] -> [expert_count]
  std::vector<Ffn> experts;        // empty: a dense layer
  std::vector<float> shared_gate;  // [width], padded: the shared ffn experts' sigmoid gate; empty: none

  // Recurrent layers have attention_norm, ffn_norm (RWKV) and one of these.
  RwkvWeights rwkv;
  MambaWeights mamba;
};

struct Weights {
  gguf::Tensor embedding;  // [vocabulary, width], as in the file, whose bytes must outlive this
  gguf::Tensor positions;  // [context_length, width] likewise, where positions are learned
  Norm embedding_norm;
  std::vector<LayerWeights> layers;
  Norm output_norm;
  Linear output;  // [width] -> [vocabulary]; the embedding again where the file has none
  std::vector<MatrixRows> matrices;  // of all Linear above; their numbers are not read here
  std::string file_name;             // for messages

  // Reads the vectors, and checks names, shapes and types of all. Errors: kModel, naming file, tensor, found and
  // expected; a tensor that the family does not use is one.
  static Result<Weights> load(const gguf::File& file, const Config& config);
};

// Whether tensors of this type can be weights.
bool is_weight_type(gguf::TensorType type);

// Row `index` of a matrix of the file, dequantised into out[shape[0]].
void read_row(const gguf::Tensor& tensor, std::uint32_t index, float* out);

}  // namespace tacit
