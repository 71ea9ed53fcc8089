// SPDX-License-Identifier: MIT
#include "model/family.h"

#include <algorithm>

namespace tacit {
namespace {

// Ordered by name within a group. Sources: the papers and published configurations of the models; names of tensors and
// keys: https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/constants.py
constexpr Family kFamilies[] = {
    // RMS norms, silu gates, rotary positions: the line of LLaMA (arXiv 2302.13971).
    {.architecture = "arcee", .activation = Activation::kSquaredRelu, .ffn = FfnShape::kPlain},
    {.architecture = "deepseek", .routing = Routing::kSoftmax},
    {.architecture = "exaone", .positions = Positions::kRopeHalves},
    {.architecture = "granite", .unrotated_by_key = true},
    {.architecture = "granitemoe", .unrotated_by_key = true},
    {.architecture = "internlm2"},
    {.architecture = "llama"},
    {.architecture = "olmoe", .positions = Positions::kRopeHalves, .routing = Routing::kSoftmax,
     .needs_head_norms = true},
    {.architecture = "openelm", .positions = Positions::kRopeHalves, .needs_head_norms = true},
    {.architecture = "phi3", .positions = Positions::kRopeHalves, .ffn = FfnShape::kGateInUp},
    {.architecture = "qwen2", .positions = Positions::kRopeHalves, .needs_qkv_bias = true},
    {.architecture = "qwen2moe", .positions = Positions::kRopeHalves, .routing = Routing::kSoftmax,
     .needs_qkv_bias = true},
    {.architecture = "qwen3", .positions = Positions::kRopeHalves, .needs_head_norms = true},
    {.architecture = "qwen3moe", .positions = Positions::kRopeHalves, .needs_head_norms = true},
    {.architecture = "smollm3", .unrotated_period = 4},
    {.architecture = "xverse", .positions = Positions::kRopeHalves},

    // Norms in other places.
    {.architecture = "gemma", .positions = Positions::kRopeHalves, .activation = Activation::kGelu,
     .embedding_times_root_width = true},
    {.architecture = "gemma2", .norm_place = NormPlace::kAround, .positions = Positions::kRopeHalves,
     .activation = Activation::kGelu, .window_period = 2, .window = 4096, .embedding_times_root_width = true,
     .attention_cap = 50,
     .logit_cap = 30, .root_width_layers = 46},
    {.architecture = "gemma3", .norm_place = NormPlace::kAround, .positions = Positions::kRopeHalves,
     .activation = Activation::kGelu, .window_period = 6, .scaled_rope_outside_windows_only = true,
     .window_rope_base = 10000, .embedding_times_root_width = true, .root_width_layers = 62,
     .needs_head_norms = true},
    {.architecture = "olmo2", .norm_place = NormPlace::kAfter, .positions = Positions::kRopeHalves, .window_period = 4,
     .scaled_rope_outside_windows_only = true, .needs_head_norms = true},
    {.architecture = "gpt-oss", .ffn_norm = "post_attention_norm", .positions = Positions::kRopeHalves,
     .activation = Activation::kClampedSwiglu, .window_period = 2, .needs_qkv_bias = true, .needs_output_bias = true,
     .needs_ffn_bias = true, .needs_sinks = true},

    // Layer norms.
    {.architecture = "bloom", .norm = NormKind::kLayer, .embedding_norm = true, .positions = Positions::kAlibi,
     .activation = Activation::kGelu, .ffn = FfnShape::kPlain, .alibi_bias = 8, .needs_qkv_bias = true,
     .needs_output_bias = true, .needs_ffn_bias = true, .needs_norm_bias = true},
    {.architecture = "cohere2", .norm = NormKind::kLayer, .residual = Residual::kParallel, .window_period = 4,
     .rope_in_windows_only = true, .logits_divided = false},
    {.architecture = "command-r", .norm = NormKind::kLayer, .residual = Residual::kParallel, .logits_divided = false},
    {.architecture = "falcon", .norm = NormKind::kLayer, .residual = Residual::kParallel,
     .positions = Positions::kRopeHalves, .activation = Activation::kGelu, .ffn = FfnShape::kPlain,
     .needs_norm_bias = true},
    {.architecture = "gpt2", .norm = NormKind::kLayer, .positions = Positions::kLearned,
     .activation = Activation::kGelu, .ffn = FfnShape::kPlain, .needs_qkv_bias = true, .needs_output_bias = true,
     .needs_ffn_bias = true, .needs_norm_bias = true},
    {.architecture = "gptneox", .norm = NormKind::kLayer, .residual = Residual::kParallelByKey,
     .positions = Positions::kRopeHalves, .activation = Activation::kGelu, .ffn = FfnShape::kPlain,
     .needs_qkv_bias = true, .needs_output_bias = true, .needs_ffn_bias = true, .needs_norm_bias = true},
    {.architecture = "mpt", .norm = NormKind::kLayer, .positions = Positions::kAlibi, .activation = Activation::kGelu,
     .ffn = FfnShape::kPlain},
    {.architecture = "olmo", .norm = NormKind::kLayer, .norm_weights = false},
    {.architecture = "phi2", .norm = NormKind::kLayer, .residual = Residual::kParallelWithoutFfnNorm,
     .positions = Positions::kRopeHalves, .activation = Activation::kGelu, .ffn = FfnShape::kPlain,
     .needs_qkv_bias = true, .needs_output_bias = true, .needs_ffn_bias = true, .needs_norm_bias = true},
    {.architecture = "stablelm", .norm = NormKind::kLayer, .residual = Residual::kParallelWithoutFfnNorm,
     .positions = Positions::kRopeHalves, .needs_norm_bias = true},
    {.architecture = "starcoder", .norm = NormKind::kLayer, .positions = Positions::kLearned,
     .activation = Activation::kGelu, .ffn = FfnShape::kPlain, .needs_qkv_bias = true, .needs_output_bias = true,
     .needs_ffn_bias = true, .needs_norm_bias = true},
    {.architecture = "starcoder2", .norm = NormKind::kLayer, .positions = Positions::kRopeHalves,
     .activation = Activation::kGelu, .ffn = FfnShape::kPlain, .needs_qkv_bias = true, .needs_output_bias = true,
     .needs_ffn_bias = true, .needs_norm_bias = true},

    // Recurrent.
    {.architecture = "mamba", .mixer = Mixer::kMamba, .positions = Positions::kNone},
    {.architecture = "rwkv6", .mixer = Mixer::kRwkv6, .norm = NormKind::kLayer, .embedding_norm = true,
     .positions = Positions::kNone, .needs_norm_bias = true},
    {.architecture = "rwkv7", .mixer = Mixer::kRwkv7, .norm = NormKind::kLayer, .embedding_norm = true,
     .positions = Positions::kNone, .needs_norm_bias = true},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view architecture) {
  const auto* found = std::ranges::find(kFamilies, architecture, &Family::architecture);
  return found == std::end(kFamilies) ? nullptr : found;
}

}  // namespace tacit
