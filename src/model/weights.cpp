// SPDX-License-Identifier: MIT
#include "model/weights.h"

#include <string>

#include "numeric/float_formats.h"

namespace tacit {
namespace {

std::string shape_text(std::uint64_t inputs, std::uint64_t outputs) {
  return "[" + std::to_string(inputs) + ", " + std::to_string(outputs) + "]";
}

// Looks tensors up by name, checks and packs them.
class Loader {
 public:
  explicit Loader(const gguf::File& file) : file_(file) {}

  [[nodiscard]] Result<const gguf::Tensor*> find(const std::string& name, std::uint64_t inputs,
                                                 std::uint64_t outputs) const {
    const gguf::Tensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) return model_error(file_.name() + ": tensor " + name + " is missing");
    if (tensor->shape[0] != inputs || tensor->shape[1] != outputs || tensor->shape[2] != 1 || tensor->shape[3] != 1) {
      return model_error(file_.name() + ": tensor " + name + ": found shape " +
                         shape_text(tensor->shape[0], tensor->shape[1]) + ", expected " + shape_text(inputs, outputs));
    }
    if (!is_weight_type(tensor->type->type)) {
      return model_error(file_.name() + ": tensor " + name + ": found type " + std::string(tensor->type->name) +
                         ", expected F32, F16, BF16, Q8_0 or Q4_0");
    }
    return tensor;
  }

  [[nodiscard]] Result<std::vector<float>> vector(const std::string& name, std::uint32_t size) const {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name, size, 1));
    std::vector<float> values(kernels::round_up(size, kernels::kBlock), 0.0f);
    dequantize(tensor->type->type, tensor->data.data(), size, values.data());
    TACIT_TRY(check_finite(name, values));
    return values;
  }

  [[nodiscard]] Result<Linear> linear(const std::string& name, std::uint32_t inputs, std::uint32_t outputs) const {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name + ".weight", inputs, outputs));
    TACIT_ASSIGN(Linear result, pack(file_, *tensor, 0, outputs));
    if (file_.find_tensor(name + ".bias") != nullptr) {
      TACIT_ASSIGN(result.bias, vector(name + ".bias", outputs));
    }
    return result;
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
};

Result<LayerWeights> load_layer(const Loader& loader, const Config& config, std::uint32_t layer) {
  const std::string prefix = "blk." + std::to_string(layer) + ".";
  const std::uint32_t width = config.width;
  LayerWeights weights;
  TACIT_ASSIGN(weights.attention_norm, loader.vector(prefix + "attn_norm.weight", width));
  TACIT_ASSIGN(weights.query, loader.linear(prefix + "attn_q", width, config.head_count * config.head_dim));
  TACIT_ASSIGN(weights.key, loader.linear(prefix + "attn_k", width, config.kv_head_count * config.head_dim));
  TACIT_ASSIGN(weights.value, loader.linear(prefix + "attn_v", width, config.kv_head_count * config.value_dim));
  TACIT_ASSIGN(weights.attention_output,
               loader.linear(prefix + "attn_output", config.head_count * config.value_dim, width));
  TACIT_ASSIGN(weights.ffn_norm, loader.vector(prefix + "ffn_norm.weight", width));
  TACIT_ASSIGN(weights.gate, loader.linear(prefix + "ffn_gate", width, config.ffn_width));
  TACIT_ASSIGN(weights.up, loader.linear(prefix + "ffn_up", width, config.ffn_width));
  TACIT_ASSIGN(weights.down, loader.linear(prefix + "ffn_down", config.ffn_width, width));
  return weights;
}

}  // namespace

Result<Weights> Weights::load(const gguf::File& file, const Config& config) {
  const Loader loader(file);
  Weights weights;
  TACIT_ASSIGN(const gguf::Tensor* embedding, loader.find("token_embd.weight", config.width, config.vocabulary_size));
  weights.embedding = *embedding;
  for (std::uint32_t layer = 0; layer < config.layer_count; ++layer) {
    TACIT_ASSIGN(LayerWeights layer_weights, load_layer(loader, config, layer));
    weights.layers.push_back(std::move(layer_weights));
  }
  TACIT_ASSIGN(weights.output_norm, loader.vector("output_norm.weight", config.width));
  if (file.find_tensor("output.weight") != nullptr) {
    TACIT_ASSIGN(weights.output, loader.linear("output", config.width, config.vocabulary_size));
  } else {
    TACIT_ASSIGN(weights.output, pack(file, weights.embedding, 0, config.vocabulary_size));
  }
  return weights;
}

void Weights::embed(std::uint32_t token, float* out) const {
  dequantize(embedding.type->type, embedding.data.data() + token * row_bytes(embedding), embedding.shape[0], out);
}

}  // namespace tacit
