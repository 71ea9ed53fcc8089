// SPDX-License-Identifier: MIT
// From a GGUF file to a model: the architecture's row of the table, the file's metadata with the defaults that
// llama.cpp gives them, and the tensors.
#include "oracle/load.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/limits.h"
#include "oracle/family.h"
#include "oracle/oracle.h"

namespace tacit::oracle {

Result<Norm> load_norm(Reader& reader, const Family& family, const Shape& shape, const std::string& name) {
  Norm norm{family.norm, shape.width, shape.norm_epsilon, {}, {}};
  if (!family.norm_weight) return norm;
  TACIT_ASSIGN(norm.weight, reader.values(name + ".weight", {shape.width}));
  TACIT_ASSIGN(norm.bias, reader.values_if(family.norm_bias, name + ".bias", {shape.width}));
  return norm;
}

namespace {

// Where a model of the family goes on from what all layers share; one number a layer.
struct Heads {
  std::vector<std::size_t> query_counts, kv_counts;
  std::vector<std::size_t> hidden_widths;
  std::size_t key_dim = 0, value_dim = 0;
};

struct Loader {
  const Family& family;
  Reader& reader;
  Shape shape;
  Heads heads;
  std::size_t context_length = 0;
};

std::string text(std::size_t number) { return std::to_string(number); }

Result<Shape> load_shape(const Reader& reader, const Family& family) {
  Shape shape;
  TACIT_ASSIGN(shape.width, reader.count("embedding_length", limits::kWidthMax));
  TACIT_ASSIGN(shape.layer_count, reader.count("block_count", limits::kLayersMax));
  const bool rms = family.norm == NormKind::kRms;
  const char* key = rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  TACIT_ASSIGN(shape.norm_epsilon, reader.real(key));
  if (!(shape.norm_epsilon >= 0)) {
    return reader.mismatch(reader.key(key), std::to_string(shape.norm_epsilon), "0 or more");
  }
  return shape;
}

Result<Heads> load_heads(const Reader& reader, const Shape& shape) {
  Heads heads;
  TACIT_ASSIGN(heads.query_counts, reader.per_layer("attention.head_count", shape.layer_count, limits::kHeadsMax));
  if (heads.query_counts.empty()) return reader.mismatch(reader.key("attention.head_count"), "nothing", "a number");
  TACIT_ASSIGN(heads.kv_counts, reader.per_layer("attention.head_count_kv", shape.layer_count, limits::kHeadsMax));
  if (heads.kv_counts.empty()) heads.kv_counts = heads.query_counts;
  for (std::size_t i = 0; i < shape.layer_count; ++i) {
    if (heads.query_counts[i] == 0) return reader.mismatch(reader.key("attention.head_count"), "0", "at least 1");
    if (heads.kv_counts[i] == 0 || heads.query_counts[i] % heads.kv_counts[i] != 0) {
      return reader.mismatch(reader.key("attention.head_count_kv"), text(heads.kv_counts[i]),
                             "a divisor of " + text(heads.query_counts[i]));
    }
  }
  TACIT_ASSIGN(heads.hidden_widths, reader.per_layer("feed_forward_length", shape.layer_count, limits::kWidthMax));
  if (heads.hidden_widths.empty()) heads.hidden_widths.resize(shape.layer_count);
  const std::size_t head_dim = shape.width / heads.query_counts[0];
  TACIT_ASSIGN(heads.key_dim, reader.count_or("attention.key_length", head_dim, limits::kWidthMax));
  TACIT_ASSIGN(heads.value_dim, reader.count_or("attention.value_length", head_dim, limits::kWidthMax));
  return heads;
}

Matrix rows(const Matrix& all, std::size_t first, std::size_t count) {
  const auto begin = all.values.begin() + static_cast<std::ptrdiff_t>(first * all.column_count);
  return {count, all.column_count, Vector(begin, begin + static_cast<std::ptrdiff_t>(count * all.column_count))};
}

Linear rows(const Linear& all, std::size_t first, std::size_t count) {
  Linear part{rows(all.weight, first, count), {}};
  if (all.bias.empty()) return part;
  const auto begin = all.bias.begin() + static_cast<std::ptrdiff_t>(first);
  part.bias.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  return part;
}

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

// ffn_gate, ffn_up and ffn_down with `suffix` behind.
Result<FeedForward> load_feed_forward(const Loader& l, const std::string& prefix, const std::string& suffix,
                                      std::size_t hidden_width) {
  const std::size_t width = l.shape.width;
  const Presence bias = l.family.bias;
  FeedForward f;
  f.activation = l.family.activation;
  if (l.family.gate == GateTensor::kFused) {
    TACIT_ASSIGN(const Linear both, l.reader.linear(prefix + "ffn_up" + suffix, 2 * hidden_width, width, bias));
    f.gate = rows(both, 0, hidden_width);
    f.up = rows(both, hidden_width, hidden_width);
  } else {
    if (l.family.gate == GateTensor::kSeparate) {
      TACIT_ASSIGN(f.gate, l.reader.linear(prefix + "ffn_gate" + suffix, hidden_width, width, bias));
    }
    TACIT_ASSIGN(f.up, l.reader.linear(prefix + "ffn_up" + suffix, hidden_width, width, bias));
  }
  TACIT_ASSIGN(f.down, l.reader.linear(prefix + "ffn_down" + suffix, width, hidden_width, bias));
  return f;
}

Result<std::size_t> load_expert_width(const Loader& l, std::size_t hidden_width, std::size_t used_count) {
  switch (l.family.experts.width) {
    case ExpertWidth::kFeedForward:
      return hidden_width;
    case ExpertWidth::kKey:
      return l.reader.count("expert_feed_forward_length", limits::kWidthMax);
    case ExpertWidth::kKeyOrShare:
      return l.reader.count_or("expert_feed_forward_length", hidden_width / used_count, limits::kWidthMax);
  }
  return hidden_width;
}

// Its width; 0: there is none.
Result<std::size_t> load_shared_width(const Loader& l, std::size_t hidden_width, std::size_t expert_width) {
  switch (l.family.experts.shared) {
    case SharedExpert::kNone:
      return std::size_t{0};
    case SharedExpert::kByWidth:
      return l.reader.count_or("expert_shared_feed_forward_length", 0, limits::kWidthMax);
    case SharedExpert::kByCount: {
      TACIT_ASSIGN(const std::size_t count, l.reader.count("expert_shared_count", limits::kWidthMax));
      return count * expert_width;
    }
    case SharedExpert::kGated:
      return l.reader.count_or("expert_shared_feed_forward_length", hidden_width, limits::kWidthMax);
  }
  return std::size_t{0};
}

Result<Experts> load_experts(const Loader& l, const std::string& prefix, std::size_t hidden_width,
                             std::size_t expert_count) {
  const std::size_t width = l.shape.width;
  const Presence bias = l.family.bias;
  const ExpertRule& rule = l.family.experts;
  Experts e;
  e.routing = rule.routing;
  e.renormalise = rule.renormalise;
  TACIT_ASSIGN(e.used_count, l.reader.count("expert_used_count", expert_count));
  if (rule.scaled) {
    TACIT_ASSIGN(const double scale, l.reader.real_or("expert_weights_scale", 0));
    if (scale != 0) e.weight_scale = scale;
  }
  TACIT_ASSIGN(const std::size_t expert_width, load_expert_width(l, hidden_width, e.used_count));
  TACIT_ASSIGN(e.router, l.reader.linear(prefix + "ffn_gate_inp", expert_count, width, bias));
  TACIT_ASSIGN(auto gates, l.reader.linears(prefix + "ffn_gate_exps", expert_count, expert_width, width, bias));
  TACIT_ASSIGN(auto ups, l.reader.linears(prefix + "ffn_up_exps", expert_count, expert_width, width, bias));
  TACIT_ASSIGN(auto downs, l.reader.linears(prefix + "ffn_down_exps", expert_count, width, expert_width, bias));
  for (std::size_t i = 0; i < expert_count; ++i) {
    e.experts.push_back({l.family.activation, std::move(gates[i]), std::move(ups[i]), std::move(downs[i])});
  }
  TACIT_ASSIGN(const std::size_t shared_width, load_shared_width(l, hidden_width, expert_width));
  if (shared_width == 0) return e;
  TACIT_ASSIGN(e.shared, load_feed_forward(l, prefix, "_shexp", shared_width));
  if (rule.shared == SharedExpert::kGated) {
    TACIT_ASSIGN(e.shared_gate, l.reader.linear(prefix + "ffn_gate_inp_shexp", 1, width, Presence::kNever));
  }
  return e;
}

// How many experts layer `index` has; 0: a plain feed-forward.
Result<std::size_t> load_expert_count(const Loader& l, std::size_t index) {
  const ExpertRule& rule = l.family.experts;
  if (rule.presence == Presence::kNever) return std::size_t{0};
  if (rule.leading_dense) {
    TACIT_ASSIGN(const std::size_t dense, l.reader.count_or("leading_dense_block_count", 0, limits::kLayersMax));
    if (index < dense) return std::size_t{0};
  }
  if (rule.presence == Presence::kAlways) return l.reader.count("expert_count", limits::kWidthMax);
  return l.reader.count_or("expert_count", 0, limits::kWidthMax);
}

Result<bool> load_parallel(const Loader& l, const std::string& prefix) {
  switch (l.family.residual) {
    case Residual::kSequential:
      return false;
    case Residual::kParallel:
      return true;
    case Residual::kParallelByKey:
      return l.reader.boolean("use_parallel_residual");
    case Residual::kParallelByTensor:
      return l.reader.find(prefix + "ffn_norm.weight") == nullptr;
  }
  return false;
}

// The norms before attention and feed-forward; a parallel layer may have one for both.
Status load_input_norms(const Loader& l, const std::string& prefix, TransformerLayer& layer) {
  if (l.family.placement == NormPlacement::kAfter) return {};
  TACIT_ASSIGN(layer.attention_norm, load_norm(l.reader, l.family, l.shape, prefix + "attn_norm"));
  const bool own_norm = !layer.parallel || l.family.residual == Residual::kParallelByKey;
  if (own_norm) {
    TACIT_ASSIGN(layer.feed_forward_norm,
                 load_norm(l.reader, l.family, l.shape, prefix + std::string(l.family.feed_forward_norm)));
    return {};
  }
  layer.feed_forward_norm = layer.attention_norm;
  if (l.family.attention_norm_2 && l.reader.find(prefix + "attn_norm_2.weight") != nullptr) {
    TACIT_ASSIGN(layer.attention_norm, load_norm(l.reader, l.family, l.shape, prefix + "attn_norm_2"));
  }
  return {};
}

Status load_output_norms(const Loader& l, const std::string& prefix, TransformerLayer& layer) {
  if (l.family.placement == NormPlacement::kBefore) return {};
  TACIT_ASSIGN(layer.attention_post_norm,
               load_norm(l.reader, l.family, l.shape, prefix + "post_attention_norm"));
  TACIT_ASSIGN(layer.feed_forward_post_norm, load_norm(l.reader, l.family, l.shape, prefix + "post_ffw_norm"));
  return {};
}

Result<Layer> load_transformer_layer(const Loader& l, std::size_t index) {
  const std::string prefix = "blk." + text(index) + ".";
  TransformerLayer layer;
  TACIT_ASSIGN(layer.parallel, load_parallel(l, prefix));
  TACIT_TRY(load_input_norms(l, prefix, layer));
  TACIT_TRY(load_output_norms(l, prefix, layer));
  TACIT_ASSIGN(layer.attention, load_attention(l, prefix, index));
  if (l.family.granite_multipliers) {
    TACIT_ASSIGN(const double scale, l.reader.real_or("residual_scale", 0));
    if (scale != 0) layer.residual_scale = scale;
  }
  TACIT_ASSIGN(const std::size_t expert_count, load_expert_count(l, index));
  if (expert_count != 0) {
    TACIT_ASSIGN(layer.feed_forward, load_experts(l, prefix, l.heads.hidden_widths[index], expert_count));
  } else {
    TACIT_ASSIGN(layer.feed_forward, load_feed_forward(l, prefix, "", l.heads.hidden_widths[index]));
  }
  return Layer{std::move(layer)};
}

Status load_embedding(const Loader& l, Model& model) {
  const gguf::Tensor* embedding = l.reader.find("token_embd.weight");
  const std::size_t vocabulary_size = embedding == nullptr ? 0 : embedding->shape[1];
  TACIT_ASSIGN(model.token_embedding, l.reader.matrix("token_embd.weight", vocabulary_size, l.shape.width));
  if (l.family.embedding_times_sqrt_width) model.embedding_scale = std::sqrt(static_cast<double>(l.shape.width));
  if (l.family.granite_multipliers) {
    TACIT_ASSIGN(const double scale, l.reader.real_or("embedding_scale", 0));
    if (scale != 0) model.embedding_scale = scale;
  }
  if (l.family.embedding_norm) {
    TACIT_ASSIGN(model.embedding_norm, load_norm(l.reader, l.family, l.shape, "token_embd_norm"));
  }
  const Presence positions = l.family.learned_positions;
  if (positions == Presence::kNever) return {};
  if (positions == Presence::kMaybe && l.reader.find("position_embd.weight") == nullptr) return {};
  TACIT_ASSIGN(const std::size_t context_length, l.reader.count("context_length", limits::kContextMax));
  TACIT_ASSIGN(model.position_embedding, l.reader.matrix("position_embd.weight", context_length, l.shape.width));
  return {};
}

Status load_output(const Loader& l, Model& model) {
  TACIT_ASSIGN(model.output_norm, load_norm(l.reader, l.family, l.shape, "output_norm"));
  const bool own = l.family.output == Presence::kAlways ||
                   (l.family.output == Presence::kMaybe && l.reader.find("output.weight") != nullptr);
  if (own) {
    TACIT_ASSIGN(model.output, l.reader.linear("output", model.token_embedding.row_count, l.shape.width,
                                               l.family.output_bias));
  } else {
    model.output.weight = model.token_embedding;
  }
  if (l.family.logit_scale != LogitScale::kNone) {
    TACIT_ASSIGN(const double scale, l.reader.real("logit_scale"));
    if (scale != 0) model.logit_scale = l.family.logit_scale == LogitScale::kDivide ? 1 / scale : scale;
  }
  if (l.family.logit_soft_cap) {
    TACIT_ASSIGN(model.logit_soft_cap, l.reader.real_or("final_logit_softcapping", *l.family.logit_soft_cap));
  }
  return {};
}

}  // namespace

Result<Model> load(const gguf::File& file, std::size_t context_length) {
  TACIT_ASSIGN(const std::string_view architecture, file.string("general.architecture"));
  const Family* family = find_family(architecture);
  if (family == nullptr) {
    return model_error(file.name() + ": architecture " + std::string(architecture) + " is not known here");
  }
  Reader reader(file, architecture);
  Loader loader{*family, reader, {}, {}, context_length};
  TACIT_ASSIGN(loader.shape, load_shape(reader, *family));
  if (context_length == 0) {
    TACIT_ASSIGN(loader.context_length, reader.count_or("context_length", 0, limits::kContextMax));
  }
  Model model;
  TACIT_TRY(load_embedding(loader, model));
  if (family->layer == LayerKind::kTransformer) {
    TACIT_ASSIGN(loader.heads, load_heads(reader, loader.shape));
  }
  for (std::size_t i = 0; i < loader.shape.layer_count; ++i) {
    TACIT_ASSIGN(Layer layer, family->layer == LayerKind::kTransformer
                                  ? load_transformer_layer(loader, i)
                                  : load_recurrent_layer(reader, *family, loader.shape, i));
    model.layers.push_back(std::move(layer));
  }
  TACIT_TRY(load_output(loader, model));
  TACIT_TRY(reader.all_used());
  return model;
}

}  // namespace tacit::oracle
