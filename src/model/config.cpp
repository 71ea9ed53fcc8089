// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "model/keys.h"

namespace tacit {
namespace {

std::string known_architectures() {
  std::string names;
  for (const Family& family : families()) {
    if (!names.empty()) names += ", ";
    names += family.architecture;
  }
  return names;
}

Result<const Family*> load_family(const gguf::File& file) {
  TACIT_ASSIGN(const std::string_view architecture, file.string("general.architecture"));
  if (const Family* family = find_family(architecture); family != nullptr) return family;
  return bad_model(file, "general.architecture", "\"" + std::string(architecture) + "\"",
                   "one of " + known_architectures());
}

Status load_sizes(const gguf::File& file, const Keys& keys, Config& config) {
  TACIT_ASSIGN(config.layer_count, keys.count("block_count", limits::kLayersMax));
  TACIT_ASSIGN(config.width, keys.count("embedding_length", limits::kWidthMax));
  TACIT_ASSIGN(config.context_length, keys.count("context_length", limits::kContextMax));
  const bool rms = config.family->norm == NormKind::kRms;
  const char* const epsilon_name = rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  TACIT_ASSIGN(const double epsilon, file.real(keys.key(epsilon_name)));
  TACIT_TRY(keys.check_scale(epsilon_name, epsilon));
  config.norm_epsilon = static_cast<float>(epsilon);

  const gguf::Tensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) return model_error(file.name() + ": tensor token_embd.weight is missing");
  if (embedding->shape[1] > limits::kVocabularyMax) {
    return bad_model(file, "token_embd.weight", std::to_string(embedding->shape[1]) + " rows",
                     "at most " + std::to_string(limits::kVocabularyMax));
  }
  config.vocabulary_size = static_cast<std::uint32_t>(embedding->shape[1]);
  return {};
}

Status load_heads(const gguf::File& file, const Keys& keys, Config& config) {
  TACIT_ASSIGN(const std::vector<std::uint32_t> heads,
               keys.per_layer("attention.head_count", config.layer_count, limits::kHeadsMax));
  if (heads.empty()) return bad_model(file, keys.key("attention.head_count"), "nothing", "a number of heads");
  TACIT_ASSIGN(std::vector<std::uint32_t> kv_heads,
               keys.per_layer("attention.head_count_kv", config.layer_count, limits::kHeadsMax));
  if (kv_heads.empty()) kv_heads = heads;
  for (std::uint32_t layer = 0; layer < config.layer_count; ++layer) {
    if (heads[layer] % kv_heads[layer] != 0) {
      return bad_model(file, keys.key("attention.head_count_kv"), std::to_string(kv_heads[layer]),
                       "a divisor of the " + std::to_string(heads[layer]) + " query heads");
    }
    config.layers[layer].head_count = heads[layer];
    config.layers[layer].kv_head_count = kv_heads[layer];
  }
  const std::uint32_t head_dim = config.width / heads[0];  // unless the file says otherwise
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

Status load_windows(const Keys& keys, Config& config) {
  const Family& family = *config.family;
  if (family.window_period == 0) return {};
  TACIT_ASSIGN(const std::uint32_t window,
               keys.count_or("attention.sliding_window", family.window, limits::kContextMax));
  TACIT_ASSIGN(const std::uint32_t period,
               keys.count_or("attention.sliding_window_pattern", family.window_period, limits::kLayersMax));
  for (std::uint32_t layer = 0; layer < config.layer_count; ++layer) {
    const bool sees_all = period != 0 && layer % period == period - 1;
    if (!sees_all) config.layers[layer].window = window;
  }
  return {};
}

Status load_rotations(const gguf::File& file, const Keys& keys, Config& config) {
  const Family& family = *config.family;
  RopeSettings settings;
  settings.head_dim = config.head_dim;
  settings.context_length = config.context_length;
  TACIT_ASSIGN(Rope rope, load_rope(file, keys, settings));
  config.ropes.push_back(std::move(rope));
  const bool has_windows =
      std::ranges::any_of(config.layers, [](const LayerConfig& layer) { return layer.window != 0; });
  if (has_windows) {
    settings.in_windows = true;
    settings.scaled = !family.scaled_rope_outside_windows_only;
    settings.window_base = family.window_rope_base;
    TACIT_ASSIGN(Rope window_rope, load_rope(file, keys, settings));
    config.ropes.push_back(std::move(window_rope));
  }

  TACIT_ASSIGN(const bool finetuned, file.boolean_or(keys.key("rope.scaling.finetuned"), true));
  const bool all_rotate = finetuned || !family.unrotated_by_key;
  for (std::uint32_t i = 0; i < config.layer_count; ++i) {
    LayerConfig& layer = config.layers[i];
    const bool skipped = family.unrotated_period != 0 && (i + 1) % family.unrotated_period == 0;
    layer.rotates = all_rotate && !skipped && !(family.rope_in_windows_only && layer.window == 0);
    layer.rope = layer.window != 0 ? 1 : 0;
  }
  return {};
}

Status load_positions(const gguf::File& file, const Keys& keys, Config& config) {
  switch (config.family->positions) {
    case Positions::kRopePairs:
    case Positions::kRopeHalves: return load_rotations(file, keys, config);
    case Positions::kAlibi: {
      constexpr const char* kName = "attention.max_alibi_bias";
      TACIT_ASSIGN(const double bias, keys.positive_or(kName, config.family->alibi_bias));
      if (bias > limits::kAlibiBiasMax) {
        return bad_model(file, keys.key(kName), std::to_string(bias), "at most 512");
      }
      config.alibi_bias = static_cast<float>(bias);
      return {};
    }
    case Positions::kLearned:
    case Positions::kNone: break;
  }
  return {};
}

Status load_scales(const Keys& keys, Config& config) {
  const Family& family = *config.family;
  const auto read = [&](const char* name, double fallback, float& scale) -> Status {
    TACIT_ASSIGN(const double value, keys.positive_or(name, fallback));
    scale = static_cast<float>(value);
    return {};
  };
  const double root_width = std::sqrt(static_cast<double>(config.width));
  TACIT_TRY(read("embedding_scale", family.embedding_times_root_width ? root_width : 1.0, config.embedding_scale));
  TACIT_TRY(read("residual_scale", 1.0, config.residual_scale));
  TACIT_TRY(read("logit_scale", 1.0, config.logit_scale));
  if (family.logits_divided) config.logit_scale = 1.0f / config.logit_scale;
  TACIT_TRY(read("attn_logit_softcapping", family.attention_cap, config.attention_cap));
  TACIT_TRY(read("final_logit_softcapping", family.logit_cap, config.logit_cap));
  TACIT_TRY(read("attention.clamp_kqv", 0.0, config.qkv_clamp));

  const bool by_width = family.root_width_layers != 0 && config.layer_count == family.root_width_layers;
  const auto size = static_cast<float>(by_width ? config.width / config.layers[0].head_count : config.head_dim);
  config.attention_scale = 1.0f / std::sqrt(size);
  return read("attention.scale", static_cast<double>(config.attention_scale), config.attention_scale);
}

// The width of an ffn expert as its tensors have it: not every file states it. 0: there are none.
std::uint32_t expert_width(const gguf::File& file, const Config& config) {
  for (std::uint32_t layer = 0; layer < config.layer_count; ++layer) {
    const gguf::Tensor* down = file.find_tensor("blk." + std::to_string(layer) + ".ffn_down_exps.weight");
    if (down != nullptr && down->shape[0] <= limits::kWidthMax) return static_cast<std::uint32_t>(down->shape[0]);
  }
  return 0;
}

Status load_ffn(const gguf::File& file, const Keys& keys, Config& config) {
  TACIT_ASSIGN(const std::vector<std::uint32_t> widths,
               keys.per_layer("feed_forward_length", config.layer_count, limits::kWidthMax));
  if (widths.empty()) return bad_model(file, keys.key("feed_forward_length"), "nothing", "a width");
  for (std::uint32_t layer = 0; layer < config.layer_count; ++layer) config.layers[layer].ffn_width = widths[layer];
  TACIT_ASSIGN(config.expert_count, keys.count_or("expert_count", 0, limits::kExpertsMax));
  if (config.expert_count == 0) return {};
  TACIT_ASSIGN(config.experts_used, keys.count("expert_used_count", config.expert_count));
  TACIT_ASSIGN(config.expert_width,
               keys.count_or("expert_feed_forward_length", expert_width(file, config), limits::kWidthMax));
  TACIT_ASSIGN(const double scale, keys.positive_or("expert_weights_scale", 1.0));
  config.expert_scale = static_cast<float>(scale);
  return {};
}

Status load_residual(const gguf::File& file, const Keys& keys, Config& config) {
  switch (config.family->residual) {
    case Residual::kSequential: break;
    case Residual::kParallel: config.parallel = true; break;
    case Residual::kParallelByKey: {
      TACIT_ASSIGN(config.parallel, file.boolean_or(keys.key("use_parallel_residual"), true));
      break;
    }
    case Residual::kParallelWithoutFfnNorm:
      config.parallel = file.find_tensor("blk.0.ffn_norm.weight") == nullptr;
      break;
  }
  return {};
}

Status load_recurrent(const gguf::File& file, const Keys& keys, Config& config) {
  RecurrentConfig& shape = config.recurrent;
  if (config.family->mixer == Mixer::kMamba) {
    TACIT_ASSIGN(shape.inner, keys.count("ssm.inner_size", limits::kWidthMax));
    TACIT_ASSIGN(shape.state_size, keys.count("ssm.state_size", limits::kStateSizeMax));
    TACIT_ASSIGN(shape.kernel_size, keys.count("ssm.conv_kernel", limits::kStateSizeMax));
    TACIT_ASSIGN(shape.step_rank, keys.count("ssm.time_step_rank", limits::kWidthMax));
    TACIT_ASSIGN(shape.norms_selected, file.boolean_or(keys.key("ssm.dt_b_c_rms"), false));
    return {};
  }
  TACIT_ASSIGN(shape.head_size, keys.count("wkv.head_size", limits::kHeadDimMax));
  if (config.width % shape.head_size != 0) {
    return bad_model(file, keys.key("wkv.head_size"), std::to_string(shape.head_size),
                     "a divisor of the width " + std::to_string(config.width));
  }
  TACIT_ASSIGN(const std::uint32_t ffn_width, keys.count("feed_forward_length", limits::kWidthMax));
  for (LayerConfig& layer : config.layers) layer.ffn_width = ffn_width;
  if (config.family->mixer == Mixer::kRwkv7) return {};
  TACIT_ASSIGN(shape.extra_dim, keys.count("time_mix_extra_dim", limits::kWidthMax));
  TACIT_ASSIGN(shape.decay_dim, keys.count("time_decay_extra_dim", limits::kWidthMax));
  TACIT_ASSIGN(shape.rescale_period, keys.count_or("rescale_every_n_layers", 0, limits::kLayersMax));
  return {};
}

}  // namespace

Result<Config> Config::load(const gguf::File& file) {
  Config config;
  TACIT_ASSIGN(config.family, load_family(file));
  config.architecture = config.family->architecture;
  const Keys keys(file, config.architecture);
  TACIT_TRY(load_sizes(file, keys, config));
  config.layers.resize(config.layer_count);
  if (config.is_recurrent()) {
    TACIT_TRY(load_recurrent(file, keys, config));
    return config;
  }
  TACIT_TRY(load_heads(file, keys, config));
  TACIT_TRY(load_windows(keys, config));
  TACIT_TRY(load_positions(file, keys, config));
  TACIT_TRY(load_scales(keys, config));
  TACIT_TRY(load_ffn(file, keys, config));
  TACIT_TRY(load_residual(file, keys, config));
  return config;
}

std::uint32_t Config::default_window() const {
  constexpr std::uint32_t kDefaultMax = 512;
  if (learns_positions()) return std::min(context_length, 2 * kDefaultMax);
  return std::clamp(context_length / 2, limits::kWindowMin, kDefaultMax);
}

std::uint32_t Config::window_max() const { return learns_positions() ? context_length : limits::kWindowMax; }

std::uint32_t Config::state_floats() const {
  const RecurrentConfig& r = recurrent;
  if (family->mixer == Mixer::kAttention) return 0;
  if (family->mixer == Mixer::kMamba) return r.inner * (r.kernel_size - 1 + r.state_size);
  return width * (2 + r.head_size);
}

std::uint32_t Config::heads_max() const {
  return std::ranges::max(layers, {}, &LayerConfig::head_count).head_count;
}
std::uint32_t Config::query_group_max() const {
  std::uint32_t result = 0;
  for (const LayerConfig& layer : layers) {
    if (layer.kv_head_count != 0) result = std::max(result, layer.head_count / layer.kv_head_count);
  }
  return result;
}

}  // namespace tacit
