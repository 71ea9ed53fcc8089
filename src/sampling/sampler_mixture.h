// SPDX-License-Identifier: MIT
// Finds out while coding what sampler a text was drawn with. A few samplers, and the one that a user states, each make
// a distribution of the model's logits; the text's symbols show which of them it comes from. Every lane has its own
// posterior, a fixed share of which becomes that of all lanes at each step, so that a text may change its sampler and
// lanes may differ (spec/numeric.md, section 11). Where no sampler explains the text better than the plain softmax, few
// steps are evaluated, and the rest cost hardly any time.
//
// A step is: set() and observe() for every lane, in any order and by any thread; then learn(), once.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sampling/frequencies.h"
#include "sampling/sampler.h"

namespace tacit {

// Candidates: the plain softmax, which never escapes; samplers that people use; the one stated, if any.
inline constexpr std::size_t kGuessedSamplers = 9;
inline constexpr std::size_t kSamplersMax = kGuessedSamplers + 1;
// Of a lane's posterior, that of all lanes each step (Herbster, Warmuth: "Tracking the best expert", 1998).
inline constexpr double kSamplerFixedShare = 0.02;
using SamplerShares = std::array<double, kSamplersMax>;

// Display name of a sampler.
const char* sampler_name(std::size_t sampler);

// The distributions of one step of one lane. A thread needs one.
class CandidateSamplers {
 public:
  CandidateSamplers(const kernels::DistributionKernels& kernels, std::uint32_t vocabulary_size,
                    std::uint32_t symbol_count, const std::optional<SamplerSettings>& stated);

  // Errors: kModel where a logit is not finite.
  Status set(const float* logits, const RecentTokens* recent);
  [[nodiscard]] TopTokens top() { return {ranking_.token(0), ranking_.token(vocabulary_size_ > 1 ? 1 : 0)}; }
  // The samplers' shares in the mixture, and how much of each goes to the plain softmax, as frequencies.
  void mix(const SamplerShares& shares, const SamplerShares& escapes, Frequencies& mixed) const;
  // The symbol's probability.
  [[nodiscard]] double probability(std::size_t sampler, std::uint32_t symbol) const;
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  static constexpr std::size_t kTemperatures = 3;
  [[nodiscard]] const std::uint32_t* weights_of(std::size_t sampler) const;

  const kernels::DistributionKernels& kernels_;
  std::uint32_t vocabulary_size_;
  std::uint64_t byte_symbol_count_;
  std::size_t count_;
  std::array<std::vector<std::uint32_t>, kTemperatures> weights_;
  Ranking ranking_;
  std::optional<SampledDistribution> stated_;
  std::array<Kept, kSamplersMax> kept_;
};

// All lanes of a block.
class SamplerMixture {
 public:
  SamplerMixture(std::size_t lane_count, std::uint32_t vocabulary_size, const std::optional<SamplerSettings>& stated);

  // The lane's distribution at `step`, into `frequencies`; `samplers` keeps what observe() needs. Errors: kModel where
  // a logit is not finite.
  Result<TopTokens> set(std::size_t lane, std::uint64_t step, const float* logits, CandidateSamplers& samplers,
                        Frequencies& frequencies);
  // Notes the symbol that the lane has at the step; `samplers` are those of its set().
  void observe(std::size_t lane, std::uint32_t symbol, const CandidateSamplers& samplers);
  void learn(std::uint64_t step);

  // The lane's posterior of each sampler, and how much of each sampler's share is the plain softmax's.
  [[nodiscard]] SamplerShares shares(std::size_t lane) const { return shares_of(lanes_[lane]); }
  [[nodiscard]] const SamplerShares& escapes() const { return escapes_; }
  // How much of a lane's posterior became that of all lanes in the last step that was learnt from: half of it in the
  // first one, then less, at last kSamplerFixedShare.
  [[nodiscard]] double fixed_share() const;

 private:
  struct Lane {
    SamplerShares own_posterior{};  // from its own symbols
    double shared_weight = 0;       // posterior that it has the sampler of all lanes
    bool evaluated = false;         // in this step; what follows is of its symbol
    std::array<bool, kSamplersMax> escaped{};
    SamplerShares likelihoods{};   // by each sampler and its escape
    double own_likelihood = 0;     // by its own posterior
    double pooled_likelihood = 0;  // by that of all lanes
    double saved = 0;              // nats against the plain softmax
    double plain = 0;              // nats of the plain softmax

    [[nodiscard]] double likelihood() const {
      return shared_weight * pooled_likelihood + (1.0 - shared_weight) * own_likelihood;
    }
  };
  [[nodiscard]] bool evaluates(std::uint64_t step) const;
  [[nodiscard]] SamplerShares shares_of(const Lane& lane) const;
  void count_escapes(const Lane& lane);
  void update(Lane& lane);
  void update_shared(const SamplerShares& sums, double lane_count);
  void share_toward_mean(Lane& lane) const;

  std::size_t sampler_count_;
  bool stated_;
  SamplerShares prior_{};             // before any symbol
  SamplerShares pooled_posterior_{};  // from the symbols of all lanes, as if they had one sampler
  SamplerShares mean_posterior_{};    // of the lanes' own
  double shared_weight_ = 0;          // posterior that all lanes have one sampler
  SamplerShares escape_counts_{};     // symbols that a sampler does not keep, as far as it is the lane's
  SamplerShares total_counts_{};
  SamplerShares escapes_{};  // escape_counts_ / total_counts_, bounded
  std::uint64_t evaluated_steps_ = 0;
  double saved_ = 0;
  double plain_ = 0;
  bool active_ = true;  // every step is evaluated
  std::vector<Lane> lanes_;
  std::vector<RecentTokens> recent_;  // of each lane; empty where no penalties are stated
};

}  // namespace tacit
