// SPDX-License-Identifier: MIT
// Feed-forward layers: plain, gated (arXiv 2002.05202), and mixtures of experts (arXiv 1701.06538).
#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>
#include <numeric>

#include "oracle/layers.h"

namespace tacit::oracle {
namespace {

double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

double activate(double x, Activation activation) {
  assert(activation != Activation::kClampedSwiglu);
  if (activation == Activation::kSquaredRelu) return squared_relu(x);
  return activation == Activation::kSilu ? silu(x) : gelu(x);
}

// gpt-oss (arXiv 2508.10925): a swish with slope 1.702 of a gate up to 7, times one more than `up` within +-7.
double clamped_swiglu(double gate, double up) {
  constexpr double kLimit = 7, kSlope = 1.702;
  const double g = std::min(gate, kLimit);
  return g * sigmoid(kSlope * g) * (std::clamp(up, -kLimit, kLimit) + 1);
}

double gated(double gate, double up, Activation activation) {
  return activation == Activation::kClampedSwiglu ? clamped_swiglu(gate, up) : activate(gate, activation) * up;
}

struct Choice {
  std::size_t expert;
  double weight;
};

// The experts of one token, whose router scores are `scores`. Of equal ones the first is taken.
std::vector<Choice> choose(const Experts& layer, std::span<const double> scores) {
  Vector weights(scores.begin(), scores.end());
  if (layer.routing == Routing::kSoftmaxOfAll) softmax(weights);
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  order.resize(layer.used_count);

  Vector chosen;
  for (const std::size_t expert : order) chosen.push_back(weights[expert]);
  if (layer.routing == Routing::kSoftmaxOfChosen) softmax(chosen);
  const double sum = layer.renormalise ? std::accumulate(chosen.begin(), chosen.end(), 0.0) : 1;
  std::vector<Choice> choices;
  for (std::size_t i = 0; i < order.size(); ++i) choices.push_back({order[i], layer.weight_scale * chosen[i] / sum});
  return choices;
}

Matrix row_of(const Matrix& x, std::size_t p) { return {1, x.column_count, Vector(x.row(p).begin(), x.row(p).end())}; }

}  // namespace

Matrix feed_forward(const FeedForward& layer, const Matrix& x) {
  Matrix hidden = apply(layer.up, x);
  if (layer.gate) {
    const Matrix gate = apply(*layer.gate, x);
    for (std::size_t i = 0; i < hidden.values.size(); ++i) {
      hidden.values[i] = gated(gate.values[i], hidden.values[i], layer.activation);
    }
  } else {
    for (double& value : hidden.values) value = activate(value, layer.activation);
  }
  return apply(layer.down, hidden);
}

Matrix feed_forward(const Experts& layer, const Matrix& x) {
  Matrix y = zeros(x.row_count, x.column_count);
  const Matrix scores = apply(layer.router, x);
  for (std::size_t p = 0; p < x.row_count; ++p) {
    for (const Choice& choice : choose(layer, scores.row(p))) {
      const Matrix result = feed_forward(layer.experts[choice.expert], row_of(x, p));
      for (std::size_t i = 0; i < y.column_count; ++i) y.row(p)[i] += choice.weight * result.values[i];
    }
  }
  if (!layer.shared) return y;
  Matrix shared = feed_forward(*layer.shared, x);
  if (layer.shared_gate) {
    const Matrix gate = apply(*layer.shared_gate, x);
    for (std::size_t p = 0; p < x.row_count; ++p) {
      for (double& value : shared.row(p)) value *= sigmoid(gate.row(p)[0]);
    }
  }
  add(y, shared);
  return y;
}

}  // namespace tacit::oracle
