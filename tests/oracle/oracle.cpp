// SPDX-License-Identifier: MIT
// The forward pass.
#include "oracle/oracle.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "oracle/layers.h"

namespace tacit::oracle {
namespace {

Matrix embed(const Model& model, std::span<const std::int32_t> tokens) {
  Matrix x = zeros(tokens.size(), model.token_embedding.column_count);
  for (std::size_t p = 0; p < tokens.size(); ++p) {
    assert(tokens[p] >= 0 && static_cast<std::size_t>(tokens[p]) < model.token_embedding.row_count);
    std::ranges::copy(model.token_embedding.row(static_cast<std::size_t>(tokens[p])), x.row(p).begin());
    for (double& value : x.row(p)) value *= model.embedding_scale;
    if (model.position_embedding.values.empty()) continue;
    assert(p < model.position_embedding.row_count);
    for (std::size_t i = 0; i < x.column_count; ++i) x.row(p)[i] += model.position_embedding.row(p)[i];
  }
  return normalise(x, model.embedding_norm);
}

void run(const TransformerLayer& layer, Matrix& x, const AttentionRule& rule) {
  const Matrix input = x;
  const Matrix attended = attention(layer.attention, normalise(x, layer.attention_norm), rule);
  add(x, normalise(attended, layer.attention_post_norm), layer.residual_scale);

  const Matrix f = normalise(layer.parallel ? input : x, layer.feed_forward_norm);
  const Matrix fed = std::visit([&](const auto& part) { return feed_forward(part, f); }, layer.feed_forward);
  add(x, normalise(fed, layer.feed_forward_post_norm), layer.residual_scale);
}

// A layer of any kind, by overload.
struct Runner {
  Matrix& x;
  const AttentionRule& rule;
  Matrix& first_value;
  void operator()(const TransformerLayer& layer) const { run(layer, x, rule); }
  void operator()(const Rwkv6Layer& layer) const { oracle::run(layer, x); }
  void operator()(const Rwkv7Layer& layer) const { oracle::run(layer, x, first_value); }
  void operator()(const MambaLayer& layer) const { oracle::run(layer, x); }
};

}  // namespace

Matrix logits(const Model& model, std::span<const std::int32_t> tokens, const AttentionRule& rule) {
  Matrix x = embed(model, tokens);  // [n, width]
  Matrix first_value;
  for (const Layer& layer : model.layers) std::visit(Runner{x, rule, first_value}, layer);
  Matrix y = apply(model.output, normalise(x, model.output_norm));
  for (double& value : y.values) {
    value *= model.logit_scale;
    if (model.logit_soft_cap != 0) value = model.logit_soft_cap * std::tanh(value / model.logit_soft_cap);
  }
  return y;
}

}  // namespace tacit::oracle
