// SPDX-License-Identifier: MIT
// The table of architectures.
#include "oracle/family.h"

#include <algorithm>

namespace tacit::oracle {
namespace {

constexpr Presence kMaybe = Presence::kMaybe;
constexpr Presence kAlways = Presence::kAlways;

constexpr Family kFamilies[] = {
    // Llama (arXiv 2302.13971) and Mixtral (arXiv 2401.04088)
    {.name = "llama", .rope_divisors = RopeDivisors::kLlama3, .experts = {.presence = kMaybe, .renormalise = true}},
    {.name = "internlm2", .output = kAlways},
    {.name = "xverse", .output = kAlways},
    {.name = "arcee",
     .rope_divisors = RopeDivisors::kLlama3,
     .activation = Activation::kSquaredRelu,
     .gate = GateTensor::kNone},
    {.name = "exaone", .rope = RopeLayout::kHalves, .rope_divisors = RopeDivisors::kLlama3},
    {.name = "smollm3", .unturned_period = 4},
    {.name = "granite",
     .logit_scale = LogitScale::kDivide,
     .rope_divisors = RopeDivisors::kLlama3,
     .experts = {.presence = kMaybe, .renormalise = true, .shared = SharedExpert::kByWidth},
     .granite_multipliers = true},
    {.name = "granitemoe",
     .logit_scale = LogitScale::kDivide,
     .rope_divisors = RopeDivisors::kLlama3,
     .experts = {.presence = kMaybe, .renormalise = true, .shared = SharedExpert::kByWidth},
     .granite_multipliers = true},
    // DeepSeekMoE (arXiv 2401.06066)
    {.name = "deepseek",
     .experts = {.presence = kAlways,
                 .width = ExpertWidth::kKey,
                 .shared = SharedExpert::kByCount,
                 .scaled = true,
                 .leading_dense = true}},

    // Qwen (arXiv 2407.10671, 2505.09388)
    {.name = "qwen2", .qkv_bias = kAlways, .output_bias = kMaybe, .rope = RopeLayout::kHalves},
    {.name = "qwen2moe",
     .qkv_bias = kAlways,
     .output = kAlways,
     .rope = RopeLayout::kHalves,
     .experts = {.presence = kAlways, .width = ExpertWidth::kKeyOrShare, .shared = SharedExpert::kGated}},
    {.name = "qwen3", .query_key_norms = kAlways, .rope = RopeLayout::kHalves},
    {.name = "qwen3moe",
     .query_key_norms = kAlways,
     .rope = RopeLayout::kHalves,
     .experts = {.presence = kAlways, .renormalise = true, .width = ExpertWidth::kKeyOrShare}},

    // Gemma (arXiv 2403.08295, 2408.00118, 2503.19786); the files' norm weights include the papers' 1 +
    {.name = "gemma",
     .embedding_times_sqrt_width = true,
     .output = Presence::kNever,
     .rope = RopeLayout::kHalves,
     .activation = Activation::kGelu},
    {.name = "gemma2",
     .placement = NormPlacement::kBoth,
     .embedding_times_sqrt_width = true,
     .output = Presence::kNever,
     .logit_soft_cap = 30,
     .attention_soft_cap = 50,
     .width_scaled_layer_count = 46,
     .sliding = {.window = kMaybe, .default_window = 4096, .period = 2, .rope = LocalRope::kOwnBase},
     .rope = RopeLayout::kHalves,
     .activation = Activation::kGelu},
    {.name = "gemma3",
     .placement = NormPlacement::kBoth,
     .embedding_times_sqrt_width = true,
     .logit_soft_cap = 0,
     .query_key_norms = kAlways,
     .width_scaled_layer_count = 62,
     .sliding = {.window = kMaybe, .period = 6, .rope = LocalRope::kOwnBaseUnscaled},
     .rope = RopeLayout::kHalves,
     .activation = Activation::kGelu},

    // OLMo (arXiv 2402.00838, 2501.00656) and OLMoE (arXiv 2409.02060)
    {.name = "olmo", .norm = NormKind::kLayer, .norm_weight = false, .clamp = true},
    {.name = "olmo2",
     .placement = NormPlacement::kAfter,
     .output = kAlways,
     .query_key_norms = kAlways,
     .query_key_norm = QueryKeyNorm::kWhole,
     .sliding = {.window = kMaybe, .period = 4, .rope = LocalRope::kUnscaled},
     .rope = RopeLayout::kHalves},
    {.name = "olmoe",
     .output = kAlways,
     .query_key_norms = kAlways,
     .query_key_norm = QueryKeyNorm::kWhole,
     .rope = RopeLayout::kHalves,
     .experts = {.presence = kAlways}},
    // OpenELM (arXiv 2404.14619)
    {.name = "openelm", .output = Presence::kNever, .query_key_norms = kAlways, .rope = RopeLayout::kHalves},

    // Command R
    {.name = "command-r",
     .norm = NormKind::kLayer,
     .residual = Residual::kParallel,
     .output = Presence::kNever,
     .logit_scale = LogitScale::kMultiply,
     .query_key_norms = kMaybe,
     .query_key_norm = QueryKeyNorm::kPerHeadOwn},
    {.name = "cohere2",
     .norm = NormKind::kLayer,
     .residual = Residual::kParallel,
     .output = Presence::kNever,
     .logit_scale = LogitScale::kMultiply,
     .sliding = {.window = kAlways, .period = 4, .turns_only_local = true}},

    // gpt-oss (arXiv 2508.10925)
    {.name = "gpt-oss",
     .feed_forward_norm = "post_attention_norm",
     .bias = kAlways,
     .output = kAlways,
     .sinks = true,
     .sliding = {.window = kAlways, .period = 2, .rope = LocalRope::kOwnBase},
     .rope = RopeLayout::kHalves,
     .activation = Activation::kClampedSwiglu,
     .experts = {.presence = kAlways, .routing = Routing::kSoftmaxOfChosen, .width = ExpertWidth::kKey}},

    // Phi (arXiv 2309.05463, 2404.14219)
    {.name = "phi2",
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .residual = Residual::kParallel,
     .qkv_bias = kAlways,
     .bias = kAlways,
     .output_bias = kAlways,
     .output = kAlways,
     .rope = RopeLayout::kHalves,
     .activation = Activation::kGelu,
     .gate = GateTensor::kNone},
    {.name = "phi3", .rope = RopeLayout::kHalves, .rope_divisors = RopeDivisors::kLongRope, .gate = GateTensor::kFused},

    {.name = "stablelm",
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .residual = Residual::kParallelByTensor,
     .output = kAlways,
     .query_key_norms = kMaybe,
     .query_key_norm = QueryKeyNorm::kPerHeadOwn,
     .rope = RopeLayout::kHalves},
    // Falcon (arXiv 2311.16867)
    {.name = "falcon",
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .residual = Residual::kParallel,
     .attention_norm_2 = true,
     .rope = RopeLayout::kHalves,
     .activation = Activation::kGelu,
     .gate = GateTensor::kNone},
    // GPT-NeoX (arXiv 2204.06745)
    {.name = "gptneox",
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .residual = Residual::kParallelByKey,
     .qkv_bias = kAlways,
     .bias = kAlways,
     .output = kAlways,
     .rope = RopeLayout::kHalves,
     .activation = Activation::kGelu,
     .gate = GateTensor::kNone},
    // StarCoder 2 (arXiv 2402.19173)
    {.name = "starcoder2",
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .qkv_bias = kAlways,
     .bias = kAlways,
     .rope = RopeLayout::kHalves,
     .activation = Activation::kGelu,
     .gate = GateTensor::kNone},
    // GPT-2 and StarCoder (arXiv 2305.06161), which shares keys and values between heads
    {.name = "gpt2",
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .qkv_bias = kAlways,
     .bias = kAlways,
     .learned_positions = kAlways,
     .rope = RopeLayout::kNone,
     .activation = Activation::kGelu,
     .gate = GateTensor::kNone},
    {.name = "starcoder",
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .qkv_bias = kAlways,
     .bias = kAlways,
     .learned_positions = kAlways,
     .rope = RopeLayout::kNone,
     .activation = Activation::kGelu,
     .gate = GateTensor::kNone},
    // BLOOM (arXiv 2211.05100)
    {.name = "bloom",
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .embedding_norm = true,
     .qkv_bias = kAlways,
     .bias = kAlways,
     .rope = RopeLayout::kNone,
     .alibi = Alibi::kEight,
     .activation = Activation::kGelu,
     .gate = GateTensor::kNone},
    {.name = "mpt",
     .norm = NormKind::kLayer,
     .norm_bias = kMaybe,
     .learned_positions = kMaybe,
     .query_key_norms = kMaybe,
     .query_key_norm = QueryKeyNorm::kWhole,
     .clamp = true,
     .rope = RopeLayout::kNone,
     .alibi = Alibi::kByKey,
     .activation = Activation::kGelu,
     .gate = GateTensor::kNone},

    // Recurrent: RWKV-6 (arXiv 2404.05892), RWKV-7 (arXiv 2503.14456), Mamba (arXiv 2312.00752)
    {.name = "rwkv6",
     .layer = LayerKind::kRwkv6,
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .embedding_norm = true,
     .output = kAlways},
    {.name = "rwkv7",
     .layer = LayerKind::kRwkv7,
     .norm = NormKind::kLayer,
     .norm_bias = kAlways,
     .embedding_norm = true,
     .output = kAlways},
    {.name = "mamba", .layer = LayerKind::kMamba},
};

}  // namespace

const Family* find_family(std::string_view name) {
  const auto found = std::ranges::find(kFamilies, name, &Family::name);
  return found == std::end(kFamilies) ? nullptr : found;
}

std::span<const Family> families() { return kFamilies; }

}  // namespace tacit::oracle
