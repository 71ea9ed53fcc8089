// SPDX-License-Identifier: MIT
// The smallest random model of each architecture, as parts: two layers, every tensor that its family needs and none
// that it may have besides.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/family.h"
#include "support/model_parts.h"

namespace tacit::test {

class FamilyModel {
 public:
  // `experts`: layers choose two of four feed-forward networks. `width`: a multiple of 8.
  static ModelParts make(const Family& family, bool experts, std::uint32_t width = 32) {
    FamilyModel model(family, experts, width);
    model.settings();
    model.tensors();
    return std::move(model.parts_);
  }

 private:
  static constexpr std::uint32_t kLayers = 2, kHeads = 4, kKvHeads = 2, kHeadDim = 8, kFfnWidth = 32;
  static constexpr std::uint32_t kContext = 64, kVocabulary = 40, kExperts = 4;
  static constexpr std::uint32_t kHeadSize = 8, kRank = 4;                         // RWKV
  static constexpr std::uint32_t kInner = 32, kState = 4, kKernel = 4, kStep = 2;  // Mamba

  FamilyModel(const Family& family, bool experts, std::uint32_t width)
      : family_(family), experts_(experts), width_(width), parts_{std::string(family.architecture), {}, {}} {}

  void settings() {
    parts_.settings = {{"block_count", kLayers}, {"embedding_length", width_}, {"context_length", kContext}};
    const bool rms = family_.norm == NormKind::kRms;
    parts_.settings[rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"] = 1e-5f;
    switch (family_.mixer) {
      case Mixer::kMamba:
        return set({{"ssm.inner_size", kInner},
                    {"ssm.state_size", kState},
                    {"ssm.conv_kernel", kKernel},
                    {"ssm.time_step_rank", kStep}});
      case Mixer::kRwkv6:
        set({{"time_mix_extra_dim", kRank}, {"time_decay_extra_dim", kRank}});
        [[fallthrough]];
      case Mixer::kRwkv7:
        return set({{"wkv.head_size", kHeadSize}, {"feed_forward_length", kFfnWidth}});
      case Mixer::kAttention:
        break;
    }
    set({{"attention.head_count", kHeads},
         {"attention.head_count_kv", kKvHeads},
         {"attention.key_length", kHeadDim},
         {"attention.value_length", kHeadDim},
         {"feed_forward_length", kFfnWidth}});
    if (rotates()) set({{"rope.dimension_count", kHeadDim}});
    if (family_.window_period != 0) set({{"attention.sliding_window", 12u}});
    if (experts_) {
      set({{"expert_count", kExperts}, {"expert_used_count", 2u}, {"expert_feed_forward_length", kFfnWidth}});
    }
  }

  void tensors() {
    add("token_embd", {width_, kVocabulary});
    if (family_.positions == Positions::kLearned) add("position_embd", {width_, kContext});
    if (family_.embedding_norm) norm("token_embd_norm");
    for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
      prefix_ = "blk." + std::to_string(layer) + ".";
      switch (family_.mixer) {
        case Mixer::kAttention:
          attention_layer();
          break;
        case Mixer::kMamba:
          mamba_layer();
          break;
        case Mixer::kRwkv6:
        case Mixer::kRwkv7:
          rwkv_layer(layer == 0);
          break;
      }
    }
    prefix_.clear();
    norm("output_norm");
  }

  void attention_layer() {
    if (family_.norm_place != NormPlace::kAfter) {
      norm("attn_norm");
      if (family_.residual == Residual::kSequential) norm(std::string(family_.ffn_norm));
    }
    if (family_.norm_place != NormPlace::kBefore) {
      norm("post_attention_norm");
      norm("post_ffw_norm");
    }
    if (family_.residual == Residual::kParallelByKey) norm("ffn_norm");
    matrix("attn_q", width_, kHeads * kHeadDim, family_.needs_qkv_bias);
    matrix("attn_k", width_, kKvHeads * kHeadDim, family_.needs_qkv_bias);
    matrix("attn_v", width_, kKvHeads * kHeadDim, family_.needs_qkv_bias);
    matrix("attn_output", kHeads * kHeadDim, width_, family_.needs_output_bias);
    if (family_.needs_head_norms) {
      add("attn_q_norm", {kHeadDim});
      add("attn_k_norm", {kHeadDim});
    }
    if (family_.needs_sinks) add("attn_sinks", {kHeads});
    if (experts_) return expert_layer();
    if (family_.ffn == FfnShape::kGated) matrix("ffn_gate", width_, kFfnWidth, family_.needs_ffn_bias);
    matrix("ffn_up", width_, (family_.ffn == FfnShape::kGateInUp ? 2 : 1) * kFfnWidth, family_.needs_ffn_bias);
    matrix("ffn_down", kFfnWidth, width_, family_.needs_ffn_bias);
  }

