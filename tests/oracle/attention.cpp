// SPDX-License-Identifier: MIT
// Attention (arXiv 1706.03762) with grouped heads (arXiv 2305.13245), rotary positions, ALiBi, windows, soft caps and
// sinks.
#include <algorithm>
#include <cmath>

#include "oracle/layers.h"

namespace tacit::oracle {
namespace {

// Turns a head's query back by `distance` positions. Its dot product with an unturned key is then that of a query and
// a key that are turned by their own positions, `distance` apart. Both of those carry the magnitude, hence its square.
Vector turn(std::span<const double> query, double distance, const Rope& rope) {
  Vector turned(query.begin(), query.end());
  const double magnitude = rope.magnitude * rope.magnitude;
  const std::size_t pair_count = rope.frequencies.size();
  for (std::size_t i = 0; i < pair_count; ++i) {
    const std::size_t first = rope.halves ? i : 2 * i;
    const std::size_t second = rope.halves ? i + pair_count : 2 * i + 1;
    const double cosine = magnitude * std::cos(distance * rope.frequencies[i]);
    const double sine = magnitude * std::sin(distance * rope.frequencies[i]);
    turned[first] = query[first] * cosine - query[second] * sine;
    turned[second] = query[first] * sine + query[second] * cosine;
  }
  return turned;
}

// Position `position` of a sequence attends to position `other` <= `position`, `distance` away.
struct Link {
  std::size_t other;
  std::size_t distance;
};

// The band of `rule`, within the layer's own window.
std::vector<Link> links_of(std::size_t position, const AttentionRule& rule, std::size_t layer_window) {
  const std::size_t window = rule.window;
  if (layer_window != 0 && layer_window <= window) return links_of(position, {}, layer_window);
  const bool slides = window != 0 && position >= window;
  std::vector<Link> links = {{0, slides ? window - 1 : position}};
  for (std::size_t j = slides ? position - window + 2 : 1; j <= position; ++j) links.push_back({j, position - j});
  if (layer_window != 0) std::erase_if(links, [&](const Link& link) { return link.distance >= layer_window; });
  return links;
}

double cap(double score, double soft_cap) { return soft_cap == 0 ? score : soft_cap * std::tanh(score / soft_cap); }

// The weights of one query head's links. A sink is one more score whose weight is left out.
Vector weigh(const Attention& a, std::size_t head, std::span<const double> query, const Matrix& keys,
             const std::vector<Link>& links) {
  const std::size_t kv_head = head / (a.head_count / a.kv_head_count);
  Vector weights;
  for (const Link& link : links) {
    const auto distance = static_cast<double>(link.distance);
    const auto key = keys.row(link.other).subspan(kv_head * a.key_dim, a.key_dim);
    const double score = cap(a.scale * dot(turn(query, distance, a.rope), key), a.soft_cap);
    weights.push_back(a.alibi_slopes.empty() ? score : score - a.alibi_slopes[head] * distance);
  }
  if (!a.sinks.empty()) weights.push_back(a.sinks[head]);
  softmax(weights);
  weights.resize(links.size());
  return weights;
}

Matrix project(const Linear& linear, const std::optional<Norm>& norm, const Matrix& x, double clamp) {
  Matrix y = apply(linear, x);
  if (clamp != 0) {
    for (double& value : y.values) value = std::clamp(value, -clamp, clamp);
  }
  return normalise(y, norm);
}

}  // namespace

Matrix attention(const Attention& a, const Matrix& x, const AttentionRule& rule) {
  const Matrix queries = project(a.query, a.query_norm, x, a.clamp);
  const Matrix keys = project(a.key, a.key_norm, x, a.clamp);
  const Matrix values = project(a.value, std::nullopt, x, a.clamp);
  Matrix mixed = zeros(x.row_count, a.head_count * a.value_dim);
  for (std::size_t p = 0; p < x.row_count; ++p) {
    const std::vector<Link> links = links_of(p, rule, a.window);
    for (std::size_t head = 0; head < a.head_count; ++head) {
      const std::size_t kv_head = head / (a.head_count / a.kv_head_count);
      const auto query = queries.row(p).subspan(head * a.key_dim, a.key_dim);
      const Vector weights = weigh(a, head, query, keys, links);
      const auto result = mixed.row(p).subspan(head * a.value_dim, a.value_dim);
      for (std::size_t l = 0; l < links.size(); ++l) {
        const auto value = values.row(links[l].other).subspan(kv_head * a.value_dim, a.value_dim);
        for (std::size_t i = 0; i < a.value_dim; ++i) result[i] += weights[l] * value[i];
      }
    }
  }
  return apply(a.output, mixed);
}

}  // namespace tacit::oracle
