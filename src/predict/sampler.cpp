// SPDX-License-Identifier: MIT
#include "predict/sampler.h"

#include <algorithm>

#include "numeric/float_formats.h"

namespace tacit {

Result<Sampler> Sampler::create(const SamplerSettings& settings, std::uint64_t seed, std::vector<bool> excluded,
                                const kernels::Kernels& kernels) {
  const auto check = [](const char* name, double value, double minimum, double maximum) -> Status {
    if (value >= minimum && value <= maximum) return {};
    return usage_error(std::string(name) + ": found " + std::to_string(value) + ", expected " +
                       std::to_string(minimum) + " to " + std::to_string(maximum));
  };
  TACIT_TRY(check("temperature", settings.temperature, 0, 100));
  TACIT_TRY(check("top_p", settings.top_p, 0, 1));
  TACIT_TRY(check("min_p", settings.min_p, 0, 1));
  if (std::find(excluded.begin(), excluded.end(), false) == excluded.end()) return usage_error("no token may be drawn");
  return Sampler(settings, seed, std::move(excluded), kernels);
}

Result<std::int32_t> Sampler::draw(const float* logits) {
  const auto count = static_cast<std::uint32_t>(excluded_.size());
  if (!std::all_of(logits, logits + count, numeric::is_finite)) {
    return model_error("the model gave a logit that is infinite or no number");
  }
  const std::uint32_t best = most_likely(logits);
  if (settings_.temperature == 0) return static_cast<std::int32_t>(best);
  // Excluded tokens and what a tiny temperature pushes beyond all floats weigh nothing.
  constexpr float kNothing = -1e30f;
  const float divisor = std::max(static_cast<float>(settings_.temperature), 1e-30f);
  scaled_.resize(count);
  for (std::uint32_t token = 0; token < count; ++token) {
    const float scaled = (logits[token] - logits[best]) / divisor;
    scaled_[token] = excluded_[token] || scaled < kNothing ? kNothing : scaled;
  }
  weights_.resize(count);
  kernels_->frequencies(scaled_.data(), count, weights_.data());
  keep_candidates();
  std::uint64_t total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  // total < 2^48: the high half of a 128-bit product picks a value below it, even to within 2^-16.
  auto value = static_cast<std::uint64_t>((static_cast<unsigned __int128>(next_random()) * total) >> 64);
  for (const Candidate& candidate : candidates_) {
    if (value < candidate.weight) return candidate.token;
    value -= candidate.weight;
  }
  return candidates_.back().token;
}

// The token that may be drawn with the largest logit, the lowest of several.
std::uint32_t Sampler::most_likely(const float* logits) const {
  std::uint32_t best = 0;
  while (excluded_[best]) ++best;
  for (std::uint32_t token = best + 1; token < excluded_.size(); ++token) {
    if (!excluded_[token] && logits[token] > logits[best]) best = token;
  }
  return best;
}

// Candidates that pass the filters, most likely first.
void Sampler::keep_candidates() {
  candidates_.clear();
  std::uint64_t total = 0;
  for (std::uint32_t token = 0; token < weights_.size(); ++token) {
    if (excluded_[token]) continue;
    candidates_.push_back({weights_[token], static_cast<std::int32_t>(token)});
  }
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
  });
  if (settings_.top_k > 0 && candidates_.size() > settings_.top_k) candidates_.resize(settings_.top_k);
  for (const Candidate& candidate : candidates_) total += candidate.weight;

  const double top_p_weight = settings_.top_p * static_cast<double>(total);
  const double min_p_weight = settings_.min_p * candidates_.front().weight;
  std::uint64_t kept_weight = 0;
  std::size_t kept = 0;
  while (kept < candidates_.size()) {
    if (kept > 0 && static_cast<double>(kept_weight) >= top_p_weight) break;
    if (candidates_[kept].weight < min_p_weight) break;
    kept_weight += candidates_[kept++].weight;
  }
  candidates_.resize(kept);
}

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
std::uint64_t Sampler::next_random() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace tacit
