// SPDX-License-Identifier: MIT
#include "model/weights.h"

#include <algorithm>
#include <set>
#include <string>

#include "numeric/float_formats.h"

namespace tacit {
namespace {

std::string shape_text(const std::array<std::uint64_t, limits::kGgufDimensionsMax>& shape) {
  std::size_t last = shape.size() - 1;
  while (last > 0 && shape[last] == 1) --last;
  std::string text = "[";
  for (std::size_t i = 0; i <= last; ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

// Looks tensors up by name, checks and packs them, and remembers which were asked for.
class Loader {
 public:
  explicit Loader(const gguf::File& file) : file_(file) {}

  [[nodiscard]] const gguf::Tensor* tensor(const std::string& name) const { return file_.find_tensor(name); }
  [[nodiscard]] bool has(const std::string& name) const { return tensor(name) != nullptr; }

  // The tensor `name` of shape [inputs, outputs, count].
  Result<const gguf::Tensor*> find(const std::string& name, std::uint64_t inputs, std::uint64_t outputs,
                                   std::uint64_t count = 1) {
    const gguf::Tensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) return model_error(file_.name() + ": tensor " + name + " is missing");
    used_.insert(tensor->name);
    const std::array<std::uint64_t, limits::kGgufDimensionsMax> expected{inputs, outputs, count, 1};
    if (tensor->shape != expected) {
      return model_error(file_.name() + ": tensor " + name + ": found shape " + shape_text(tensor->shape) +
                         ", expected " + shape_text(expected));
    }
    if (!is_weight_type(tensor->type->type)) {
      return model_error(file_.name() + ": tensor " + name + ": found type " + std::string(tensor->type->name) +
                         ", expected one of real numbers");
    }
    return tensor;
  }

  // `rows` vectors of `size` elements, of which the one at `row`; padded.
  Result<std::vector<float>> vector(const std::string& name, std::uint32_t size, std::uint32_t rows = 1,
                                    std::uint32_t row = 0) {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name, size, rows));
    std::vector<float> values(kernels::round_up(size, kernels::kBlock), 0.0f);
    read_row(*tensor, row, values.data());
    TACIT_TRY(check_finite(name, values));
    return values;
  }

  // The rows [first, first + outputs) of a matrix of `rows`, and of its bias where it has one or must have.
  Result<Linear> linear_part(const std::string& name, std::uint32_t inputs, std::uint32_t rows, std::uint32_t first,
                             std::uint32_t outputs, bool needs_bias) {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name + ".weight", inputs, rows));
    TACIT_ASSIGN(Linear result, pack(file_, *tensor, first, outputs));
    if (!needs_bias && !has(name + ".bias")) return result;
    TACIT_ASSIGN(const std::vector<float> bias, vector(name + ".bias", rows));
    result.bias.assign(kernels::round_up(outputs, kernels::kBlock), 0.0f);
    std::copy_n(bias.begin() + first, outputs, result.bias.begin());
    return result;
  }

  Result<Linear> linear(const std::string& name, std::uint32_t inputs, std::uint32_t outputs, bool needs_bias) {
    return linear_part(name, inputs, outputs, 0, outputs, needs_bias);
  }

  // Matrix `index` of `count` that lie one behind the other.
  Result<Linear> linear_of(const std::string& name, std::uint32_t inputs, std::uint32_t outputs, std::uint32_t count,
                           std::uint32_t index, bool needs_bias) {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name + ".weight", inputs, outputs, count));
    TACIT_ASSIGN(Linear result, pack(file_, *tensor, std::uint64_t{index} * outputs, outputs));
    if (needs_bias || has(name + ".bias")) {
      TACIT_ASSIGN(result.bias, vector(name + ".bias", outputs, count, index));
    }
    return result;
  }

  // Error kModel where the file has a tensor that was never asked for: the family would compute something else than
  // the model's makers meant.
  [[nodiscard]] Status check_all_used() const {
    for (const gguf::Tensor& tensor : file_.tensors()) {
      if (used_.contains(tensor.name) || tensor.name.starts_with("rope_f")) continue;
      return model_error(file_.name() + ": tensor " + std::string(tensor.name) +
                         ": found, expected only tensors that its architecture uses");
    }
    return {};
  }

 private:
  [[nodiscard]] Status check_finite(const std::string& name, const std::vector<float>& values) const {
    for (const float value : values) {
      if (numeric::is_finite(value)) continue;
      return model_error(file_.name() + ": tensor " + name +
                         ": found a value that is infinite or no number, expected finite ones");
    }
    return {};
  }

  const gguf::File& file_;
  std::set<std::string_view> used_;
};

// Reads the tensors of one layer, or with an empty prefix those around the layers.
class LayerLoader {
 public:
  LayerLoader(Loader& loader, const Config& config, std::string prefix)
      : loader_(loader), config_(config), family_(*config.family), prefix_(std::move(prefix)) {}

