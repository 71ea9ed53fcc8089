// SPDX-License-Identifier: MIT
// The probability that the answer to a question of yes or no is yes: logistic mixing of what model, experts and counts
// say, with weights that are sums of learnt rows for what is known of the question (Mattern, "Mixing strategies in data
// compression", 2012; Mahoney's PAQ). Learnt from all lanes (spec/numeric.md, section 10.5).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mixing/expert_gate.h"

namespace tacit {

inline constexpr std::size_t kGuessesMax = 3;
// After the guesses one question more: whether it is any of the candidates that are left.
inline constexpr std::size_t kOthersQuestion = kGuessesMax;
inline constexpr std::size_t kQuestionsMax = kGuessesMax + 1;

// Places of the inputs.
inline constexpr std::size_t kMixedInput = 0;
inline constexpr std::size_t kModelInput = 1;
inline constexpr std::size_t kBiasInput = 2;
inline constexpr std::size_t kOrderInput = 3;  // and the orders after it
inline constexpr std::size_t kMatchInput = kOrderInput + kOrderCount;
inline constexpr std::size_t kModelContextInput = kMatchInput + 1;
inline constexpr std::size_t kPairInput = kModelContextInput + History::kModelContexts;
inline constexpr std::size_t kMixerInputs = kPairInput + 1;
// That of a context, with or without the model's tokens.
inline constexpr std::size_t context_input(std::size_t expert) {
  return expert < kOrderCount ? kOrderInput + expert : kModelContextInput + expert - kOrderCount;
}

inline constexpr double kProbabilityMin = 1e-6;  // of yes, and of no

// What is known of a question.
struct QuestionView {
  std::uint32_t question = 0;     // which
  std::uint32_t order_count = 0;  // text contexts with evidence
  std::uint32_t match_state = 0;  // 0: no match, 1: it says yes (at kOthersQuestion: it was a guess), 2: it says no
  std::uint32_t longest = 0;      // 1 + the longest text context that has evidence for yes; 0: none
  std::uint32_t confidence = 0;
  std::uint32_t run = 0;          // 0 to 7; at kOthersQuestion: half the number of candidates
  std::uint32_t symbol = 0;       // that is asked for; at kOthersQuestion: the one before
  std::uint32_t evidence = 0;     // below kEvidenceBuckets
};

inline constexpr std::uint32_t kEvidenceBuckets = 48;  // two by eight by three; at kOthersQuestion: candidates, up to 15

struct Question {
  std::array<double, kMixerInputs> inputs{};
  std::array<std::uint32_t, 4> rows{};
  double probability = 0;        // of yes, by the mixer
  double model_probability = 0;  // by the model alone
  bool yes = false;
};

class QuestionMixer {
 public:
  QuestionMixer();

  // Sets rows and probability from inputs and view.
  void ask(const QuestionView& view, Question& question) const;
  // From `yes`.
  void learn(const Question& question);

 private:
  using Weights = std::array<double, kMixerInputs>;
  std::array<std::vector<Weights>, 4> tables_;
  Weights shared_{};
};

}  // namespace tacit
