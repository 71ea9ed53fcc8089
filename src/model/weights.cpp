// SPDX-License-Identifier: MIT
#include "model/weights.h"

#include <algorithm>
#include <set>
#include <string>

#include "numeric/float_formats.h"
#include "quants/dequantize.h"

namespace tacit {
namespace {

std::string shape_text(const std::array<std::uint64_t, limits::kGgufDimensionsMax>& shape) {
  std::size_t last = shape.size() - 1;
  while (last > 0 && shape[last] == 1) --last;
  std::string text = "[";
  for (std::size_t i = 0; i <= last; ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

// Looks tensors up by name, checks them, lists matrices, and remembers which were asked for.
class Loader {
 public:
  Loader(const gguf::File& file, std::vector<MatrixRows>& matrices) : file_(file), matrices_(matrices) {}

  [[nodiscard]] const gguf::Tensor* tensor(const std::string& name) const { return file_.find_tensor(name); }
  [[nodiscard]] bool has(const std::string& name) const { return tensor(name) != nullptr; }

  // The tensor `name` of shape [inputs, outputs, count, outer_count].
  Result<const gguf::Tensor*> find(const std::string& name, std::uint64_t inputs, std::uint64_t outputs,
                                   std::uint64_t count = 1, std::uint64_t outer_count = 1) {
    const gguf::Tensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) return model_error(file_.name() + ": tensor " + name + " is missing");
    used_.insert(tensor->name);
    const std::array<std::uint64_t, limits::kGgufDimensionsMax> expected{inputs, outputs, count, outer_count};
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
    return row_of(*tensor, row);
  }

  // The same where the vectors lie along the last dimension.
  Result<std::vector<float>> outer_vector(const std::string& name, std::uint32_t size, std::uint32_t rows,
                                          std::uint32_t row) {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name, size, 1, 1, rows));
    return row_of(*tensor, row);
  }

  [[nodiscard]] Result<std::vector<float>> row_of(const gguf::Tensor& tensor, std::uint32_t row) const {
    std::vector<float> values(padded(static_cast<std::uint32_t>(tensor.shape[0])), 0.0f);
    read_row(tensor, row, values.data());
    TACIT_TRY(check_finite(std::string(tensor.name), values));
    return values;
  }

  // A matrix without a bias.
  Linear matrix(const gguf::Tensor& tensor, std::uint64_t first_row, std::uint32_t row_count) {
    matrices_.push_back({tensor, first_row, row_count});
    return {
        static_cast<std::uint32_t>(matrices_.size() - 1), static_cast<std::uint32_t>(tensor.shape[0]), row_count, {}};
  }

