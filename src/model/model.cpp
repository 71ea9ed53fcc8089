// SPDX-License-Identifier: MIT
#include "model/model.h"

namespace tacit {
namespace {

std::uint64_t cost(const Linear& linear) { return linear.multiply_adds(); }
std::uint64_t cost(const Ffn& ffn) { return cost(ffn.gate) + cost(ffn.up) + cost(ffn.down); }
std::uint64_t cost(const LowRank& low_rank) { return cost(low_rank.down) + cost(low_rank.up); }
std::uint64_t cost(const RwkvWeights& w) {
  std::uint64_t total = cost(w.lerp_down);
  for (const Linear& up : w.lerp_up) total += cost(up);
  for (const LowRank* low_rank : {&w.decay, &w.gate7, &w.rate, &w.value_mix}) total += cost(*low_rank);
  for (const Linear* linear : {&w.receptance, &w.key, &w.value, &w.output, &w.gate, &w.channel_key, &w.channel_value,
                               &w.channel_receptance}) {
    total += cost(*linear);
  }
  return total;
}
std::uint64_t cost(const MambaWeights& w) { return cost(w.in) + cost(w.select) + cost(w.step) + cost(w.out); }

}  // namespace

std::uint64_t Model::multiply_adds_per_token() const {
  std::uint64_t total = cost(weights.output);
  for (const LayerWeights& layer : weights.layers) {
    total += cost(layer.query) + cost(layer.key) + cost(layer.value) + cost(layer.attention_output) +
             cost(layer.ffn) + cost(layer.router) + cost(layer.rwkv) + cost(layer.mamba);
    if (!layer.experts.empty()) total += config.experts_used * cost(layer.experts[0]);
  }
  return total;
}

}  // namespace tacit