  void expert_layer() {
    matrix("ffn_gate_inp", width_, kExperts, family_.needs_ffn_bias);
    for (const char* name : {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"}) {
      const bool is_down = std::string_view(name) == "ffn_down_exps";
      const std::uint32_t inputs = is_down ? kFfnWidth : width_, outputs = is_down ? width_ : kFfnWidth;
      add(name, {inputs, outputs, kExperts});
      if (family_.needs_ffn_bias) parts_.add_random(prefix_ + name + ".bias", {outputs, kExperts});
    }
  }

  void rwkv_layer(bool is_first) {
    norm("attn_norm");
    norm("attn_norm_2");
    for (const char* name : {"receptance", "key", "value", "output"}) {
      add(std::string("time_mix_") + name, {width_, width_});
    }
    norm("time_mix_ln");
    add("channel_mix_lerp_k", {width_});
    add("channel_mix_key", {width_, kFfnWidth});
    add("channel_mix_value", {kFfnWidth, width_});
    family_.mixer == Mixer::kRwkv6 ? rwkv6_layer() : rwkv7_layer(is_first);
  }

  void rwkv6_layer() {
    add("time_mix_lerp_x", {width_});
    add("time_mix_w1", {width_, 5 * kRank});
    add("time_mix_w2", {kRank, width_, 5});
    add("time_mix_lerp_fused", {width_, 1, 1, 5});
    add("time_mix_decay", {width_});
    add("time_mix_decay_w1", {width_, kRank});
    add("time_mix_decay_w2", {kRank, width_});
    add("time_mix_first", {kHeadSize, width_ / kHeadSize});
    add("time_mix_gate", {width_, width_});
    add("channel_mix_lerp_r", {width_});
    add("channel_mix_receptance", {width_, width_});
  }

  void rwkv7_layer(bool is_first) {
    add("time_mix_lerp_fused", {width_, 1, 1, 6});
    for (const char* letter : {"w", "a", "g", "v"}) {
      const std::string name = std::string("time_mix_") + letter;
      if (name.ends_with('v') && is_first) continue;
      if (!name.ends_with('g')) add(name + "0", {width_});
      add(name + "1", {width_, kRank});
      add(name + "2", {kRank, width_});
    }
    for (const char* name : {"time_mix_k_k", "time_mix_k_a", "time_mix_r_k"}) add(name, {width_});
  }

  void mamba_layer() {
    norm("attn_norm");
    add("ssm_in", {width_, 2 * kInner});
    matrix("ssm_conv1d", kKernel, kInner, true);
    add("ssm_x", {kInner, kStep + 2 * kState});
    matrix("ssm_dt", kStep, kInner, true);
    parts_.add_random(prefix_ + "ssm_a", {kState, kInner});
    for (float& decay : parts_.tensors[prefix_ + "ssm_a"].values) decay -= 2;
    parts_.add_random(prefix_ + "ssm_d", {kInner});
    add("ssm_out", {kInner, width_});
  }

  [[nodiscard]] bool rotates() const {
    return family_.positions == Positions::kRopePairs || family_.positions == Positions::kRopeHalves;
  }
  void set(const std::vector<std::pair<std::string, Setting>>& settings) {
    for (const auto& [name, value] : settings) parts_.settings[name] = value;
  }
  void add(const std::string& name, const std::vector<std::uint64_t>& shape) {
    parts_.add_random(prefix_ + name + ".weight", shape);
  }
  void matrix(const std::string& name, std::uint32_t inputs, std::uint32_t outputs, bool has_bias) {
    add(name, {inputs, outputs});
    if (has_bias) parts_.add_random(prefix_ + name + ".bias", {outputs});
  }
  void norm(const std::string& name) {
    if (family_.norm_weights) add(name, {width_});
    if (family_.needs_norm_bias) parts_.add_random(prefix_ + name + ".bias", {width_});
  }

  const Family& family_;
  const bool experts_;
  const std::uint32_t width_;
  ModelParts parts_;
  std::string prefix_;
};

}  // namespace tacit::test
