// SPDX-License-Identifier: MIT
// The shape of a model, read from GGUF metadata and checked: what its family (family.h) leaves open. Knows keys and
// their limits, not tensors' contents.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"
#include "model/family.h"
#include "model/rope.h"

namespace tacit {

struct LayerConfig {
  std::uint32_t head_count = 0;     // query heads
  std::uint32_t kv_head_count = 0;  // key and value heads; head_count is a multiple of it
  std::uint32_t ffn_width = 0;
  std::uint32_t window = 0;         // attends to so many positions, itself included; 0: to all
  bool rotates = false;
  std::uint32_t rope = 0;           // index into Config::ropes where it rotates
};

// Of models that carry a state from position to position instead of attending.
struct RecurrentConfig {
  std::uint32_t head_size = 0;       // RWKV; width is a multiple of it
  std::uint32_t extra_dim = 0;       // RWKV-6: ranks of the interpolation
  std::uint32_t decay_dim = 0;       // and of the decay
  std::uint32_t rescale_period = 0;  // RWKV-6: every so many layers the residual is halved; 0: never
  std::uint32_t inner = 0;           // Mamba: channels,
  std::uint32_t state_size = 0;      // numbers that each of them remembers,
  std::uint32_t kernel_size = 0;     // positions of the convolution,
  std::uint32_t step_rank = 0;       // rank of the time step
  bool norms_selected = false;       // step, in and out are normalised, without weights
};

struct Config {
  const Family* family = nullptr;
  std::string architecture;  // the family's name
  std::uint32_t layer_count = 0;
  std::uint32_t width = 0;      // n_embd
  std::uint32_t head_dim = 0;   // of queries and keys
  std::uint32_t value_dim = 0;  // of values
  std::uint32_t vocabulary_size = 0;
  std::uint32_t context_length = 0;  // as trained
  float norm_epsilon = 0;
  bool parallel = false;  // attention and ffn read the same input
  std::vector<LayerConfig> layers;
  std::vector<Rope> ropes;  // of layers without and with a window; empty where none rotates

  float embedding_scale = 1;
  float residual_scale = 1;   // of what attention and ffn add
  float attention_scale = 0;  // of the scores
  float logit_scale = 1;
  float attention_cap = 0;    // 0: none
  float logit_cap = 0;        // 0: none
  float qkv_clamp = 0;        // 0: none
  float alibi_bias = 0;       // largest slope's exponent; 0: no ALiBi

  RecurrentConfig recurrent;

  std::uint32_t expert_count = 0;  // of a mixture-of-experts layer; 0: there is none
  std::uint32_t experts_used = 0;  // a token
  std::uint32_t expert_width = 0;  // ffn width of one
  float expert_scale = 1;          // of the weights of the chosen

  // Errors: kModel, naming file, key, found and expected.
  static Result<Config> load(const gguf::File& file);

  // Tokens of context that coding uses unless told otherwise: half of what the model was trained on, at most 512
  // (docs/decisions/0002); with learned positions, where texts start anew at the end of the window, all of it, at most
  // 1024. And the most that can be asked for.
  [[nodiscard]] std::uint32_t default_window() const;
  [[nodiscard]] std::uint32_t window_max() const;

  [[nodiscard]] bool is_recurrent() const { return family->mixer != Mixer::kAttention; }
  [[nodiscard]] std::uint32_t state_floats() const;  // that a lane carries, one layer
  [[nodiscard]] bool learns_positions() const { return family->positions == Positions::kLearned; }
  [[nodiscard]] std::uint32_t heads_max() const;        // over the layers
  [[nodiscard]] std::uint32_t query_group_max() const;  // query heads that share a key and value head
};

}  // namespace tacit
