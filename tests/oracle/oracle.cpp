// SPDX-License-Identifier: MIT
// The forward pass. Every function works on whole sequences, one row a position.
#include "oracle/oracle.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace tacit::oracle {
namespace {

Matrix zeros(std::size_t row_count, std::size_t column_count) {
  return {row_count, column_count, std::vector<double>(row_count * column_count)};
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void add(Matrix& x, const Matrix& y) {
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] += y.values[i];
}

Matrix embed(const Matrix& embedding, std::span<const std::int32_t> tokens) {
  Matrix x = zeros(tokens.size(), embedding.column_count);
  for (std::size_t p = 0; p < tokens.size(); ++p) {
    assert(tokens[p] >= 0 && static_cast<std::size_t>(tokens[p]) < embedding.row_count);
    std::ranges::copy(embedding.row(static_cast<std::size_t>(tokens[p])), x.row(p).begin());
  }
  return x;
}

// x / sqrt(mean(x^2) + epsilon) * weight
Matrix rms_norm(const Matrix& x, std::span<const double> weight, double epsilon) {
  Matrix y = x;
  for (std::size_t p = 0; p < x.row_count; ++p) {
    const double mean_square = dot(x.row(p), x.row(p)) / static_cast<double>(x.column_count);
    const double scale = 1 / std::sqrt(mean_square + epsilon);
    for (std::size_t i = 0; i < x.column_count; ++i) y.row(p)[i] *= scale * weight[i];
  }
  return y;
}

// weight x + bias
Matrix apply(const Linear& linear, const Matrix& x) {
  Matrix y = zeros(x.row_count, linear.weight.row_count);
  for (std::size_t p = 0; p < y.row_count; ++p) {
    for (std::size_t i = 0; i < y.column_count; ++i) {
      y.row(p)[i] = dot(linear.weight.row(i), x.row(p)) + (linear.bias.empty() ? 0 : linear.bias[i]);
    }
  }
  return y;
}

// Turns a head's query back by `distance` positions. Its dot product with an unturned key is then that of a query and
// a key that are turned by their own positions, `distance` apart. Both of those carry the magnitude, hence its square.
std::vector<double> turn(std::span<const double> query, double distance, const Config& config) {
  std::vector<double> turned(query.begin(), query.end());
  const double magnitude = config.rope_magnitude * config.rope_magnitude;
  for (std::size_t i = 0; i < config.rope_frequencies.size(); ++i) {
    const double cosine = magnitude * std::cos(distance * config.rope_frequencies[i]);
    const double sine = magnitude * std::sin(distance * config.rope_frequencies[i]);
    turned[2 * i] = query[2 * i] * cosine - query[2 * i + 1] * sine;
    turned[2 * i + 1] = query[2 * i] * sine + query[2 * i + 1] * cosine;
  }
  return turned;
}

// Position `position` of a sequence attends to position `other` <= `position` at rotary distance `distance`.
struct Link {
  std::size_t other;
  std::size_t distance;
};

std::vector<Link> links_of(std::size_t position, const AttentionRule& rule) {
  const std::size_t window = rule.window;
  const bool slides = window != 0 && position >= window;
  std::vector<Link> links = {{0, slides ? window - 1 : position}};
  for (std::size_t j = slides ? position - window + 2 : 1; j <= position; ++j) links.push_back({j, position - j});
  return links;
}

void softmax(std::vector<double>& scores) {
  const double largest = *std::ranges::max_element(scores);
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (double& score : scores) score /= sum;
}

// softmax(query key^T / sqrt(key_dim)) value, head by head. q [n, head_count * key_dim], k [n, kv_head_count *
// key_dim], v [n, kv_head_count * value_dim], result [n, head_count * value_dim].
Matrix attention(const Matrix& q, const Matrix& k, const Matrix& v, const Config& config, const AttentionRule& rule) {
  Matrix result = zeros(q.row_count, config.head_count * config.value_dim);
  const std::size_t group_size = config.head_count / config.kv_head_count;
  for (std::size_t p = 0; p < q.row_count; ++p) {
    const std::vector<Link> links = links_of(p, rule);
    for (std::size_t head = 0; head < config.head_count; ++head) {
      const std::size_t kv_head = head / group_size;
      const auto query = q.row(p).subspan(head * config.key_dim, config.key_dim);
      std::vector<double> weights;
      for (const Link& link : links) {
        const auto key = k.row(link.other).subspan(kv_head * config.key_dim, config.key_dim);
        const double score = dot(turn(query, static_cast<double>(link.distance), config), key);
        weights.push_back(score / std::sqrt(static_cast<double>(config.key_dim)));
      }
      softmax(weights);
      const auto mixed = result.row(p).subspan(head * config.value_dim, config.value_dim);
      for (std::size_t l = 0; l < links.size(); ++l) {
        const auto value = v.row(links[l].other).subspan(kv_head * config.value_dim, config.value_dim);
        for (std::size_t i = 0; i < config.value_dim; ++i) mixed[i] += weights[l] * value[i];
      }
    }
  }
  return result;
}

// silu(gate) * up, where silu(x) = x / (1 + exp(-x))
Matrix swiglu(const Matrix& gate, const Matrix& up) {
  Matrix y = up;
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] *= gate.values[i] / (1 + std::exp(-gate.values[i]));
  return y;
}

}  // namespace

Matrix logits(const Model& model, std::span<const std::int32_t> tokens, const AttentionRule& rule) {
  const Config& config = model.config;
  Matrix x = embed(model.token_embedding, tokens);  // [n, width]
  for (const Layer& layer : model.layers) {
    const Matrix a = rms_norm(x, layer.attention_norm, config.norm_epsilon);
    const Matrix q = apply(layer.query, a);
    const Matrix k = apply(layer.key, a);
    const Matrix v = apply(layer.value, a);
    add(x, apply(layer.attention_output, attention(q, k, v, config, rule)));

    const Matrix f = rms_norm(x, layer.feed_forward_norm, config.norm_epsilon);
    add(x, apply(layer.down, swiglu(apply(layer.gate, f), apply(layer.up, f))));
  }
  return apply(model.output, rms_norm(x, model.output_norm, config.norm_epsilon));
}

}  // namespace tacit::oracle
