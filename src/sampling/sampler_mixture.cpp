// SPDX-License-Identifier: MIT
#include "sampling/sampler_mixture.h"

#include <algorithm>

#include "numeric/fast_log.h"

namespace tacit {
namespace {

// A change of any of these is a change of the contract.
constexpr std::array<float, 3> kScales = {1.0f, 1.0f / 0.7f, 1.0f / 0.4f};  // inverse temperatures
constexpr std::uint32_t kRanksMax = 256;  // flat distributions would take all the time
struct GuessedSampler {
  const char* name;
  std::size_t temperature;  // index into kScales
  SamplerSettings settings;
};
constexpr std::size_t kPlain = 0;
constexpr std::size_t kStated = kGuessedSamplers;
const std::array<GuessedSampler, kGuessedSamplers> kGuessed = {{
    {"softmax", 0, {}},
    {"top-p 0.95", 0, {.top_p = 0.95F}},
    {"top-k 40", 0, {.top_k = 40}},
    {"min-p 0.1", 0, {.min_p = 0.1F}},
    {"temperature 0.7", 1, {}},
    {"temperature 0.7, top-p 0.9", 1, {.top_p = 0.9F}},
    {"llama.cpp's defaults",
     1,
     {.top_k = 40, .top_p = 0.95F, .min_p = 0.05F, .order = SamplerSettings::Order::kTemperatureLast}},
    {"temperature 0.4", 2, {}},
    {"greedy", 0, {.top_k = 1}},
}};

// At first. Most texts were drawn by another model, and a short one has no time to show it.
constexpr double kPlainShare = 0.9;
constexpr double kStatedShare = 0.9;
constexpr double kSharedWeightStart = 0.5;
constexpr double kEscapeCountStart = 0.1;
constexpr double kTotalCountStart = 10;

constexpr double kMeanRate = 0.01;            // of the mean of the lanes' own posteriors
constexpr double kPooledForget = 0.001;       // each step, towards the prior
constexpr double kSharedWeightForget = 0.01;  // likewise
constexpr double kPosteriorMin = 1e-5;
constexpr double kEscapeMax = 0.3;
constexpr double kSavingDecay = 0.98;
constexpr double kSavingMin = 0.004;   // of the plain softmax's information; less is not worth the time
constexpr std::uint64_t kEvaluatedStepsMin = 32;
constexpr std::uint64_t kEvaluationInterval = 16;  // steps, where the samplers are not worth the time

}  // namespace

const char* sampler_name(std::size_t sampler) { return sampler == kStated ? "stated" : kGuessed[sampler].name; }

CandidateSamplers::CandidateSamplers(const kernels::DistributionKernels& kernels, std::uint32_t vocabulary_size,
                                     std::uint32_t symbol_count, const std::optional<SamplerSettings>& stated)
    : kernels_(kernels),
      vocabulary_size_(vocabulary_size),
      byte_symbol_count_(symbol_count - vocabulary_size),
      count_(kGuessedSamplers + (stated.has_value() ? 1 : 0)),
      ranking_(kernels) {
  for (auto& weights : weights_) weights.resize(vocabulary_size);
  if (stated.has_value()) stated_.emplace(*stated, vocabulary_size, kernels);
}

Status CandidateSamplers::set(const float* logits, const RecentTokens* recent) {
  std::array<std::uint64_t, kTemperatures> totals;
  for (std::size_t t = 0; t < kTemperatures; ++t) {
    totals[t] = kernels_.frequencies(logits, vocabulary_size_, kScales[t], weights_[t].data());
    if (totals[t] == 0) return model_error("the model gave a logit that is infinite or no number");
  }
  ranking_.reset(weights_[0].data(), vocabulary_size_);
  for (std::size_t s = 0; s < kGuessedSamplers; ++s) {
    const GuessedSampler& guessed = kGuessed[s];
    kept_[s] = keep(guessed.settings, weights_of(s), totals[guessed.temperature], weights_[0].data(), totals[0],
                    ranking_, kRanksMax);
  }
  kept_[kPlain].total += byte_symbol_count_;
  if (!stated_.has_value()) return {};
  TACIT_TRY(stated_->set(logits, recent));
  kept_[kStated] = stated_->kept();
  return {};
}

const std::uint32_t* CandidateSamplers::weights_of(std::size_t sampler) const {
  return sampler == kStated ? stated_->weights() : weights_[kGuessed[sampler].temperature].data();
}

double CandidateSamplers::probability(std::size_t sampler, std::uint32_t symbol) const {
  const Kept& kept = kept_[sampler];
  if (symbol >= vocabulary_size_) return sampler == kPlain ? 1.0 / static_cast<double>(kept.total) : 0.0;
  const std::uint32_t weight = weights_of(sampler)[symbol];
  const bool inside = weight >= kept.lowest && weight <= kept.highest;
  return inside ? static_cast<double>(weight) / static_cast<double>(kept.total) : 0.0;
}

void CandidateSamplers::mix(const SamplerShares& shares, const SamplerShares& escapes, Frequencies& mixed) const {
  std::array<double, kSamplersMax> gains;
  double plain = shares[kPlain];
  for (std::size_t s = 1; s < count_; ++s) {
    plain = plain + shares[s] * escapes[s];
    gains[s] = shares[s] * (1.0 - escapes[s]);
  }
  gains[kPlain] = plain;
  std::array<kernels::MixtureCut, kSamplersMax> cuts;
  std::array<kernels::MixturePart, kSamplersMax> parts;
  std::size_t part_count = 0;
  std::size_t cut_count = 0;
  for (std::size_t s = 0; s < count_; ++s) {
    const std::uint32_t* weights = weights_of(s);
    const Kept& kept = kept_[s];
    const auto gain =
        static_cast<float>(gains[s] / static_cast<double>(kept.total) * static_cast<double>(kernels::kFrequencyOne));
    if (part_count == 0 || parts[part_count - 1].weights != weights) {
      parts[part_count++] = {weights, 0, cuts.data() + cut_count, 0};
    }
    kernels::MixturePart& part = parts[part_count - 1];
    ++part.cut_count;
    cuts[cut_count++] = {kept.lowest, kept.highest, gain};
  }
  mixed.set_mixture(std::span(parts).first(part_count));
}

SamplerMixture::SamplerMixture(std::size_t lane_count, std::uint32_t vocabulary_size,
                               const std::optional<SamplerSettings>& stated)
    : sampler_count_(kGuessedSamplers + (stated.has_value() ? 1 : 0)),
      stated_(stated.has_value()),
      shared_weight_(kSharedWeightStart),
      lanes_(lane_count) {
  const double guessed = stated_ ? 1.0 - kStatedShare : 1.0;
  prior_.fill(guessed * (1.0 - kPlainShare) / static_cast<double>(kGuessedSamplers - 1));
  prior_[kPlain] = guessed * kPlainShare;
  prior_[kStated] = stated_ ? kStatedShare : 0.0;
  pooled_posterior_ = prior_;
  mean_posterior_ = prior_;
  escape_counts_.fill(kEscapeCountStart);
  total_counts_.fill(kTotalCountStart);
  escapes_.fill(kEscapeCountStart / kTotalCountStart);
  for (Lane& lane : lanes_) {
    lane.own_posterior = prior_;
    lane.shared_weight = kSharedWeightStart;
  }
  if (stated_ && stated->has_penalties()) {
    recent_.assign(lane_count, RecentTokens(vocabulary_size, stated->penalty_window));
  }
}

SamplerShares SamplerMixture::shares_of(const Lane& lane) const {
  SamplerShares shares{};
  for (std::size_t s = 0; s < sampler_count_; ++s) {
    shares[s] = lane.shared_weight * pooled_posterior_[s] + (1.0 - lane.shared_weight) * lane.own_posterior[s];
  }
  return shares;
}

double SamplerMixture::fixed_share() const {
  return std::max(1.0 / static_cast<double>(evaluated_steps_ + 1), kSamplerFixedShare);
}

bool SamplerMixture::evaluates(std::uint64_t step) const { return active_ || step % kEvaluationInterval == 0; }

Result<TopTokens> SamplerMixture::set(std::size_t lane, std::uint64_t step, const float* logits,
                                      CandidateSamplers& samplers, Frequencies& frequencies) {
  lanes_[lane].evaluated = evaluates(step);
  if (!lanes_[lane].evaluated) {
    TACIT_TRY(frequencies.set_softmax(logits));
    return frequencies.top();
  }
  TACIT_TRY(samplers.set(logits, recent_.empty() ? nullptr : &recent_[lane]));
  samplers.mix(shares(lane), escapes_, frequencies);
  return samplers.top();
}

void SamplerMixture::observe(std::size_t index, std::uint32_t symbol, const CandidateSamplers& samplers) {
  Lane& lane = lanes_[index];
  if (!recent_.empty()) recent_[index].add(symbol);
  if (!lane.evaluated) return;
  const double plain = samplers.probability(kPlain, symbol);
  lane.own_likelihood = 0;
  lane.pooled_likelihood = 0;
  for (std::size_t s = 0; s < sampler_count_; ++s) {
    double p = plain;
    if (s != kPlain) {
      const double own = samplers.probability(s, symbol);
      lane.escaped[s] = own == 0;
      p = (1.0 - escapes_[s]) * own + escapes_[s] * plain;
    }
    lane.likelihoods[s] = p;
    lane.own_likelihood = lane.own_likelihood + lane.own_posterior[s] * p;
    lane.pooled_likelihood = lane.pooled_likelihood + pooled_posterior_[s] * p;
  }
  const numeric::FastLog& ln = numeric::FastLog::instance();
  lane.plain = -ln(plain);
  lane.saved = ln(lane.likelihood()) + lane.plain;
}

void SamplerMixture::learn(std::uint64_t step) {
  if (!evaluates(step)) return;
  SamplerShares sums{};
  double count = 0;
  double saved = 0;
  double plain = 0;
  for (const Lane& lane : lanes_) {  // before any update: all lanes were coded with the same posteriors
    if (lane.evaluated) count_escapes(lane);
  }
  for (Lane& lane : lanes_) {
    if (!lane.evaluated) continue;
    count = count + 1.0;
    saved = saved + lane.saved;
    plain = plain + lane.plain;
    update(lane);
    for (std::size_t s = 0; s < sampler_count_; ++s) sums[s] = sums[s] + lane.own_posterior[s];
  }
  if (count == 0) return;
  ++evaluated_steps_;
  update_shared(sums, count);
  for (Lane& lane : lanes_) {
    if (lane.evaluated) share_toward_mean(lane);
    lane.evaluated = false;
  }
  saved_ = kSavingDecay * saved_ + saved / count;
  plain_ = kSavingDecay * plain_ + plain / count;
  active_ = stated_ || evaluated_steps_ < kEvaluatedStepsMin || saved_ >= kSavingMin * plain_;
}

void SamplerMixture::count_escapes(const Lane& lane) {
  const SamplerShares shares = shares_of(lane);
  for (std::size_t s = 0; s < sampler_count_; ++s) {
    const double posterior = shares[s] * lane.likelihoods[s] / lane.likelihood();
    total_counts_[s] = total_counts_[s] + posterior;
    if (lane.escaped[s]) escape_counts_[s] = escape_counts_[s] + posterior;
  }
}

// Bayes' rule: for the lane, then with its symbol as evidence for all lanes.
void SamplerMixture::update(Lane& lane) {
  lane.shared_weight = lane.shared_weight * lane.pooled_likelihood / lane.likelihood();
  const double pooled_part = shared_weight_ * lane.pooled_likelihood;
  shared_weight_ = pooled_part / (pooled_part + (1.0 - shared_weight_) * lane.own_likelihood);
  double sum = 0;
  for (std::size_t s = 0; s < sampler_count_; ++s) {
    lane.own_posterior[s] = lane.own_posterior[s] * lane.likelihoods[s] / lane.own_likelihood;
    pooled_posterior_[s] = pooled_posterior_[s] * lane.likelihoods[s];
    sum = sum + pooled_posterior_[s];
  }
  for (std::size_t s = 0; s < sampler_count_; ++s) pooled_posterior_[s] = pooled_posterior_[s] / sum;
}

// `sums`: of the own posteriors of `lane_count` lanes.
void SamplerMixture::update_shared(const SamplerShares& sums, double lane_count) {
  const double rate = std::max(1.0 / static_cast<double>(evaluated_steps_ + 1), kMeanRate);
  for (std::size_t s = 0; s < sampler_count_; ++s) {
    escapes_[s] = std::min(escape_counts_[s] / total_counts_[s], kEscapeMax);
    pooled_posterior_[s] = (1.0 - kPooledForget) * pooled_posterior_[s] + kPooledForget * prior_[s];
    mean_posterior_[s] =
        std::max(mean_posterior_[s] + rate * (sums[s] / lane_count - mean_posterior_[s]), kPosteriorMin);
  }
  shared_weight_ = (1.0 - kSharedWeightForget) * shared_weight_ + kSharedWeightForget * kSharedWeightStart;
}

void SamplerMixture::share_toward_mean(Lane& lane) const {
  const double share = fixed_share();
  for (std::size_t s = 0; s < sampler_count_; ++s) {
    lane.own_posterior[s] = (1.0 - share) * lane.own_posterior[s] + share * mean_posterior_[s];
  }
  lane.shared_weight = (1.0 - share) * lane.shared_weight + share * shared_weight_;
}

}  // namespace tacit
