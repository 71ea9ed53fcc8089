// SPDX-License-Identifier: MIT
// Draws tokens from logits, the same ones on every machine: integer weights of the contract's softmax, filters in a
// stated order, an integer random generator. Knows logits, not text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/kernels.h"

namespace tacit {

// Applied in this order, as transformers' and vLLM's samplers do: temperature, top_k, top_p, min_p.
struct SamplerSettings {
  double temperature = 1;   // logits are divided by it; 0: the most likely token, always
  std::uint32_t top_k = 0;  // keep the k most likely; 0: all
  double top_p = 1;         // keep the fewest most likely tokens that together have this probability; 1: all
  double min_p = 0;         // keep tokens at least this times as likely as the most likely one; 0: all
};

class Sampler {
 public:
  // `excluded[token]`: never drawn. Errors: kUsage, naming the setting.
  static Result<Sampler> create(const SamplerSettings& settings, std::uint64_t seed, std::vector<bool> excluded,
                                const kernels::Kernels& kernels);

  // One token of excluded.size(). Ties go to the lower id. Errors: kModel where a logit is not finite.
  Result<std::int32_t> draw(const float* logits);

 private:
  Sampler(const SamplerSettings& settings, std::uint64_t seed, std::vector<bool> excluded,
          const kernels::Kernels& kernels)
      : settings_(settings), state_(seed), excluded_(std::move(excluded)), kernels_(&kernels) {}

  std::uint64_t next_random();
  [[nodiscard]] std::uint32_t most_likely(const float* logits) const;
  void keep_candidates();

  struct Candidate {
    std::uint32_t weight;
    std::int32_t token;
  };
  SamplerSettings settings_;
  std::uint64_t state_;
  std::vector<bool> excluded_;
  const kernels::Kernels* kernels_;
  std::vector<float> scaled_;
  std::vector<std::uint32_t> weights_;
  std::vector<Candidate> candidates_;
};

}  // namespace tacit
