// SPDX-License-Identifier: MIT
// Functions over rows of the vocabulary in the host's memory: logits to weights, mixtures, the largest ones, sums. Each
// kernel set has its own (engine/cpu/kernels/kernels.h), all with the same bits; an engine hands one out.
#pragma once

#include <cstdint>

namespace tacit::kernels {

inline constexpr std::uint32_t kFrequencyOne = 1u << 30;  // the frequency of the most likely symbol

// A part of a mixture of distributions: weights, and what they are multiplied by, more where they lie in a cut.
struct MixtureCut {
  std::uint32_t lowest = 0;
  std::uint32_t highest = 0;
  float gain = 0;
};
struct MixturePart {
  const std::uint32_t* weights = nullptr;  // at most kFrequencyOne each
  float gain = 0;
  const MixtureCut* cuts = nullptr;
  std::uint32_t cut_count = 0;
};

struct DistributionKernels {
  // frequencies[i] = max(1, trunc(exp((logit - max) * scale) * kFrequencyOne)), scale > 0. Returns their sum, 0 if a
  // logit is not finite.
  std::uint64_t (*frequencies)(const float* logits, std::uint32_t count, float scale, std::uint32_t* frequencies);
  // frequencies[i] = max(1, trunc(sum over parts, from 0: float(weights[i]) * (gain + gains of the cuts that hold
  // weights[i], in order))). The caller sees to it that no sum reaches 2^31. Returns the sum of the frequencies.
  std::uint64_t (*mix)(const MixturePart* parts, std::uint32_t part_count, std::uint32_t count,
                       std::uint32_t* frequencies);
  // Writes the tokens with lowest <= weight <= highest < 2^31, ascending, to `tokens`, which has room for `count`.
  // Returns how many.
  std::uint32_t (*collect)(const std::uint32_t* weights, std::uint32_t count, std::uint32_t lowest,
                           std::uint32_t highest, std::uint32_t* tokens);
  // The two tokens that have the largest weights, below 2^31, into tokens[0] and, next largest, tokens[1]; of equal
  // ones the lower token comes first. Twice token 0 where `count` is 1.
  void (*top_two)(const std::uint32_t* weights, std::uint32_t count, std::uint32_t* tokens);
  // Sum of `count` frequencies.
  std::uint64_t (*sum)(const std::uint32_t* frequencies, std::uint32_t count);
};

}  // namespace tacit::kernels
