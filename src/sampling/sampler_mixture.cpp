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
constexpr double kTogetherStart = 0.5;
constexpr double kMissesStart = 0.1;
constexpr double kTrialsStart = 10;

constexpr double kMeanRate = 0.01;        // of the mean of the lanes' own beliefs
constexpr double kPooledForget = 0.001;   // each step, towards the first belief
constexpr double kTogetherForget = 0.01;  // likewise
constexpr double kShareMin = 1e-5;
constexpr double kEscapeMax = 0.3;
constexpr double kSavingDecay = 0.98;
constexpr double kSavingMin = 0.004;   // of the plain softmax's information; less is not worth the time
constexpr std::uint64_t kLooksMin = 32;
constexpr std::uint64_t kLookEvery = 16;  // steps, where the samplers are not worth the time

}  // namespace

const char* sampler_name(std::size_t expert) { return expert == kStated ? "stated" : kGuessed[expert].name; }

SamplerExperts::SamplerExperts(const kernels::DistributionKernels& kernels, std::uint32_t vocabulary_size,
                               std::uint32_t symbol_count, const std::optional<SamplerSettings>& stated)
    : kernels_(kernels),
      vocabulary_size_(vocabulary_size),
      escape_count_(symbol_count - vocabulary_size),
      count_(kGuessedSamplers + (stated.has_value() ? 1 : 0)),
      ranking_(kernels) {
  for (auto& weights : weights_) weights.resize(vocabulary_size);
  if (stated.has_value()) stated_.emplace(*stated, vocabulary_size, kernels);
}

Status SamplerExperts::set(const float* logits, const RecentTokens* recent) {
  std::array<std::uint64_t, kTemperatures> totals;
  for (std::size_t t = 0; t < kTemperatures; ++t) {
    totals[t] = kernels_.frequencies(logits, vocabulary_size_, kScales[t], weights_[t].data());
    if (totals[t] == 0) return model_error("the model gave a logit that is infinite or no number");
  }
  ranking_.reset(weights_[0].data(), vocabulary_size_);
  for (std::size_t e = 0; e < kGuessedSamplers; ++e) {
    const GuessedSampler& guessed = kGuessed[e];
    kept_[e] = keep(guessed.settings, weights_of(e), totals[guessed.temperature], weights_[0].data(), totals[0],
                    ranking_, kRanksMax);
  }
  kept_[kPlain].total += escape_count_;
  if (!stated_.has_value()) return {};
  TACIT_TRY(stated_->set(logits, recent));
  kept_[kStated] = stated_->kept();
  return {};
}

const std::uint32_t* SamplerExperts::weights_of(std::size_t expert) const {
  return expert == kStated ? stated_->weights() : weights_[kGuessed[expert].temperature].data();
}

double SamplerExperts::probability(std::size_t expert, std::uint32_t symbol) const {
  const Kept& kept = kept_[expert];
  if (symbol >= vocabulary_size_) return expert == kPlain ? 1.0 / static_cast<double>(kept.total) : 0.0;
  const std::uint32_t weight = weights_of(expert)[symbol];
  const bool inside = weight >= kept.lowest && weight <= kept.highest;
  return inside ? static_cast<double>(weight) / static_cast<double>(kept.total) : 0.0;
}

