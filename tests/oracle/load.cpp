// SPDX-License-Identifier: MIT
// From a GGUF file to a model: the architecture's row of the table, the file's metadata with the defaults that
// llama.cpp gives them, and the tensors.
#include "oracle/load.h"

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

Matrix matrix_rows(const Matrix& all, std::size_t first, std::size_t count) {
  const auto begin = all.values.begin() + static_cast<std::ptrdiff_t>(first * all.column_count);
  return {count, all.column_count, Vector(begin, begin + static_cast<std::ptrdiff_t>(count * all.column_count))};
}

}  // namespace

Linear rows(const Linear& all, std::size_t first, std::size_t count) {
  Linear part{matrix_rows(all.weight, first, count), {}};
  if (all.bias.empty()) return part;
  const auto begin = all.bias.begin() + static_cast<std::ptrdiff_t>(first);
  part.bias.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  return part;
}

namespace {

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
  TACIT_ASSIGN(layer.attention_post_norm, load_norm(l.reader, l.family, l.shape, prefix + "post_attention_norm"));
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
  TACIT_ASSIGN(layer.feed_forward, load_feed_forward(l, prefix, index));
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
    TACIT_ASSIGN(model.output,
                 l.reader.linear("output", model.token_embedding.row_count, l.shape.width, l.family.output_bias));
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
