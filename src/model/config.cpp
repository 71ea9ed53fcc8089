// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "numeric/double_math.h"

namespace tacit {
namespace {

Error bad_model(const gguf::File& file, const std::string& field, const std::string& found,
                const std::string& expected) {
  return model_error(file.name() + ": " + field + ": found " + found + ", expected " + expected);
}

// Reads `<architecture>.name` keys.
class Keys {
 public:
  Keys(const gguf::File& file, std::string architecture) : file_(file), prefix_(std::move(architecture) + ".") {}

  [[nodiscard]] Result<std::uint32_t> count(const char* name, std::uint32_t maximum) const {
    TACIT_ASSIGN(const std::uint64_t value, file_.integer(prefix_ + name, 1, maximum));
    return static_cast<std::uint32_t>(value);
  }
  [[nodiscard]] Result<std::uint32_t> count_or(const char* name, std::uint32_t fallback, std::uint32_t maximum) const {
    TACIT_ASSIGN(const std::uint64_t value, file_.integer_or(prefix_ + name, fallback, 0, maximum));
    return static_cast<std::uint32_t>(value);
  }
  [[nodiscard]] std::string key(const char* name) const { return prefix_ + name; }

 private:
  const gguf::File& file_;
  std::string prefix_;
};

// How rotary frequencies are stretched to a longer context than the model was first trained on.
struct RopeScaling {
  std::string_view type;  // "none", "linear", "yarn"
  double factor = 1;
  double original_context_length = 0;  // yarn
};

Result<RopeScaling> load_rope_scaling(const gguf::File& file, const Keys& keys, const Config& config) {
  RopeScaling scaling;
  TACIT_ASSIGN(const double legacy_factor, file.real_or(keys.key("rope.scale_linear"), 1.0));
  TACIT_ASSIGN(scaling.factor, file.real_or(keys.key("rope.scaling.factor"), legacy_factor));
  TACIT_ASSIGN(scaling.type, file.string_or(keys.key("rope.scaling.type"), "linear"));
  TACIT_ASSIGN(const std::uint32_t original, keys.count_or("rope.scaling.original_context_length",
                                                           config.context_length, limits::kContextMax));
  scaling.original_context_length = original;
  if (scaling.type != "none" && scaling.type != "linear" && scaling.type != "yarn") {
    return bad_model(file, keys.key("rope.scaling.type"), "\"" + std::string(scaling.type) + "\"",
                     "\"none\", \"linear\" or \"yarn\"");
  }
  // 0 is what some converters write for "no scaling".
  if (scaling.type == "none" || scaling.factor == 0.0) scaling = {"none", 1.0, scaling.original_context_length};
  if (!(scaling.factor > 0)) {
    return bad_model(file, keys.key("rope.scaling.factor"), std::to_string(scaling.factor), "a positive number");
  }
  return scaling;
}

// The share of pair `pair` that keeps its unstretched frequency under YaRN (arXiv 2309.00071, section 3.2, with its
// beta 32 and 1): 1 for the fast pairs, 0 for the slow ones, a ramp between them.
double yarn_unscaled_share(double pair, double base, const RopeScaling& scaling, std::uint32_t rope_dim) {
  constexpr double kTwoPi = 6.283185307179586;
  const auto pair_of_turns = [&](double turns) {  // the pair that turns so often within the original context
    return rope_dim * numeric::log(scaling.original_context_length / (turns * kTwoPi)) / (2 * numeric::log(base));
  };
  const double low = std::max(0.0, std::floor(pair_of_turns(32.0)));
  const double high = std::min(rope_dim - 1.0, std::ceil(pair_of_turns(1.0)));
  return 1.0 - std::clamp((pair - low) / std::max(0.001, high - low), 0.0, 1.0);
}

// The divisors of the optional tensor rope_freqs (Llama 3), one a pair; empty where there is none.
Result<std::vector<double>> load_rope_divisors(const gguf::File& file, std::uint32_t pair_count) {
  std::vector<double> divisors;
  const gguf::Tensor* tensor = file.find_tensor("rope_freqs.weight");
  if (tensor == nullptr) return divisors;
  if (tensor->type->type != gguf::TensorType::kF32 || tensor->element_count() != pair_count) {
    return bad_model(file, "rope_freqs.weight",
                     std::string(tensor->type->name) + " with " + std::to_string(tensor->element_count()) + " elements",
                     "F32 with " + std::to_string(pair_count));
  }
  for (std::uint32_t i = 0; i < pair_count; ++i) {
    divisors.push_back(static_cast<double>(load_unaligned<float>(tensor->data.data() + 4 * i)));
    if (!(divisors[i] >= 1e-3)) {
      return bad_model(file, "rope_freqs.weight", std::to_string(divisors[i]), "at least 0.001");
    }
  }
  return divisors;
}

Status load_rope(const gguf::File& file, const Keys& keys, Config& config) {
  TACIT_ASSIGN(config.rope_dim, keys.count_or("rope.dimension_count", config.head_dim, config.head_dim));
  if (config.rope_dim % 2 != 0) {
    return bad_model(file, keys.key("rope.dimension_count"), std::to_string(config.rope_dim), "an even number");
  }
  TACIT_ASSIGN(const double base, file.real_or(keys.key("rope.freq_base"), 10000.0));
  if (!(base > 1)) return bad_model(file, keys.key("rope.freq_base"), std::to_string(base), "a number above 1");
  TACIT_ASSIGN(const RopeScaling scaling, load_rope_scaling(file, keys, config));
  TACIT_ASSIGN(const std::vector<double> divisors, load_rope_divisors(file, config.rope_dim / 2));
  const bool yarn = scaling.type == "yarn";
  if (yarn) config.rope_magnitude = 1.0 + 0.1 * numeric::log(scaling.factor);
  for (std::uint32_t i = 0; i < config.rope_dim / 2; ++i) {
    double frequency = numeric::power(base, -2.0 * i / config.rope_dim);
    if (!divisors.empty()) frequency /= divisors[i];
    const double unscaled = yarn ? yarn_unscaled_share(i, base, scaling, config.rope_dim) : 0.0;
    config.rope_frequencies.push_back(frequency * unscaled + frequency / scaling.factor * (1.0 - unscaled));
  }
  return {};
}

Status load_heads(const gguf::File& file, const Keys& keys, Config& config) {
  TACIT_ASSIGN(config.head_count, keys.count("attention.head_count", limits::kHeadsMax));
  TACIT_ASSIGN(config.kv_head_count, keys.count_or("attention.head_count_kv", config.head_count, config.head_count));
  if (config.kv_head_count == 0 || config.head_count % config.kv_head_count != 0) {
    return bad_model(file, keys.key("attention.head_count_kv"), std::to_string(config.kv_head_count),
                     "a divisor of the " + std::to_string(config.head_count) + " query heads");
  }
  const std::uint32_t head_dim = config.width / config.head_count;
  TACIT_ASSIGN(config.head_dim, keys.count_or("attention.key_length", head_dim, limits::kHeadDimMax));
  TACIT_ASSIGN(config.value_dim, keys.count_or("attention.value_length", head_dim, limits::kHeadDimMax));
  if (config.head_dim == 0 || config.head_dim > limits::kHeadDimMax || config.value_dim == 0 ||
      config.value_dim > limits::kHeadDimMax) {
    return bad_model(file, keys.key("attention.key_length"),
                     std::to_string(config.head_dim) + " and " + std::to_string(config.value_dim),
                     "head sizes from 1 to " + std::to_string(limits::kHeadDimMax));
  }
  return {};
}

}  // namespace

Result<Config> Config::load(const gguf::File& file) {
  Config config;
  TACIT_ASSIGN(const std::string_view architecture, file.string("general.architecture"));
  config.architecture = architecture;
  if (architecture != "llama") {
    return bad_model(file, "general.architecture", "\"" + config.architecture + "\"", "\"llama\"");
  }
  const Keys keys(file, config.architecture);
  TACIT_ASSIGN(const std::uint32_t expert_count, keys.count_or("expert_count", 0, limits::kWidthMax));
  if (expert_count != 0) {
    return bad_model(file, keys.key("expert_count"), std::to_string(expert_count), "0 (no mixture of experts)");
  }
  TACIT_ASSIGN(config.layer_count, keys.count("block_count", limits::kLayersMax));
  TACIT_ASSIGN(config.width, keys.count("embedding_length", limits::kWidthMax));
  TACIT_ASSIGN(config.ffn_width, keys.count("feed_forward_length", limits::kWidthMax));
  TACIT_ASSIGN(config.context_length, keys.count("context_length", limits::kContextMax));
  TACIT_ASSIGN(const double epsilon, file.real(keys.key("attention.layer_norm_rms_epsilon")));
  if (!(epsilon > 0)) {
    return bad_model(file, keys.key("attention.layer_norm_rms_epsilon"), std::to_string(epsilon), "a positive number");
  }
  config.norm_epsilon = static_cast<float>(epsilon);
  TACIT_TRY(load_heads(file, keys, config));
  TACIT_TRY(load_rope(file, keys, config));

  const gguf::Tensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) return model_error(file.name() + ": tensor token_embd.weight is missing");
  if (embedding->shape[1] > limits::kVocabularyMax) {
    return bad_model(file, "token_embd.weight", std::to_string(embedding->shape[1]) + " rows",
                     "at most " + std::to_string(limits::kVocabularyMax));
  }
  config.vocabulary_size = static_cast<std::uint32_t>(embedding->shape[1]);
  return config;
}

}  // namespace tacit
