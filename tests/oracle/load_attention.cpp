// SPDX-License-Identifier: MIT
// Loading of attention: its tensors, fused or not, and everything that is done to scores.
#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "oracle/load.h"

namespace tacit::oracle {
namespace {

// Three tensors, or one with the rows of queries, then keys, then values.
Status load_qkv(const Loader& l, const std::string& prefix, Attention& a) {
  const std::size_t query_rows = a.head_count * a.key_dim;
  const std::size_t key_rows = a.kv_head_count * a.key_dim;
  const std::size_t value_rows = a.kv_head_count * a.value_dim;
  const std::size_t width = l.shape.width;
  const Presence bias = l.family.qkv_bias;
  if (l.reader.find(prefix + "attn_qkv.weight") != nullptr) {
    TACIT_ASSIGN(const Linear all,
                 l.reader.linear(prefix + "attn_qkv", query_rows + key_rows + value_rows, width, bias));
    a.query = rows(all, 0, query_rows);
    a.key = rows(all, query_rows, key_rows);
    a.value = rows(all, query_rows + key_rows, value_rows);
    return {};
  }
  TACIT_ASSIGN(a.query, l.reader.linear(prefix + "attn_q", query_rows, width, bias));
  TACIT_ASSIGN(a.key, l.reader.linear(prefix + "attn_k", key_rows, width, bias));
  TACIT_ASSIGN(a.value, l.reader.linear(prefix + "attn_v", value_rows, width, bias));
  return {};
}

// The norm `name` of queries or keys of `head_count` heads, if the family has one.
Result<std::optional<Norm>> load_head_norm(const Loader& l, const std::string& name, std::size_t head_count) {
  const Family& f = l.family;
  const std::size_t head_dim = l.heads.key_dim;
  const bool missing = l.reader.find(name + ".weight") == nullptr;
  if (f.query_key_norms == Presence::kNever || (f.query_key_norms == Presence::kMaybe && missing)) {
    return std::optional<Norm>{};
  }
  const bool whole = f.query_key_norm == QueryKeyNorm::kWhole;
  Norm norm{f.norm, whole ? head_count * head_dim : head_dim, l.shape.norm_epsilon, {}, {}};
  if (f.query_key_norm == QueryKeyNorm::kPerHead) {
    TACIT_ASSIGN(const Vector weight, l.reader.values(name + ".weight", {head_dim}));
    for (std::size_t i = 0; i < head_count; ++i) norm.weight.insert(norm.weight.end(), weight.begin(), weight.end());
  } else if (whole) {
    TACIT_ASSIGN(norm.weight, l.reader.values(name + ".weight", {head_count * head_dim}));
    TACIT_ASSIGN(norm.bias, l.reader.values_if(f.norm_bias, name + ".bias", {head_count * head_dim}));
  } else {
    TACIT_ASSIGN(norm.weight, l.reader.values(name + ".weight", {head_dim, head_count}));
  }
  return std::optional<Norm>{std::move(norm)};
}

// The slopes of ALiBi: a geometric series for the largest power of two of heads, and every other term of the next finer
// one for those beyond.
Vector alibi_slopes(std::size_t head_count, double bias) {
  std::size_t power = 1;
  while (2 * power <= head_count) power *= 2;
  Vector slopes;
  for (std::size_t i = 0; i < head_count; ++i) {
    const double step = i < power ? static_cast<double>(i + 1) : static_cast<double>(2 * (i - power) + 1) / 2;
    slopes.push_back(std::exp2(-bias * step / static_cast<double>(power)));
  }
  return slopes;
}

Result<Vector> load_alibi(const Loader& l, std::size_t head_count) {
  if (l.family.alibi == Alibi::kNone) return Vector{};
  double bias = 8;
  if (l.family.alibi == Alibi::kByKey) {
    TACIT_ASSIGN(bias, l.reader.real("attention.max_alibi_bias"));
  }
  return bias > 0 ? alibi_slopes(head_count, bias) : Vector{};
}

// The window of layer `index`; 0: none.
Result<std::size_t> load_window(const Loader& l, std::size_t index) {
  const Sliding& sliding = l.family.sliding;
  if (sliding.window == Presence::kNever) return std::size_t{0};
  if (sliding.window == Presence::kAlways && !l.reader.has_key("attention.sliding_window")) {
    return l.reader.mismatch(l.reader.key("attention.sliding_window"), "nothing", "a number");
  }
  TACIT_ASSIGN(const std::size_t window,
               l.reader.count_or("attention.sliding_window", sliding.default_window, limits::kContextMax));
  std::size_t period = sliding.period;
  // llama.cpp passes over a pattern that is an array for these architectures.
  if (l.reader.is_number("attention.sliding_window_pattern")) {
    TACIT_ASSIGN(period, l.reader.count_or("attention.sliding_window_pattern", period, limits::kLayersMax));
  }
  const bool local = period == 0 || index % period + 1 < period;
  return local ? window : std::size_t{0};
}

Status load_scores(const Loader& l, std::size_t index, Attention& a) {
  const Family& f = l.family;
  a.scale = 1 / std::sqrt(static_cast<double>(a.key_dim));
  if (f.width_scaled_layer_count == l.shape.layer_count) {
    a.scale = 1 / std::sqrt(static_cast<double>(l.shape.width / l.heads.query_counts[0]));
  }
  if (f.granite_multipliers) {
    TACIT_ASSIGN(const double scale, l.reader.real_or("attention.scale", 0));
    if (scale != 0) a.scale = scale;
  }
  if (f.attention_soft_cap) {
    TACIT_ASSIGN(a.soft_cap, l.reader.real_or("attn_logit_softcapping", *f.attention_soft_cap));
  }
  if (f.clamp) {
    TACIT_ASSIGN(const double clamp, l.reader.real_or("attention.clamp_kqv", 0));
    a.clamp = std::max(clamp, 0.0);
  }
  TACIT_ASSIGN(a.alibi_slopes, load_alibi(l, a.head_count));
  TACIT_ASSIGN(a.window, load_window(l, index));
  const bool turns = (f.unturned_period == 0 || (index + 1) % f.unturned_period != 0) &&
                     (!f.sliding.turns_only_local || a.window != 0);
  TACIT_ASSIGN(Rope rope, load_rope(l.reader, f, a.key_dim, a.window != 0, l.context_length));
  if (turns) a.rope = std::move(rope);
  return {};
}

}  // namespace

Result<Attention> load_attention(const Loader& l, const std::string& prefix, std::size_t index) {
  Attention a;
  a.head_count = l.heads.query_counts[index];
  a.kv_head_count = l.heads.kv_counts[index];
  a.key_dim = l.heads.key_dim;
  a.value_dim = l.heads.value_dim;
  TACIT_TRY(load_qkv(l, prefix, a));
  TACIT_ASSIGN(a.query_norm, load_head_norm(l, prefix + "attn_q_norm", a.head_count));
  TACIT_ASSIGN(a.key_norm, load_head_norm(l, prefix + "attn_k_norm", a.kv_head_count));
  TACIT_ASSIGN(a.output,
               l.reader.linear(prefix + "attn_output", l.shape.width, a.head_count * a.value_dim, l.family.bias));
  if (l.family.sinks) {
    TACIT_ASSIGN(a.sinks, l.reader.values(prefix + "attn_sinks.weight", {a.head_count}));
  }
  TACIT_TRY(load_scores(l, index, a));
  return a;
}

}  // namespace tacit::oracle