  Result<Norm> norm(std::string_view tensor, std::uint32_t size) {
    Norm norm;
    norm.present = true;
    const std::string name = prefix_ + std::string(tensor);
    if (!family_.norm_weights) {
      norm.weight.assign(kernels::round_up(size, kernels::kBlock), 1.0f);
      return norm;
    }
    TACIT_ASSIGN(norm.weight, loader_.vector(name + ".weight", size));
    if (!family_.needs_norm_bias && !loader_.has(name + ".bias")) return norm;
    TACIT_ASSIGN(norm.bias, loader_.vector(name + ".bias", size));
    return norm;
  }

  Result<LayerWeights> layer(const LayerConfig& shape) {
    const std::uint32_t width = config_.width;
    LayerWeights weights;
    if (family_.norm_place != NormPlace::kAfter) {
      TACIT_ASSIGN(weights.attention_norm, norm("attn_norm", width));
      if (!config_.parallel || has(family_.ffn_norm)) {
        TACIT_ASSIGN(weights.ffn_norm, norm(family_.ffn_norm, width));
      }
    }
    if (family_.norm_place != NormPlace::kBefore) {
      TACIT_ASSIGN(weights.post_attention_norm, norm("post_attention_norm", width));
      TACIT_ASSIGN(weights.post_ffn_norm, norm("post_ffw_norm", width));
    }
    if (config_.parallel && has("attn_norm_2")) {
      TACIT_ASSIGN(weights.second_norm, norm("attn_norm_2", width));
    }
    TACIT_TRY(attention(shape, weights));
    TACIT_TRY(has("ffn_gate_inp") ? experts(weights) : dense_ffn("", shape.ffn_width, weights.ffn));
    return weights;
  }

 private:
  [[nodiscard]] bool has(std::string_view tensor) const {
    return loader_.has(prefix_ + std::string(tensor) + ".weight");
  }

  Status attention(const LayerConfig& shape, LayerWeights& weights) {
    const std::uint32_t queries = shape.head_count * config_.head_dim;
    const std::uint32_t keys = shape.kv_head_count * config_.head_dim;
    const std::uint32_t values = shape.kv_head_count * config_.value_dim;
    const bool bias = family_.needs_qkv_bias;
    const std::uint32_t width = config_.width;
    if (has("attn_qkv")) {
      const std::string name = prefix_ + "attn_qkv";
      const std::uint32_t rows = queries + keys + values;
      TACIT_ASSIGN(weights.query, loader_.linear_part(name, width, rows, 0, queries, bias));
      TACIT_ASSIGN(weights.key, loader_.linear_part(name, width, rows, queries, keys, bias));
      TACIT_ASSIGN(weights.value, loader_.linear_part(name, width, rows, queries + keys, values, bias));
    } else {
      TACIT_ASSIGN(weights.query, loader_.linear(prefix_ + "attn_q", width, queries, bias));
      TACIT_ASSIGN(weights.key, loader_.linear(prefix_ + "attn_k", width, keys, bias));
      TACIT_ASSIGN(weights.value, loader_.linear(prefix_ + "attn_v", width, values, bias));
    }
    TACIT_ASSIGN(weights.attention_output, loader_.linear(prefix_ + "attn_output", shape.head_count * config_.value_dim,
                                                          width, family_.needs_output_bias));
    TACIT_ASSIGN(weights.query_norm, head_norm("attn_q_norm", shape.head_count));
    TACIT_ASSIGN(weights.key_norm, head_norm("attn_k_norm", shape.kv_head_count));
    if (family_.needs_sinks || has("attn_sinks")) {
      TACIT_ASSIGN(weights.sinks, loader_.vector(prefix_ + "attn_sinks.weight", shape.head_count));
    }
    return {};
  }

  Result<HeadNorm> head_norm(const std::string& tensor, std::uint32_t head_count) {
    HeadNorm result;
    const std::string name = prefix_ + tensor + ".weight";
    if (!loader_.has(name) && !family_.needs_head_norms) return result;
    const std::uint32_t dim = config_.head_dim;
    const std::array<std::uint64_t, limits::kGgufDimensionsMax> own{dim, head_count, 1, 1};
    const gguf::Tensor* found = loader_.tensor(name);
    if (head_count > 1 && found != nullptr && found->shape == own) {
      result.scope = HeadNorm::Scope::kPerHead;
      for (std::uint32_t head = 0; head < head_count; ++head) {
        Norm norm{true, {}, {}};
        TACIT_ASSIGN(norm.weight, loader_.vector(name, dim, head_count, head));
        result.norms.push_back(std::move(norm));
      }
      return result;
    }
    const bool whole = head_count > 1 && found != nullptr && found->shape[0] == std::uint64_t{dim} * head_count;
    result.scope = whole ? HeadNorm::Scope::kWhole : HeadNorm::Scope::kShared;
    TACIT_ASSIGN(Norm norm, this->norm(tensor, whole ? dim * head_count : dim));
    result.norms.push_back(std::move(norm));
    return result;
  }

