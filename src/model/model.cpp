// SPDX-License-Identifier: MIT
#include "model/model.h"

namespace tacit {
namespace {

std::uint64_t cost(const Linear& linear) { return std::uint64_t{linear.input_count} * linear.packed.output_count; }
std::uint64_t cost(const Ffn& ffn) { return cost(ffn.gate) + cost(ffn.up) + cost(ffn.down); }

}  // namespace

std::uint64_t Model::multiply_adds_per_token() const {
  std::uint64_t total = cost(weights.output);
  for (const LayerWeights& layer : weights.layers) {
    total += cost(layer.query) + cost(layer.key) + cost(layer.value) + cost(layer.attention_output) +
             cost(layer.ffn) + cost(layer.router);
    if (!layer.experts.empty()) total += config.experts_used * cost(layer.experts[0]);
  }
  return total;
}

}  // namespace tacit
