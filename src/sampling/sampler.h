// SPDX-License-Identifier: MIT
// What a text may have been drawn with: the settings of the samplers that engines have, and the distribution that each
// makes of logits. Exact: integer weights of the contract's softmax (spec/numeric.md, section 11), kept or left out by
// filters in a stated order. Knows logits and tokens, not text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "sampling/distribution_kernels.h"
#include "sampling/sampler_settings.h"

namespace tacit {

// Tokens from the most likely one down, ordered as far as somebody asks: by weight, of equal weights the lower token
// first.
class Ranking {
 public:
  explicit Ranking(const kernels::DistributionKernels& kernels) : kernels_(&kernels) {}
  // `weights`: the largest is kFrequencyOne. They stay as they are while the ranking is used.
  void reset(const std::uint32_t* weights, std::uint32_t count);
  [[nodiscard]] std::uint32_t count() const { return count_; }
  // rank < count().
  std::uint32_t token(std::uint32_t rank);

 private:
  void gather();

  const kernels::DistributionKernels* kernels_;
  const std::uint32_t* weights_ = nullptr;
  std::uint32_t count_ = 0;
  std::uint32_t bound_ = 0;                // weights from here on are ranked or in the heap
  std::vector<std::uint32_t> ranked_;
  std::vector<std::uint32_t> tokens_;      // scratch
  std::vector<std::uint64_t> heap_;  // of (weight, inverted token): the lower of two tokens comes first
};

// What a sampler's filters keep of weights: those in [lowest, highest]; `total`: their sum, exact but for tokens at the
// edges with equal weights, of which it counts those that the filters counted.
struct Kept {
  std::uint32_t lowest = 0;
  std::uint32_t highest = 0;
  std::uint64_t total = 0;
};

// top_p looks at `ranks_max` tokens at most. `weights`: at the settings' temperature, `total` their sum. `plain`: those
// that the filters see, which are others where the temperature comes last; `ranking`: of those, or of any with the same
// order.
Kept keep(const SamplerSettings& settings, const std::uint32_t* weights, std::uint64_t total,
          const std::uint32_t* plain, std::uint64_t plain_total, Ranking& ranking, std::uint32_t ranks_max);

// How often each token occurred in a lane's past, as far as the penalties look.
class RecentTokens {
 public:
  // `window`: 0: everything.
  RecentTokens(std::uint32_t vocabulary_size, std::uint32_t window) : counts_(vocabulary_size), window_(window) {}
  void add(std::uint32_t token);
  void forget();
  // Changes the logits of the tokens that occurred.
  void penalize(const SamplerSettings& settings, float* logits) const;

 private:
  std::vector<std::uint32_t> counts_;
  std::uint32_t window_;
  std::vector<std::uint32_t> past_;
};

// A sampler's distribution of one step at a time.
class SampledDistribution {
 public:
  SampledDistribution(const SamplerSettings& settings, std::uint32_t vocabulary_size,
                      const kernels::DistributionKernels& kernels);

  // `recent`: null where there are no penalties. Errors: kModel where a logit is not finite.
  Status set(const float* logits, const RecentTokens* recent);

  // Valid until the next set().
  [[nodiscard]] const std::uint32_t* weights() const { return weights_.data(); }
  [[nodiscard]] const Kept& kept() const { return kept_; }
  [[nodiscard]] const SamplerSettings& settings() const { return settings_; }
  [[nodiscard]] std::uint32_t most_likely();

 private:
  SamplerSettings settings_;
  const kernels::DistributionKernels* kernels_;
  std::vector<float> logits_;
  std::vector<std::uint32_t> plain_;  // temperature 1, where the temperature comes last
  std::vector<std::uint32_t> weights_;
  Ranking ranking_;
  Kept kept_;
};

// Draws tokens, the same ones on every machine.
class Sampler {
 public:
  // `excluded[token]`: never drawn. Errors: those of SamplerSettings::check; kUsage where all tokens are excluded.
  static Result<Sampler> create(const SamplerSettings& settings, std::uint64_t seed, std::vector<bool> excluded,
                                const kernels::DistributionKernels& kernels);

  // What penalties look at: the tokens of the prompt, and those drawn, which draw() notes itself. forget(): a new text.
  void note(TokenId token) { recent_.add(static_cast<std::uint32_t>(token)); }
  void forget() { recent_.forget(); }
  // One token of excluded.size(). Errors: kModel where a logit is not finite.
  Result<TokenId> draw(const float* logits);

 private:
  Sampler(const SamplerSettings& settings, std::uint64_t seed, std::vector<bool> excluded,
          const kernels::DistributionKernels& kernels);

  std::uint64_t next_random();

  std::uint64_t state_;
  std::vector<bool> excluded_;
  std::vector<float> logits_;
  SampledDistribution distribution_;
  RecentTokens recent_;
};

}  // namespace tacit