void SamplerExperts::mix(const SamplerShares& shares, const SamplerShares& escapes, Frequencies& mixed) const {
  std::array<double, kSamplerExpertsMax> gains;
  double plain = shares[kPlain];
  for (std::size_t e = 1; e < count_; ++e) {
    plain = plain + shares[e] * escapes[e];
    gains[e] = shares[e] * (1.0 - escapes[e]);
  }
  gains[kPlain] = plain;
  std::array<kernels::MixtureCut, kSamplerExpertsMax> cuts;
  std::array<kernels::MixturePart, kSamplerExpertsMax> parts;
  std::size_t part_count = 0;
  std::size_t cut_count = 0;
  for (std::size_t e = 0; e < count_; ++e) {
    const std::uint32_t* weights = weights_of(e);
    const Kept& kept = kept_[e];
    const auto gain = static_cast<float>(gains[e] / static_cast<double>(kept.total) *
                                         static_cast<double>(kernels::kFrequencyOne));
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
    : expert_count_(kGuessedSamplers + (stated.has_value() ? 1 : 0)),
      stated_(stated.has_value()),
      together_(kTogetherStart),
      lanes_(lane_count) {
  const double guessed = stated_ ? 1.0 - kStatedShare : 1.0;
  first_.fill(guessed * (1.0 - kPlainShare) / static_cast<double>(kGuessedSamplers - 1));
  first_[kPlain] = guessed * kPlainShare;
  first_[kStated] = stated_ ? kStatedShare : 0.0;
  pooled_ = first_;
  mean_ = first_;
  misses_.fill(kMissesStart);
  trials_.fill(kTrialsStart);
  escapes_.fill(kMissesStart / kTrialsStart);
  for (Lane& lane : lanes_) {
    lane.alone = first_;
    lane.together = kTogetherStart;
  }
  if (stated_ && stated->has_penalties()) {
    recent_.assign(lane_count, RecentTokens(vocabulary_size, stated->penalty_window));
  }
}

SamplerShares SamplerMixture::shares_of(const Lane& lane) const {
  SamplerShares shares{};
  for (std::size_t e = 0; e < expert_count_; ++e) {
    shares[e] = lane.together * pooled_[e] + (1.0 - lane.together) * lane.alone[e];
  }
  return shares;
}

double SamplerMixture::drift() const { return std::max(1.0 / static_cast<double>(looks_ + 1), kSamplerDrift); }

bool SamplerMixture::looks(std::uint64_t step) const { return awake_ || step % kLookEvery == 0; }

Result<TopTokens> SamplerMixture::set(std::size_t lane, std::uint64_t step, const float* logits,
                                      SamplerExperts& experts, Frequencies& frequencies) {
  lanes_[lane].observed = looks(step);
  if (!lanes_[lane].observed) {
    TACIT_TRY(frequencies.set_softmax(logits));
    return frequencies.top();
  }
  TACIT_TRY(experts.set(logits, recent_.empty() ? nullptr : &recent_[lane]));
  experts.mix(shares(lane), escapes_, frequencies);
  return experts.top();
}

void SamplerMixture::observe(std::size_t index, std::uint32_t symbol, const SamplerExperts& experts) {
  Lane& lane = lanes_[index];
  if (!recent_.empty()) recent_[index].add(symbol);
  if (!lane.observed) return;
  const double plain = experts.probability(kPlain, symbol);
  lane.alone_fit = 0;
  lane.pooled_fit = 0;
  for (std::size_t e = 0; e < expert_count_; ++e) {
    double p = plain;
    if (e != kPlain) {
      const double own = experts.probability(e, symbol);
      lane.missed[e] = own == 0;
      p = (1.0 - escapes_[e]) * own + escapes_[e] * plain;
    }
    lane.likelihoods[e] = p;
    lane.alone_fit = lane.alone_fit + lane.alone[e] * p;
    lane.pooled_fit = lane.pooled_fit + pooled_[e] * p;
  }
  const numeric::FastLog& ln = numeric::FastLog::instance();
  lane.plain = -ln(plain);
  lane.saved = ln(lane.fit()) + lane.plain;
}

void SamplerMixture::learn(std::uint64_t step) {
  if (!looks(step)) return;
  SamplerShares sums{};
  double count = 0;
  double saved = 0;
  double plain = 0;
  for (const Lane& lane : lanes_) {  // before any update: all lanes were coded with the same beliefs
    if (lane.observed) count_misses(lane);
  }
  for (Lane& lane : lanes_) {
    if (!lane.observed) continue;
    count = count + 1.0;
    saved = saved + lane.saved;
    plain = plain + lane.plain;
    update(lane);
    for (std::size_t e = 0; e < expert_count_; ++e) sums[e] = sums[e] + lane.alone[e];
  }
  if (count == 0) return;
  ++looks_;
  forget(sums, count);
  for (Lane& lane : lanes_) {
    if (lane.observed) drift(lane);
    lane.observed = false;
  }
  saved_ = kSavingDecay * saved_ + saved / count;
  plain_ = kSavingDecay * plain_ + plain / count;
  awake_ = stated_ || looks_ < kLooksMin || saved_ >= kSavingMin * plain_;
}

void SamplerMixture::count_misses(const Lane& lane) {
  const SamplerShares shares = shares_of(lane);
  for (std::size_t e = 0; e < expert_count_; ++e) {
    const double posterior = shares[e] * lane.likelihoods[e] / lane.fit();
    trials_[e] = trials_[e] + posterior;
    if (lane.missed[e]) misses_[e] = misses_[e] + posterior;
  }
}

// Bayes' rule: for the lane, then with its symbol as evidence for all lanes.
void SamplerMixture::update(Lane& lane) {
  lane.together = lane.together * lane.pooled_fit / lane.fit();
  const double pooled_part = together_ * lane.pooled_fit;
  together_ = pooled_part / (pooled_part + (1.0 - together_) * lane.alone_fit);
  double sum = 0;
  for (std::size_t e = 0; e < expert_count_; ++e) {
    lane.alone[e] = lane.alone[e] * lane.likelihoods[e] / lane.alone_fit;
    pooled_[e] = pooled_[e] * lane.likelihoods[e];
    sum = sum + pooled_[e];
  }
  for (std::size_t e = 0; e < expert_count_; ++e) pooled_[e] = pooled_[e] / sum;
}

// `sums`: of the own beliefs of `lane_count` lanes.
void SamplerMixture::forget(const SamplerShares& sums, double lane_count) {
  const double rate = std::max(1.0 / static_cast<double>(looks_ + 1), kMeanRate);
  for (std::size_t e = 0; e < expert_count_; ++e) {
    escapes_[e] = std::min(misses_[e] / trials_[e], kEscapeMax);
    pooled_[e] = (1.0 - kPooledForget) * pooled_[e] + kPooledForget * first_[e];
    mean_[e] = std::max(mean_[e] + rate * (sums[e] / lane_count - mean_[e]), kShareMin);
  }
  together_ = (1.0 - kTogetherForget) * together_ + kTogetherForget * kTogetherStart;
}

void SamplerMixture::drift(Lane& lane) const {
  const double drift = this->drift();
  for (std::size_t e = 0; e < expert_count_; ++e) {
    lane.alone[e] = (1.0 - drift) * lane.alone[e] + drift * mean_[e];
  }
  lane.together = (1.0 - drift) * lane.together + drift * together_;
}

}  // namespace tacit
