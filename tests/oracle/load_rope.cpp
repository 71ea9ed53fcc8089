// SPDX-License-Identifier: MIT
// The frequencies of rotary positions, with every way to stretch them to longer texts. As in llama.cpp, divisors come
// first, then the scaling that the file asks for.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/limits.h"
#include "oracle/load.h"

namespace tacit::oracle {
namespace {

// How the file scales positions.
struct Scaling {
  std::string_view type;  // none, linear, yarn, longrope
  double factor = 1;
  double magnitude = 1;  // the file's own, on top of YaRN's
  std::size_t original_context_length = 0;
};

Result<Scaling> load_scaling(const Reader& reader) {
  Scaling scaling;
  TACIT_ASSIGN(scaling.type, reader.string_or("rope.scaling.type", "linear"));
  if (scaling.type != "none" && scaling.type != "linear" && scaling.type != "yarn" && scaling.type != "longrope") {
    return reader.mismatch(reader.key("rope.scaling.type"), std::string(scaling.type),
                           "none, linear, yarn or longrope");
  }
  TACIT_ASSIGN(const double legacy_factor, reader.real_or("rope.scale_linear", 0));
  TACIT_ASSIGN(const double factor, reader.real_or("rope.scaling.factor", legacy_factor));
  scaling.factor = factor == 0 || scaling.type == "none" ? 1 : factor;
  TACIT_ASSIGN(scaling.magnitude, reader.real_or("rope.scaling.attn_factor", 1));
  TACIT_ASSIGN(const std::size_t context, reader.count_or("context_length", 0, limits::kContextMax));
  TACIT_ASSIGN(scaling.original_context_length,
               reader.count_or("rope.scaling.original_context_length", context, limits::kContextMax));
  return scaling;
}

// YaRN (arXiv 2309.00071): pairs that turn often in the original context keep their speed, pairs that turn seldom are
// slowed by `factor`, those in between change over linearly.
void scale_by_yarn(Vector& frequencies, double base, const Scaling& scaling) {
  constexpr double kFastTurns = 32, kSlowTurns = 1;
  const double dimension_count = 2.0 * static_cast<double>(frequencies.size());
  const auto pair_of_turns = [&](double turns) {
    const double full = static_cast<double>(scaling.original_context_length) / (turns * 2 * std::numbers::pi);
    return dimension_count * std::log(full) / (2 * std::log(base));
  };
  const double first = std::max(0.0, std::floor(pair_of_turns(kFastTurns)));
  const double last = std::min(dimension_count - 1, std::ceil(pair_of_turns(kSlowTurns)));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double progress = (static_cast<double>(i) - first) / std::max(0.001, last - first);
    const double slowed = std::clamp(progress, 0.0, 1.0);
    frequencies[i] *= (1 - slowed) + slowed / scaling.factor;
  }
}

void scale(Rope& rope, double base, const Scaling& scaling) {
  rope.magnitude = scaling.magnitude;
  if (scaling.type == "yarn") {
    scale_by_yarn(rope.frequencies, base, scaling);
    rope.magnitude *= scaling.factor <= 1 ? 1 : 1 + 0.1 * std::log(scaling.factor);
  } else {
    for (double& frequency : rope.frequencies) frequency /= scaling.factor;
  }
}

// rope_freqs (Llama 3) or LongRoPE's factors (arXiv 2402.13753).
Result<Vector> load_divisors(Reader& reader, RopeDivisors kind, const Scaling& scaling, std::size_t pair_count,
                             std::size_t context_length) {
  if (kind == RopeDivisors::kNone) return Vector{};
  if (kind == RopeDivisors::kLlama3 && scaling.type != "longrope") {
    return reader.values_if(Presence::kMaybe, "rope_freqs.weight", {pair_count});
  }
  TACIT_ASSIGN(Vector long_factors, reader.values_if(Presence::kMaybe, "rope_factors_long.weight", {pair_count}));
  TACIT_ASSIGN(Vector short_factors, reader.values_if(Presence::kMaybe, "rope_factors_short.weight", {pair_count}));
  return context_length > scaling.original_context_length ? long_factors : short_factors;
}

// Layers with a window may turn in their own way.
Result<double> load_base(const Reader& reader, LocalRope local, Scaling& scaling) {
  TACIT_ASSIGN(const double base, reader.real_or("rope.freq_base", 10000));
  switch (local) {
    case LocalRope::kSame:
      return base;
    case LocalRope::kOwnBase:
      return reader.real_or("rope.freq_base_swa", base);
    case LocalRope::kOwnBaseUnscaled:
      scaling.factor = 1;
      return reader.real_or("rope.freq_base_swa", 10000);
    case LocalRope::kUnscaled:
      scaling.factor = 1;
      scaling.magnitude = 1;
      return base;
  }
  return base;
}

}  // namespace

Result<Rope> load_rope(Reader& reader, const Family& family, std::size_t head_dim, bool local,
                       std::size_t context_length) {
  Rope rope;
  if (family.rope == RopeLayout::kNone) return rope;
  TACIT_ASSIGN(const bool turns, reader.boolean_or("rope.scaling.finetuned", true));
  if (family.granite_multipliers && !turns) return rope;
  rope.halves = family.rope == RopeLayout::kHalves;
  TACIT_ASSIGN(Scaling scaling, load_scaling(reader));
  TACIT_ASSIGN(const double base, load_base(reader, local ? family.sliding.rope : LocalRope::kSame, scaling));
  if (!(base > 1)) return reader.mismatch(reader.key("rope.freq_base"), std::to_string(base), "a number above 1");
  if (!(scaling.factor > 0)) {
    return reader.mismatch(reader.key("rope.scaling.factor"), std::to_string(scaling.factor), "a positive number");
  }
  TACIT_ASSIGN(const std::size_t turned, reader.count_or("rope.dimension_count", head_dim, head_dim));
  if (turned % 2 != 0) {
    return reader.mismatch(reader.key("rope.dimension_count"), std::to_string(turned), "an even number");
  }
  for (std::size_t i = 0; i < turned / 2; ++i) {
    rope.frequencies.push_back(std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(turned)));
  }
  TACIT_ASSIGN(const Vector divisors, load_divisors(reader, family.rope_divisors, scaling, turned / 2, context_length));
  for (std::size_t i = 0; i < divisors.size(); ++i) rope.frequencies[i] /= divisors[i];
  scale(rope, base, scaling);
  return rope;
}

}  // namespace tacit::oracle