  // The rows [first, first + outputs) of a matrix of `rows`, and of its bias where it has one or must have.
  Result<Linear> linear_part(const std::string& name, std::uint32_t inputs, std::uint32_t rows, std::uint32_t first,
                             std::uint32_t outputs, bool needs_bias) {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name + ".weight", inputs, rows));
    Linear result = matrix(*tensor, first, outputs);
    if (!needs_bias && !has(name + ".bias")) return result;
    TACIT_ASSIGN(const std::vector<float> bias, vector(name + ".bias", rows));
    result.bias.assign(padded(outputs), 0.0f);
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
    Linear result = matrix(*tensor, std::uint64_t{index} * outputs, outputs);
    if (needs_bias || has(name + ".bias")) {
      TACIT_ASSIGN(result.bias, vector(name + ".bias", outputs, count, index));
    }
    return result;
  }

  // Error kModel where the file has a tensor that was never asked for: the family would compute something else than
  // the model's makers meant.
  [[nodiscard]] Status check_all_used() const {
    for (const gguf::Tensor& tensor : file_.tensors()) {
      if (used_.contains(tensor.name) || is_ignored(tensor.name)) continue;
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

  // Rotary divisors are read with the metadata. RWKV-7's first layer carries tensors that only the others use.
  static bool is_ignored(std::string_view name) {
    return name.starts_with("rope_f") || name.starts_with("blk.0.time_mix_v");
  }

  const gguf::File& file_;
  std::vector<MatrixRows>& matrices_;
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
    if (!family_.norm_weights) return weightless_norm(size);
    TACIT_ASSIGN(norm.weight, loader_.vector(name + ".weight", size));
    if (!family_.needs_norm_bias && !loader_.has(name + ".bias")) return norm;
    TACIT_ASSIGN(norm.bias, loader_.vector(name + ".bias", size));
    return norm;
  }

  static Norm weightless_norm(std::uint32_t size) {
    return {true, std::vector<float>(padded(size), 1.0f), {}};
  }

  Result<LayerWeights> layer(const LayerConfig& shape, std::uint32_t number) {
    if (config_.family->mixer == Mixer::kMamba) return mamba();
    if (config_.is_recurrent()) return rwkv(shape, number == 0);
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

  // The tensors ffn_gate, ffn_up and ffn_down, or with the suffix "_shexp" those of the shared ffn experts.
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
    TACIT_TRY(dense_ffn("_shexp",
                        static_cast<std::uint32_t>(std::min<std::uint64_t>(shared->shape[0], limits::kWidthMax)),
                        weights.ffn));
    if (has("ffn_gate_inp_shexp")) {
      TACIT_ASSIGN(weights.shared_gate, loader_.vector(prefix_ + "ffn_gate_inp_shexp.weight", width));
    }
    return {};
  }

  Result<LayerWeights> rwkv(const LayerConfig& shape, bool is_first) {
    const std::uint32_t width = config_.width;
    LayerWeights weights;
    RwkvWeights& w = weights.rwkv;
    TACIT_ASSIGN(weights.attention_norm, norm("attn_norm", width));
    TACIT_ASSIGN(weights.ffn_norm, norm("attn_norm_2", width));
    TACIT_TRY(family_.mixer == Mixer::kRwkv6 ? rwkv6(w) : rwkv7(is_first, w));
    TACIT_ASSIGN(w.receptance, matrix("time_mix_receptance", width, width));
    TACIT_ASSIGN(w.key, matrix("time_mix_key", width, width));
    TACIT_ASSIGN(w.value, matrix("time_mix_value", width, width));
    TACIT_ASSIGN(w.output, matrix("time_mix_output", width, width));
    TACIT_TRY(head_norms(w.head_norms));
    TACIT_ASSIGN(w.channel_lerp_key, vector("channel_mix_lerp_k", width));
    TACIT_ASSIGN(w.channel_key, matrix("channel_mix_key", width, shape.ffn_width));
    TACIT_ASSIGN(w.channel_value, matrix("channel_mix_value", shape.ffn_width, width));
    return weights;
  }

  Status rwkv6(RwkvWeights& w) {
    const std::uint32_t width = config_.width;
    const RecurrentConfig& shape = config_.recurrent;
    constexpr std::uint32_t kLerps = 5;
    TACIT_ASSIGN(w.lerp_x, vector("time_mix_lerp_x", width));
    TACIT_ASSIGN(w.lerp_down, matrix("time_mix_w1", width, kLerps * shape.extra_dim));
    TACIT_TRY(lerps(kLerps, w));
    for (std::uint32_t i = 0; i < kLerps; ++i) {
      TACIT_ASSIGN(Linear up, loader_.linear_of(prefix_ + "time_mix_w2", shape.extra_dim, width, kLerps, i, false));
      w.lerp_up.push_back(std::move(up));
    }
    TACIT_ASSIGN(w.decay.down, matrix("time_mix_decay_w1", width, shape.decay_dim));
    TACIT_ASSIGN(w.decay.up, matrix("time_mix_decay_w2", shape.decay_dim, width));
    TACIT_ASSIGN(w.decay.base, vector("time_mix_decay", width));
    for (std::uint32_t head = 0; head < width / shape.head_size; ++head) {
      TACIT_ASSIGN(const std::vector<float> bonus,
                   loader_.vector(prefix_ + "time_mix_first.weight", shape.head_size, width / shape.head_size, head));
      w.bonus.insert(w.bonus.end(), bonus.begin(), bonus.begin() + shape.head_size);
    }
    TACIT_ASSIGN(w.gate, matrix("time_mix_gate", width, width));
    TACIT_ASSIGN(w.channel_lerp_receptance, vector("channel_mix_lerp_r", width));
    TACIT_ASSIGN(w.channel_receptance, matrix("channel_mix_receptance", width, width));
    return {};
  }

  Status rwkv7(bool is_first, RwkvWeights& w) {
    const std::uint32_t width = config_.width;
    TACIT_TRY(lerps(6, w));
    TACIT_TRY(low_rank("w", true, w.decay));
    TACIT_TRY(low_rank("a", true, w.rate));
    TACIT_TRY(low_rank("g", false, w.gate7));
    if (!is_first) TACIT_TRY(low_rank("v", true, w.value_mix));
    TACIT_ASSIGN(w.key_key, vector("time_mix_k_k", width));
    TACIT_ASSIGN(w.key_rate, vector("time_mix_k_a", width));
    TACIT_ASSIGN(w.receptance_key, vector("time_mix_r_k", width));
    return {};
  }

  // The tensors time_mix_<letter>0, 1 and 2; the rank is what the tensors have.
  Status low_rank(const std::string& letter, bool has_base, LowRank& result) {
    const std::string name = "time_mix_" + letter;
    const gguf::Tensor* down = loader_.tensor(prefix_ + name + "1.weight");
    const auto rank = static_cast<std::uint32_t>(
        down == nullptr ? 1 : std::clamp<std::uint64_t>(down->shape[1], 1, limits::kWidthMax));
    TACIT_ASSIGN(result.down, matrix(name + "1", config_.width, rank));
    TACIT_ASSIGN(result.up, matrix(name + "2", rank, config_.width));
    if (has_base) {
      TACIT_ASSIGN(result.base, vector(name + "0", config_.width));
    }
    return {};
  }

  Status lerps(std::uint32_t count, RwkvWeights& w) {
    for (std::uint32_t i = 0; i < count; ++i) {
      TACIT_ASSIGN(Lerp lerp, loader_.outer_vector(prefix_ + "time_mix_lerp_fused.weight", config_.width, count, i));
      w.lerps.push_back(std::move(lerp));
    }
    return {};
  }

  Status head_norms(std::vector<Norm>& norms) {
    const std::uint32_t size = config_.recurrent.head_size;
    TACIT_ASSIGN(const Norm all, norm("time_mix_ln", config_.width));
    for (std::uint32_t first = 0; first < config_.width; first += size) {
      Norm own{true, std::vector<float>(padded(size)), {}};
      own.bias = own.weight;
      std::copy_n(all.weight.begin() + first, size, own.weight.begin());
      std::copy_n(all.bias.begin() + first, size, own.bias.begin());
      norms.push_back(std::move(own));
    }
    return {};
  }

  Result<LayerWeights> mamba() {
    const RecurrentConfig& shape = config_.recurrent;
    LayerWeights weights;
    MambaWeights& w = weights.mamba;
    TACIT_ASSIGN(weights.attention_norm, norm("attn_norm", config_.width));
    TACIT_ASSIGN(w.in, matrix("ssm_in", config_.width, 2 * shape.inner));
    TACIT_ASSIGN(w.convolution, columns("ssm_conv1d.weight", shape.kernel_size));
    TACIT_ASSIGN(w.convolution_bias, loader_.vector(prefix_ + "ssm_conv1d.bias", shape.inner));
    if (shape.norms_selected) {
      w.step_norm = weightless_norm(shape.step_rank);
      w.state_norm = weightless_norm(shape.state_size);
    }
    TACIT_ASSIGN(w.select, matrix("ssm_x", shape.inner, shape.step_rank + 2 * shape.state_size));
    TACIT_ASSIGN(w.step, loader_.linear(prefix_ + "ssm_dt", shape.step_rank, shape.inner, true));
    TACIT_ASSIGN(w.decay, columns("ssm_a", shape.state_size));
    TACIT_ASSIGN(w.skip, loader_.vector(prefix_ + "ssm_d", shape.inner));
    TACIT_ASSIGN(w.out, matrix("ssm_out", shape.inner, config_.width));
    return weights;
  }

  // The tensor [size, inner] as `size` rows of one number for each channel.
  Result<std::vector<float>> columns(const std::string& tensor, std::uint32_t size) {
    const std::uint32_t inner = config_.recurrent.inner;
    std::vector<float> result(std::size_t{size} * inner);
    for (std::uint32_t channel = 0; channel < inner; ++channel) {
      TACIT_ASSIGN(const std::vector<float> row, loader_.vector(prefix_ + tensor, size, inner, channel));
      for (std::uint32_t i = 0; i < size; ++i) result[std::size_t{i} * inner + channel] = row[i];
    }
    return result;
  }

  Result<Linear> matrix(const std::string& tensor, std::uint32_t inputs, std::uint32_t outputs) {
    return loader_.linear(prefix_ + tensor, inputs, outputs, false);
  }
  Result<std::vector<float>> vector(const std::string& tensor, std::uint32_t size) {
    return loader_.vector(prefix_ + tensor + ".weight", size);
  }

  Loader& loader_;
  const Config& config_;
  const Family& family_;
  const std::string prefix_;
};

}  // namespace

bool is_weight_type(gguf::TensorType type) { return is_dequantizable(type); }

Result<Weights> Weights::load(const gguf::File& file, const Config& config) {
  Weights weights;
  weights.file_name = file.name();
  Loader loader(file, weights.matrices);
  LayerLoader outer(loader, config, "");
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
    TACIT_ASSIGN(LayerWeights layer_weights, layer_loader.layer(config.layers[layer], layer));
    weights.layers.push_back(std::move(layer_weights));
  }
  TACIT_ASSIGN(weights.output_norm, outer.norm("output_norm", config.width));
  if (loader.has("output.weight")) {
    TACIT_ASSIGN(weights.output, loader.linear("output", config.width, config.vocabulary_size, false));
  } else {
    weights.output = loader.matrix(weights.embedding, 0, config.vocabulary_size);
  }
  TACIT_TRY(loader.check_all_used());
  return weights;
}

void read_row(const gguf::Tensor& tensor, std::uint32_t index, float* out) {
  dequantize(tensor.type->type, tensor.data.data() + index * tensor.row_bytes(), tensor.shape[0], out);
}

}  // namespace tacit
