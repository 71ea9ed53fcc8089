// SPDX-License-Identifier: MIT
// What distinguishes the transformer families from each other, as data: one entry for each `general.architecture`. The
// forward pass reads these and the file's own metadata; it knows no architecture by name. What a family has "where the
// tensor is there" (biases, norms of queries and keys, tied outputs, ffn experts) needs no entry here.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tacit {

enum class NormKind : std::uint8_t {
  kRms,    // x / sqrt(mean(x^2) + epsilon) * weight (arXiv 1910.07467)
  kLayer,  // (x - mean) / sqrt(variance + epsilon) * weight + bias (arXiv 1607.06450)
};

// The token mixer: how a position gets at those before it.
enum class Mixer : std::uint8_t {
  kAttention,  // arXiv 1706.03762
  kRwkv6,      // arXiv 2404.05892
  kRwkv7,      // arXiv 2503.14456
  kMamba,      // arXiv 2312.00752
};

// Where a layer normalises: what it reads, what it writes, or both.
enum class NormPlace : std::uint8_t { kBefore, kAfter, kAround };

enum class Residual : std::uint8_t {
  kSequential,               // x += attention(x); x += ffn(x)
  kParallel,                 // x += attention(x) + ffn(x)
  kParallelByKey,            // as the key use_parallel_residual says
  kParallelWithoutFfnNorm,   // parallel where there is no tensor ffn_norm
};

enum class Positions : std::uint8_t {
  kRopePairs,   // rotary, of the elements 2i and 2i + 1 (arXiv 2104.09864)
  kRopeHalves,  // rotary, of the elements i and i + n / 2
  kLearned,     // a vector per position, added to the embedding
  kAlibi,       // a penalty on distance, a slope per head (arXiv 2108.12409)
  kNone,        // a recurrence needs none
};

enum class Activation : std::uint8_t {
  kSilu,           // x * sigmoid(x)
  kGelu,           // its tanh form (arXiv 1606.08415)
  kSquaredRelu,    // max(x, 0)^2 (arXiv 2109.08668)
  kClampedSwiglu,  // of gpt-oss: min(gate, 7) * sigmoid(1.702 * gate) * (clamp(up, -7, 7) + 1)
};

enum class FfnShape : std::uint8_t {
  kGated,      // down(activation(gate(x)) * up(x))
  kPlain,      // down(activation(up(x)))
  kGateInUp,   // gated; the tensor ffn_up has the rows of the gate and then those of up
};

enum class Routing : std::uint8_t {
  kSoftmax,       // weights are the softmax over all ffn experts
  kNormalised,    // the same, divided by the sum of the chosen ones
};

struct Family {
  std::string_view architecture;
  Mixer mixer = Mixer::kAttention;

  NormKind norm = NormKind::kRms;
  NormPlace norm_place = NormPlace::kBefore;
  bool norm_weights = true;                       // false: norms have no weights
  std::string_view ffn_norm = "ffn_norm";         // the tensor of the norm before the ffn
  bool embedding_norm = false;                    // token_embd_norm
  Residual residual = Residual::kSequential;
  Positions positions = Positions::kRopePairs;
  Activation activation = Activation::kSilu;
  FfnShape ffn = FfnShape::kGated;
  Routing routing = Routing::kNormalised;         // where layers have ffn experts

  // Layers whose number mod window_period is window_period - 1 attend to everything, the others to
  // attention.sliding_window positions. 0: all attend to everything.
  std::uint32_t window_period = 0;
  std::uint32_t window = 0;                       // where attention.sliding_window is missing; 0: none then
  bool rope_in_windows_only = false;
  bool scaled_rope_outside_windows_only = false;  // rope scaling applies to the layers without window only
  double window_rope_base = 0;                    // of layers with a window; 0: as of the others
  std::uint32_t unrotated_period = 0;             // layers whose number mod it is it - 1 do not rotate; 0: all rotate
  bool unrotated_by_key = false;                  // none rotates where rope.scaling.finetuned is false

  bool embedding_times_root_width = false;
  bool logits_divided = true;                     // by logit_scale; false: multiplied with it
  double attention_cap = 0;                       // where attn_logit_softcapping is missing; 0: none
  double logit_cap = 0;                           // where final_logit_softcapping is missing; 0: none
  double alibi_bias = 0;                          // where attention.max_alibi_bias is missing
  // A model of so many layers divides scores by the root of width / heads, not of the head's size. 0: none does.
  std::uint32_t root_width_layers = 0;

  // What must be there; without these bits it is used where it is there.
  bool needs_qkv_bias = false;
  bool needs_output_bias = false;                 // attn_output
  bool needs_ffn_bias = false;
  bool needs_norm_bias = false;
  bool needs_head_norms = false;                  // attn_q_norm, attn_k_norm
  bool needs_sinks = false;                       // attn_sinks
};

std::span<const Family> families();
// nullptr where there is none.
const Family* find_family(std::string_view architecture);

}  // namespace tacit