  // The tensors ffn_gate, ffn_up and ffn_down, or with the suffix "_shexp" those of the shared experts.
  Status dense_ffn(const std::string& suffix, std::uint32_t ffn_width, Ffn& ffn) {
    const std::string gate = prefix_ + "ffn_gate" + suffix;
    const std::string up = prefix_ + "ffn_up" + suffix;
    const std::uint32_t width = config_.width;
    const bool bias = family_.needs_ffn_bias;
    if (family_.ffn == FfnShape::kGateInUp && !loader_.has(gate + ".weight")) {
      TACIT_ASSIGN(ffn.gate, loader_.linear_part(up, width, 2 * ffn_width, 0, ffn_width, bias));
      TACIT_ASSIGN(ffn.up, loader_.linear_part(up, width, 2 * ffn_width, ffn_width, ffn_width, bias));
    } else {
      if (family_.ffn != FfnShape::kPlain) {
        TACIT_ASSIGN(ffn.gate, loader_.linear(gate, width, ffn_width, bias));
      }
      TACIT_ASSIGN(ffn.up, loader_.linear(up, width, ffn_width, bias));
    }
    TACIT_ASSIGN(ffn.down, loader_.linear(prefix_ + "ffn_down" + suffix, ffn_width, width, bias));
    return {};
  }

  Status experts(LayerWeights& weights) {
    const std::uint32_t width = config_.width;
    const std::uint32_t count = config_.expert_count;
    const bool bias = family_.needs_ffn_bias;
    TACIT_ASSIGN(weights.router, loader_.linear(prefix_ + "ffn_gate_inp", width, count, bias));
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t ffn_width = config_.expert_width;
      Ffn& expert = weights.experts.emplace_back();
      TACIT_ASSIGN(expert.gate, loader_.linear_of(prefix_ + "ffn_gate_exps", width, ffn_width, count, i, bias));
      TACIT_ASSIGN(expert.up, loader_.linear_of(prefix_ + "ffn_up_exps", width, ffn_width, count, i, bias));
      TACIT_ASSIGN(expert.down, loader_.linear_of(prefix_ + "ffn_down_exps", ffn_width, width, count, i, bias));
    }
    const gguf::Tensor* shared = loader_.tensor(prefix_ + "ffn_down_shexp.weight");
    if (shared == nullptr) return {};
    TACIT_TRY(dense_ffn("_shexp", static_cast<std::uint32_t>(std::min<std::uint64_t>(shared->shape[0], limits::kWidthMax)),
                        weights.ffn));
    if (has("ffn_gate_inp_shexp")) {
      TACIT_ASSIGN(weights.shared_gate, loader_.vector(prefix_ + "ffn_gate_inp_shexp.weight", width));
    }
    return {};
  }

  Loader& loader_;
  const Config& config_;
  const Family& family_;
  const std::string prefix_;
};

}  // namespace

Result<Weights> Weights::load(const gguf::File& file, const Config& config) {
  Loader loader(file);
  LayerLoader outer(loader, config, "");
  Weights weights;
  TACIT_ASSIGN(const gguf::Tensor* embedding, loader.find("token_embd.weight", config.width, config.vocabulary_size));
  weights.embedding = *embedding;
  if (config.learns_positions()) {
    TACIT_ASSIGN(const gguf::Tensor* positions,
                 loader.find("position_embd.weight", config.width, config.context_length));
    weights.positions = *positions;
  }
  if (config.family->embedding_norm) {
    TACIT_ASSIGN(weights.embedding_norm, outer.norm("token_embd_norm", config.width));
  }
  for (std::uint32_t layer = 0; layer < config.layer_count; ++layer) {
    LayerLoader layer_loader(loader, config, "blk." + std::to_string(layer) + ".");
    TACIT_ASSIGN(LayerWeights layer_weights, layer_loader.layer(config.layers[layer]));
    weights.layers.push_back(std::move(layer_weights));
  }
  TACIT_ASSIGN(weights.output_norm, outer.norm("output_norm", config.width));
  if (loader.has("output.weight")) {
    TACIT_ASSIGN(weights.output, loader.linear("output", config.width, config.vocabulary_size, false));
  } else {
    TACIT_ASSIGN(weights.output, pack(file, weights.embedding, 0, config.vocabulary_size));
  }
  TACIT_TRY(loader.check_all_used());
  return weights;
}

void read_row(const gguf::Tensor& tensor, std::uint32_t index, float* out) {
  dequantize(tensor.type->type, tensor.data.data() + index * row_bytes(tensor), tensor.shape[0], out);
}

}  // namespace tacit
