// SPDX-License-Identifier: MIT
// Finds out while coding what sampler a text was drawn with. A few samplers, and the one that a user states, each make
// a distribution of the model's logits; the text's symbols show which of them it comes from. Every lane has its own
// belief, which drifts towards that of all lanes together, so that a text may change its sampler and lanes may differ
// (spec/numeric.md, section 11). Text that no sampler explains better than the plain softmax costs hardly any time.
//
// A step is: awake(), then set() and observe() for every lane, in any order and by any thread; then learn(), once.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sampling/frequencies.h"
#include "sampling/sampler.h"

namespace tacit {

// Experts: the plain softmax, which never misses; samplers that people use; the one stated, if any.
inline constexpr std::size_t kGuessedSamplers = 9;
inline constexpr std::size_t kSamplerExpertsMax = kGuessedSamplers + 1;
inline constexpr double kSamplerDrift = 0.02;  // of a lane's beliefs, each step, towards those of others
using SamplerShares = std::array<double, kSamplerExpertsMax>;

// What an expert is called where people look on.
const char* sampler_name(std::size_t expert);

// What the experts say of one step of one lane. A thread needs one.
class SamplerExperts {
 public:
  SamplerExperts(const kernels::DistributionKernels& kernels, std::uint32_t vocabulary_size, std::uint32_t symbol_count,
                 const std::optional<SamplerSettings>& stated);

  // Errors: kModel where a logit is not finite.
  Status set(const float* logits, const RecentTokens* recent);
  [[nodiscard]] TopTokens top() { return {ranking_.token(0), ranking_.token(vocabulary_size_ > 1 ? 1 : 0)}; }
  // The experts' shares in the mixture, and how much of each goes to the plain softmax, as frequencies.
  void mix(const SamplerShares& shares, const SamplerShares& escapes, Frequencies& mixed) const;
  // The symbol's probability.
  [[nodiscard]] double probability(std::size_t expert, std::uint32_t symbol) const;
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  static constexpr std::size_t kTemperatures = 3;
  [[nodiscard]] const std::uint32_t* weights_of(std::size_t expert) const;

  const kernels::DistributionKernels& kernels_;
  std::uint32_t vocabulary_size_;
  std::uint64_t escape_count_;
  std::size_t count_;
  std::array<std::vector<std::uint32_t>, kTemperatures> weights_;
  Ranking ranking_;
  std::optional<SampledDistribution> stated_;
  std::array<Kept, kSamplerExpertsMax> kept_;
};

// All lanes of a block.
class SamplerMixture {
 public:
  SamplerMixture(std::size_t lane_count, std::uint32_t vocabulary_size, const std::optional<SamplerSettings>& stated);

  // The lane's distribution at `step`, into `frequencies`; `experts` keeps what observe() needs. Errors: kModel where a
  // logit is not finite.
  Result<TopTokens> set(std::size_t lane, std::uint64_t step, const float* logits, SamplerExperts& experts,
                        Frequencies& frequencies);
  // Notes the symbol that the lane has at the step; `experts` are those of its set().
  void observe(std::size_t lane, std::uint32_t symbol, const SamplerExperts& experts);
  void learn(std::uint64_t step);

  // The lane's belief in each expert, and how much of each expert's share is the plain softmax's.
  [[nodiscard]] SamplerShares shares(std::size_t lane) const { return shares_of(lanes_[lane]); }
  [[nodiscard]] const SamplerShares& escapes() const { return escapes_; }
  // How much of a lane's beliefs became those of others in the last step that was learnt from: half of them in the
  // first one, then less, at last kSamplerDrift.
  [[nodiscard]] double drift() const;

 private:
  struct Lane {
    SamplerShares alone{};  // its own belief
    double together = 0;    // belief that it has the sampler of all lanes
    bool observed = false;  // in this step, what follows is of its symbol
    std::array<bool, kSamplerExpertsMax> missed{};
    SamplerShares likelihoods{};  // by each expert and its escape
    double alone_fit = 0;         // likelihood by its own belief
    double pooled_fit = 0;        // by that of all lanes
    double saved = 0;             // nats against the plain softmax
    double plain = 0;             // nats of the plain softmax

    [[nodiscard]] double fit() const { return together * pooled_fit + (1.0 - together) * alone_fit; }
  };
  [[nodiscard]] bool looks(std::uint64_t step) const;
  [[nodiscard]] SamplerShares shares_of(const Lane& lane) const;
  void count_misses(const Lane& lane);
  void update(Lane& lane);
  void forget(const SamplerShares& sums, double lane_count);
  void drift(Lane& lane) const;

  std::size_t expert_count_;
  bool stated_;
  SamplerShares first_{};   // the belief before any symbol
  SamplerShares pooled_{};  // from the evidence of all lanes, as if they had one sampler
  SamplerShares mean_{};    // of the lanes' own beliefs
  double together_;         // belief that all lanes have one sampler
  SamplerShares misses_{};
  SamplerShares trials_{};
  SamplerShares escapes_{};  // misses_ / trials_
  std::uint64_t looks_ = 0;  // steps learnt from
  double saved_ = 0;
  double plain_ = 0;
  bool awake_ = true;
  std::vector<Lane> lanes_;
  std::vector<RecentTokens> recent_;  // of each lane; empty where no penalties are stated
};

}  // namespace tacit
