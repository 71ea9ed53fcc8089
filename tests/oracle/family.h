// SPDX-License-Identifier: MIT
// What tells one architecture from another: a row of plain data for each value of general.architecture. A row says
// which tensors and metadata a model has and what llama.cpp implies where the file is silent; shapes and numbers come
// from the file. The defaults below are those of `llama`, so a row names only what differs.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "oracle/model.h"

namespace tacit::oracle {

// Whether a file has a tensor or a key.
enum class Presence { kNever, kMaybe, kAlways };

enum class LayerKind { kTransformer, kRwkv6, kRwkv7, kMamba };

// Norms come before attention and feed-forward (their inputs), after them (their outputs), or on both sides.
enum class NormPlacement { kBefore, kAfter, kBoth };

// Whether attention and feed-forward both read the layer's input, or the feed-forward what attention left.
enum class Residual {
  kSequential,
  kParallel,          // one norm serves both
  kParallelByKey,     // two norms; `use_parallel_residual` decides
  kParallelByTensor,  // one norm serves both where ffn_norm is missing
};

enum class GateTensor {
  kNone,      // act(up x)
  kSeparate,  // act(gate x) * up x
  kFused,     // the same, ffn_up holding the rows of gate and then those of up
};

enum class QueryKeyNorm {
  kPerHead,     // one weight of a head's size for all heads
  kPerHeadOwn,  // a weight for every head
  kWhole,       // over all heads together
};

enum class RopeLayout {
  kNone,
  kInterleaved,  // pairs (2i, 2i + 1)
  kHalves,       // pairs (i, i + half the turned elements), as GPT-NeoX
};

// Tensors of divisors of the frequencies.
enum class RopeDivisors {
  kNone,
  kLlama3,    // rope_freqs; under scaling type "longrope" as kLongRope
  kLongRope,  // rope_factors_long where the context is longer than the original one, else rope_factors_short
};

// How rotation differs on layers with a sliding window.
enum class LocalRope {
  kSame,
  kOwnBase,          // base rope.freq_base_swa, else that of the other layers
  kOwnBaseUnscaled,  // base rope.freq_base_swa, else 10000; no scaling of positions
  kUnscaled,         // no scaling of positions, no magnitude
};

enum class Alibi { kNone, kEight, kByKey };

enum class LogitScale { kNone, kMultiply, kDivide };

// Sliding windows. Layers i with i % period < period - 1 slide; the file may give another period.
struct Sliding {
  Presence window = Presence::kNever;  // the key attention.sliding_window
  std::size_t default_window = 0;      // where it is missing; 0: no layer slides
  std::size_t period = 0;
  LocalRope rope = LocalRope::kSame;
  bool turns_only_local = false;  // layers without a window have no positions at all
};

enum class ExpertWidth {
  kFeedForward,  // feed_forward_length
  kKey,          // expert_feed_forward_length
  kKeyOrShare,   // the same, else feed_forward_length / expert_used_count
};

enum class SharedExpert {
  kNone,
  kByWidth,  // of width expert_shared_feed_forward_length, where that is given
  kByCount,  // expert_shared_count times as wide as one expert
  kGated,    // kByWidth (else feed_forward_length wide), times the sigmoid of a gate of its own
};

struct ExpertRule {
  Presence presence = Presence::kNever;  // kMaybe: where expert_count is not 0
  Routing routing = Routing::kSoftmaxOfAll;
  bool renormalise = false;
  ExpertWidth width = ExpertWidth::kFeedForward;
  SharedExpert shared = SharedExpert::kNone;
  bool scaled = false;         // by the key expert_weights_scale
  bool leading_dense = false;  // the first leading_dense_block_count layers have no experts
};

struct Family {
  std::string_view name;
  LayerKind layer = LayerKind::kTransformer;

  // Norms
  NormKind norm = NormKind::kRms;
  bool norm_weight = true;
  Presence norm_bias = Presence::kNever;
  NormPlacement placement = NormPlacement::kBefore;
  Residual residual = Residual::kSequential;
  bool embedding_norm = false;
  bool attention_norm_2 = false;  // attn_norm_2, where it is there, feeds attention, and attn_norm the feed-forward
  std::string_view feed_forward_norm = "ffn_norm";

  // Biases of linear layers
  Presence qkv_bias = Presence::kMaybe;
  Presence bias = Presence::kMaybe;  // of the others in a layer
  Presence output_bias = Presence::kNever;

  // Embedding and output
  Presence learned_positions = Presence::kNever;
  bool embedding_times_sqrt_width = false;
  Presence output = Presence::kMaybe;  // the tensor `output`; without it the embedding is used again
  LogitScale logit_scale = LogitScale::kNone;
  std::optional<double> logit_soft_cap = {};  // where final_logit_softcapping is missing; 0: none

  // Attention
  Presence query_key_norms = Presence::kNever;
  QueryKeyNorm query_key_norm = QueryKeyNorm::kPerHead;
  bool clamp = false;                             // attention.clamp_kqv
  std::optional<double> attention_soft_cap = {};  // where attn_logit_softcapping is missing
  std::size_t width_scaled_layer_count = 0;  // a model of so many layers scales scores by 1 / sqrt(width / head_count)
  bool sinks = false;
  Sliding sliding = {};

  // Positions
  RopeLayout rope = RopeLayout::kInterleaved;
  RopeDivisors rope_divisors = RopeDivisors::kNone;
  std::size_t unturned_period = 0;  // every layer of this number has no positions; 0: none
  Alibi alibi = Alibi::kNone;

  // Feed-forward
  Activation activation = Activation::kSilu;
  GateTensor gate = GateTensor::kSeparate;
  ExpertRule experts = {};

  bool granite_multipliers = false;  // keys embedding_scale, residual_scale, attention.scale; rope.scaling.finetuned
};

// nullptr for a name that is not known here.
const Family* find_family(std::string_view name);

std::span<const Family> families();

}  // namespace tacit::oracle
