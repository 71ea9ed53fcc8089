// SPDX-License-Identifier: MIT
// From a GGUF file to the oracle's config and weights: metadata with the defaults of the architecture, tensors
// dequantised to float64.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <string>

#include "oracle/oracle.h"

namespace tacit::oracle {
namespace {

using gguf::TensorType;

double half_to_double(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const double sign = bits >> 15 != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

double half_at(const std::uint8_t* bytes) { return half_to_double(load_unaligned<std::uint16_t>(bytes)); }

double bfloat_at(const std::uint8_t* bytes) {
  return std::bit_cast<float>(std::uint32_t{load_unaligned<std::uint16_t>(bytes)} << 16);
}

// A block of Q8_0 is a half-precision scale and 32 signed bytes.
void decode_q8_0(const std::uint8_t* block, double* out) {
  for (int i = 0; i < 32; ++i) out[i] = half_at(block) * load_unaligned<std::int8_t>(block + 2 + i);
}

// A block of Q4_0 is a half-precision scale and 16 bytes; byte i holds elements i (low half) and i + 16, plus 8 each.
void decode_q4_0(const std::uint8_t* block, double* out) {
  for (int i = 0; i < 16; ++i) {
    const int byte = block[2 + i];
    out[i] = half_at(block) * ((byte & 15) - 8);
    out[i + 16] = half_at(block) * ((byte >> 4) - 8);
  }
}

// A block of Q6_K is two halves of 128 elements: per half 64 bytes with the low four bits, 32 bytes with the high two
// and 8 signed scales, one for 16 elements; each kind is stored for both halves together, and a half-precision scale
// for all comes last. Element 32 j + i of a half has its low bits in byte 32 (j % 2) + i, in the upper half of it where
// j >= 2, and its high bits in byte i, from bit 2 j on. A number is stored plus 32.
void decode_q6_k(const std::uint8_t* block, double* out) {
  const double scale = half_at(block + 208);
  for (int half = 0; half < 2; ++half) {
    const std::uint8_t* low = block + 64 * half;
    const std::uint8_t* high = block + 128 + 32 * half;
    const std::uint8_t* scales = block + 192 + 8 * half;
    for (int j = 0; j < 4; ++j) {
      for (int i = 0; i < 32; ++i) {
        const int low_bits = low[32 * (j % 2) + i] >> (j < 2 ? 0 : 4) & 15;
        const int high_bits = high[i] >> (2 * j) & 3;
        const double group_scale = load_unaligned<std::int8_t>(scales + 2 * j + i / 16);
        out[128 * half + 32 * j + i] = scale * group_scale * (low_bits + 16 * high_bits - 32);
      }
    }
  }
}

// One block to `block_elements` numbers; false for a type that is not known here.
bool decode_block(TensorType type, const std::uint8_t* block, double* out) {
  switch (type) {
    case TensorType::kF32:
      *out = load_unaligned<float>(block);
      return true;
    case TensorType::kF16:
      *out = half_at(block);
      return true;
    case TensorType::kBF16:
      *out = bfloat_at(block);
      return true;
    case TensorType::kQ8_0:
      decode_q8_0(block, out);
      return true;
    case TensorType::kQ4_0:
      decode_q4_0(block, out);
      return true;
    case TensorType::kQ6_K:
      decode_q6_k(block, out);
      return true;
    default:
      return false;
  }
}

// The tensor `name` as a matrix, which must have that shape.
Result<Matrix> load_matrix(const gguf::File& file, const std::string& name, std::size_t row_count,
                           std::size_t column_count) {
  const gguf::Tensor* tensor = file.find_tensor(name);
  if (tensor == nullptr) return model_error(file.name() + ": tensor " + name + " is missing");
  if (tensor->shape != decltype(tensor->shape){column_count, row_count, 1, 1}) {
    return model_error(file.name() + ": tensor " + name + " is not [" + std::to_string(row_count) + ", " +
                       std::to_string(column_count) + "]");
  }
  Matrix matrix{row_count, column_count, std::vector<double>(row_count * column_count)};
  const std::size_t block_count = matrix.values.size() / tensor->type->block_elements;
  for (std::size_t i = 0; i < block_count; ++i) {
    const std::uint8_t* block = tensor->data.data() + i * tensor->type->block_bytes;
    if (!decode_block(tensor->type->type, block, matrix.values.data() + i * tensor->type->block_elements)) {
      return model_error(file.name() + ": tensor " + name + " is of type " + std::string(tensor->type->name));
    }
  }
  return matrix;
}

Result<std::vector<double>> load_vector(const gguf::File& file, const std::string& name, std::size_t size) {
  TACIT_ASSIGN(Matrix matrix, load_matrix(file, name, 1, size));
  return std::move(matrix.values);
}

// The tensors `name`.weight and, where there is one, `name`.bias.
Result<Linear> load_linear(const gguf::File& file, const std::string& name, std::size_t output, std::size_t input) {
  Linear linear;
  TACIT_ASSIGN(linear.weight, load_matrix(file, name + ".weight", output, input));
  if (file.find_tensor(name + ".bias") == nullptr) return linear;
  TACIT_ASSIGN(linear.bias, load_vector(file, name + ".bias", output));
  return linear;
}

Result<Layer> load_layer(const gguf::File& file, std::size_t index, const Config& c) {
  const std::string prefix = "blk." + std::to_string(index) + ".";
  Layer layer;
  TACIT_ASSIGN(layer.attention_norm, load_vector(file, prefix + "attn_norm.weight", c.width));
  TACIT_ASSIGN(layer.query, load_linear(file, prefix + "attn_q", c.head_count * c.key_dim, c.width));
  TACIT_ASSIGN(layer.key, load_linear(file, prefix + "attn_k", c.kv_head_count * c.key_dim, c.width));
  TACIT_ASSIGN(layer.value, load_linear(file, prefix + "attn_v", c.kv_head_count * c.value_dim, c.width));
  TACIT_ASSIGN(layer.attention_output, load_linear(file, prefix + "attn_output", c.width, c.head_count * c.value_dim));
  TACIT_ASSIGN(layer.feed_forward_norm, load_vector(file, prefix + "ffn_norm.weight", c.width));
  TACIT_ASSIGN(layer.gate, load_linear(file, prefix + "ffn_gate", c.hidden_width, c.width));
  TACIT_ASSIGN(layer.up, load_linear(file, prefix + "ffn_up", c.hidden_width, c.width));
  TACIT_ASSIGN(layer.down, load_linear(file, prefix + "ffn_down", c.width, c.hidden_width));
  return layer;
}

// How YaRN (arXiv 2309.00071) scales positions: pairs that turn often in the original context keep their speed, pairs
// that turn seldom are slowed by `factor`, those in between change over linearly.
void scale_by_yarn(std::vector<double>& frequencies, double base, double factor, double original_context) {
  constexpr double kFastTurns = 32, kSlowTurns = 1;
  const double dimension_count = 2.0 * static_cast<double>(frequencies.size());
  const auto pair_of_turns = [&](double turns) {
    return dimension_count * std::log(original_context / (turns * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  const double first = std::max(0.0, std::floor(pair_of_turns(kFastTurns)));
  const double last = std::min(dimension_count - 1, std::ceil(pair_of_turns(kSlowTurns)));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double progress = (static_cast<double>(i) - first) / std::max(0.001, last - first);
    const double slowed = std::clamp(progress, 0.0, 1.0);
    frequencies[i] *= (1 - slowed) + slowed / factor;
  }
}

// Folds the scaling that the file asks for into the frequencies.
Status scale_rope(const gguf::File& file, double base, Config& config) {
  TACIT_ASSIGN(const std::string_view scaling, file.string_or("llama.rope.scaling.type", "linear"));
  TACIT_ASSIGN(const double legacy_factor, file.real_or("llama.rope.scale_linear", 0));
  TACIT_ASSIGN(const double stated_factor, file.real_or("llama.rope.scaling.factor", legacy_factor));
  const double factor = stated_factor == 0 ? 1 : stated_factor;
  if (scaling == "none") return {};
  if (scaling == "linear") {
    for (double& frequency : config.rope_frequencies) frequency /= factor;
    return {};
  }
  if (scaling != "yarn") {
    return model_error(file.name() + ": rope scaling " + std::string(scaling) + " is not known here");
  }
  TACIT_ASSIGN(const double context, file.real("llama.context_length"));
  TACIT_ASSIGN(const double original_context, file.real_or("llama.rope.scaling.original_context_length", context));
  scale_by_yarn(config.rope_frequencies, base, factor, original_context);
  config.rope_magnitude = 1 + 0.1 * std::log(factor);
  return {};
}

Status load_rope(const gguf::File& file, Config& config) {
  TACIT_ASSIGN(const std::uint64_t dimension_count,
               file.integer_or("llama.rope.dimension_count", config.key_dim, 0, config.key_dim));
  TACIT_ASSIGN(const double base, file.real_or("llama.rope.freq_base", 10000));
  for (std::uint64_t i = 0; i < dimension_count / 2; ++i) {
    config.rope_frequencies.push_back(
        std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(dimension_count)));
  }
  if (file.find_tensor("rope_freqs.weight") != nullptr) {
    TACIT_ASSIGN(const std::vector<double> divisors,
                 load_vector(file, "rope_freqs.weight", config.rope_frequencies.size()));
    for (std::size_t i = 0; i < divisors.size(); ++i) config.rope_frequencies[i] /= divisors[i];
  }
  return scale_rope(file, base, config);
}

Status load_attention_shape(const gguf::File& file, Config& c) {
  TACIT_ASSIGN(c.head_count, file.integer("llama.attention.head_count", 1, limits::kHeadsMax));
  TACIT_ASSIGN(c.kv_head_count, file.integer_or("llama.attention.head_count_kv", c.head_count, 1, c.head_count));
  if (c.head_count % c.kv_head_count != 0) {
    return model_error(file.name() + ": head_count_kv does not divide head_count");
  }
  const std::size_t head_dim = c.width / c.head_count;
  TACIT_ASSIGN(c.key_dim, file.integer_or("llama.attention.key_length", head_dim, 1, limits::kWidthMax));
  TACIT_ASSIGN(c.value_dim, file.integer_or("llama.attention.value_length", head_dim, 1, limits::kWidthMax));
  return {};
}

Result<Config> load_config(const gguf::File& file) {
  TACIT_ASSIGN(const std::string_view architecture, file.string("general.architecture"));
  TACIT_ASSIGN(const std::uint64_t expert_count, file.integer_or("llama.expert_count", 0, 0, limits::kWidthMax));
  if (architecture != "llama" || expert_count != 0) return model_error(file.name() + ": not a dense llama model");
  const gguf::Tensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) return model_error(file.name() + ": tensor token_embd.weight is missing");
  Config c;
  c.vocabulary_size = embedding->shape[1];
  TACIT_ASSIGN(c.width, file.integer("llama.embedding_length", 1, limits::kWidthMax));
  TACIT_ASSIGN(c.layer_count, file.integer("llama.block_count", 0, limits::kLayersMax));
  TACIT_ASSIGN(c.hidden_width, file.integer("llama.feed_forward_length", 1, limits::kWidthMax));
  TACIT_ASSIGN(c.norm_epsilon, file.real("llama.attention.layer_norm_rms_epsilon"));
  TACIT_TRY(load_attention_shape(file, c));
  TACIT_TRY(load_rope(file, c));
  return c;
}

}  // namespace

Result<Model> load(const gguf::File& file) {
  Model model;
  TACIT_ASSIGN(model.config, load_config(file));
  const Config& c = model.config;
  TACIT_ASSIGN(model.token_embedding, load_matrix(file, "token_embd.weight", c.vocabulary_size, c.width));
  for (std::size_t i = 0; i < c.layer_count; ++i) {
    TACIT_ASSIGN(Layer layer, load_layer(file, i, c));
    model.layers.push_back(std::move(layer));
  }
  TACIT_ASSIGN(model.output_norm, load_vector(file, "output_norm.weight", c.width));
  const bool tied = file.find_tensor("output.weight") == nullptr;
  if (tied) {
    model.output.weight = model.token_embedding;
  } else {
    TACIT_ASSIGN(model.output, load_linear(file, "output", c.vocabulary_size, c.width));
  }
  return model;
}

}  // namespace tacit::oracle
