// SPDX-License-Identifier: MIT
// The probability that the bit of a binary decision is 1: logistic mixing of what model, experts and counts say, with
// weights that are sums of rows chosen by what is known of the decision (Mattern, "Mixing strategies in data
// compression", 2012; Mahoney's PAQ). Learnt from all lanes (spec/numeric.md, section 10.5).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mixing/expert_gate.h"
#include "mixing/resettable_table.h"

namespace tacit {

// The likeliest candidates have a decision each: whether the symbol is that one. Then one more decision: whether it is
// any of the candidates that are left.
inline constexpr std::size_t kRankedMax = 3;
inline constexpr std::size_t kOthersDecision = kRankedMax;
inline constexpr std::size_t kDecisionsMax = kRankedMax + 1;

// Indices of the inputs.
inline constexpr std::size_t kMixedInput = 0;
inline constexpr std::size_t kModelInput = 1;
inline constexpr std::size_t kBiasInput = 2;
inline constexpr std::size_t kOrderInput = 3;  // and the orders after it
inline constexpr std::size_t kMatchInput = kOrderInput + kOrderCount;
inline constexpr std::size_t kModelContextInput = kMatchInput + 1;
inline constexpr std::size_t kBigramInput = kModelContextInput + History::kModelContexts;
inline constexpr std::size_t kMixerInputs = kBigramInput + 1;
// That of a context, with or without the model's tokens.
inline constexpr std::size_t context_input(std::size_t expert) {
  return expert < kOrderCount ? kOrderInput + expert : kModelContextInput + expert - kOrderCount;
}

inline constexpr double kProbabilityMin = 1e-6;  // of either bit

// What is known of a decision: the rows of weights that it is mixed with.
struct MixerContext {
  std::uint32_t decision = 0;     // the rank, or kOthersDecision
  std::uint32_t order_count = 0;  // text contexts with evidence
  std::uint32_t match_state = 0;  // 0: no match, 1: it says 1 (at kOthersDecision: it was ranked), 2: it says 0
  std::uint32_t longest = 0;      // 1 + the longest text context that has evidence for 1; 0: none
  std::uint32_t confidence = 0;
  std::uint32_t run = 0;       // 0 to 7; at kOthersDecision: half the number of candidates
  std::uint32_t symbol = 0;    // of the candidate; at kOthersDecision: the one before
  std::uint32_t evidence = 0;  // below kEvidenceBuckets
};

// Two by eight by three; at kOthersDecision: candidates, up to 15.
inline constexpr std::uint32_t kEvidenceBuckets = 48;

struct Decision {
  std::array<double, kMixerInputs> inputs{};
  std::array<std::uint32_t, 4> rows{};
  double probability = 0;        // that the bit is 1, by the mixer
  double model_probability = 0;  // by the model without experts
  bool bit = false;
};

class LogisticMixer {
 public:
  LogisticMixer();

  // Sets rows and probability from inputs and context.
  void predict(const MixerContext& context, Decision& decision) const;
  // From `bit`.
  void learn(const Decision& decision);
  void reset();

 private:
  using Weights = std::array<double, kMixerInputs>;
  std::array<ResettableTable<Weights>, 4> tables_;
  Weights shared_{};
};

}  // namespace tacit
