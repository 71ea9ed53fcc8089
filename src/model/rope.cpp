// SPDX-License-Identifier: MIT
#include "model/rope.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "model/keys.h"
#include "numeric/double_math.h"

namespace tacit {
namespace {

constexpr double kDefaultBase = 10000;

struct Scaling {
  bool yarn = false;
  double factor = 1;
  double original_context = 0;
  double magnitude = 1;
};

Result<Scaling> load_scaling(const gguf::File& file, const Keys& keys, std::uint32_t context_length) {
  Scaling scaling;
  TACIT_ASSIGN(const double legacy_factor, keys.positive_or("rope.scale_linear", 1.0));
  TACIT_ASSIGN(const double factor, keys.positive_or("rope.scaling.factor", legacy_factor));
  TACIT_ASSIGN(const std::string_view type, file.string_or(keys.key("rope.scaling.type"), "linear"));
  TACIT_ASSIGN(const std::uint32_t original,
               keys.count_or("rope.scaling.original_context_length", context_length, limits::kContextMax));
  scaling.original_context = original;
  if (type != "none" && type != "linear" && type != "yarn" && type != "longrope") {
    return bad_model(file, keys.key("rope.scaling.type"), "\"" + std::string(type) + "\"",
                     "\"none\", \"linear\", \"yarn\" or \"longrope\"");
  }
  if (type != "none") scaling.factor = factor;
  scaling.yarn = type == "yarn";
  TACIT_ASSIGN(scaling.magnitude, keys.positive_or("rope.scaling.attn_factor", 1.0));
  if (!scaling.yarn) return scaling;
  if (original == 0) {
    return bad_model(file, keys.key("rope.scaling.original_context_length"), "0", "a positive number");
  }
  if (scaling.factor > 1) scaling.magnitude *= 1.0 + 0.1 * numeric::log(scaling.factor);
  return scaling;
}

// The share of pair `pair` that keeps its unscaled frequency under YaRN (arXiv 2309.00071, section 3.2, with its
// beta 32 and 1): 1 for the fast pairs, 0 for the slow ones, a ramp between them.
double yarn_unscaled_share(double pair, double base, const Scaling& scaling, std::uint32_t dim) {
  constexpr double kTwoPi = 6.283185307179586;
  const auto pair_of_turns = [&](double turns) {  // the pair that turns so often within the original context
    return dim * numeric::log(scaling.original_context / (turns * kTwoPi)) / (2 * numeric::log(base));
  };
  const double low = std::max(0.0, std::floor(pair_of_turns(32.0)));
  const double high = std::min(dim - 1.0, std::ceil(pair_of_turns(1.0)));
  return 1.0 - std::clamp((pair - low) / std::max(0.001, high - low), 0.0, 1.0);
}

// The divisors in an optional tensor, one a pair; empty where there is none.
Result<std::vector<double>> load_divisors(const gguf::File& file, const char* name, std::uint32_t pair_count) {
  std::vector<double> divisors;
  const gguf::Tensor* tensor = file.find_tensor(name);
  if (tensor == nullptr) return divisors;
  if (tensor->type->type != gguf::TensorType::kF32 || tensor->element_count() != pair_count) {
    return bad_model(file, name,
                     std::string(tensor->type->name) + " with " + std::to_string(tensor->element_count()) + " elements",
                     "F32 with " + std::to_string(pair_count));
  }
  for (std::uint32_t i = 0; i < pair_count; ++i) {
    divisors.push_back(static_cast<double>(load_unaligned<float>(tensor->data.data() + 4 * i)));
    if (!(divisors[i] >= 1e-3)) return bad_model(file, name, std::to_string(divisors[i]), "at least 0.001");
  }
  return divisors;
}

Result<double> load_base(const gguf::File& file, const Keys& keys, const char* name, double fallback) {
  TACIT_ASSIGN(const double base, keys.real_or(name, fallback));
  if (base > 1 && base <= limits::kScaleMax) return base;
  return bad_model(file, keys.key(name), std::to_string(base), "a number above 1, at most 1e15");
}

Result<std::uint32_t> load_dim(const gguf::File& file, const Keys& keys, std::uint32_t head_dim) {
  TACIT_ASSIGN(const std::uint32_t dim, keys.count_or("rope.dimension_count", head_dim, head_dim));
  if (dim % 2 == 0) return dim;
  return bad_model(file, keys.key("rope.dimension_count"), std::to_string(dim), "an even number");
}

std::vector<double> frequencies(double base, std::uint32_t dim, const std::vector<double>& divisors,
                                const Scaling& scaling) {
  std::vector<double> result;
  for (std::uint32_t i = 0; i < dim / 2; ++i) {
    double frequency = numeric::power(base, -2.0 * i / dim);
    if (!divisors.empty()) frequency /= divisors[i];
    const double unscaled = scaling.yarn ? yarn_unscaled_share(i, base, scaling, dim) : 0.0;
    result.push_back(frequency * unscaled + frequency / scaling.factor * (1.0 - unscaled));
  }
  return result;
}

}  // namespace

Result<Rope> load_rope(const gguf::File& file, const Keys& keys, const RopeSettings& settings) {
  Rope rope;
  TACIT_ASSIGN(rope.dim, load_dim(file, keys, settings.head_dim));
  TACIT_ASSIGN(double base, load_base(file, keys, "rope.freq_base", kDefaultBase));
  if (settings.in_windows) {
    const double fallback = settings.window_base != 0 ? settings.window_base : base;
    TACIT_ASSIGN(base, load_base(file, keys, "rope.freq_base_swa", fallback));
  }
  if (!settings.scaled) {
    rope.frequencies = frequencies(base, rope.dim, {}, Scaling{});
    return rope;
  }
  TACIT_ASSIGN(const Scaling scaling, load_scaling(file, keys, settings.context_length));
  TACIT_ASSIGN(const std::vector<double> divisors, load_divisors(file, "rope_freqs.weight", rope.dim / 2));
  TACIT_ASSIGN(const std::vector<double> shorter, load_divisors(file, "rope_factors_short.weight", rope.dim / 2));
  TACIT_ASSIGN(const std::vector<double> longer, load_divisors(file, "rope_factors_long.weight", rope.dim / 2));
  rope.magnitude = scaling.magnitude;
  rope.frequencies = frequencies(base, rope.dim, divisors.empty() ? shorter : divisors, scaling);
  if (!divisors.empty() || longer.empty()) return rope;
  rope.long_frequencies = frequencies(base, rope.dim, longer, scaling);
  rope.short_context = static_cast<std::uint32_t>(scaling.original_context);
  return rope;
}

}  // namespace tacit
