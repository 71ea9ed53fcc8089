// SPDX-License-Identifier: MIT
#include "mixing/question_mixer.h"

#include <algorithm>

#include "mixing/learnt.h"

namespace tacit {
namespace {

constexpr double kRate = 0.002;
constexpr std::array<double, 4> kTableRates = {0.5 * kRate, 0.5 * kRate, 2 * kRate, kRate};
constexpr std::uint32_t kMatchStates = 3;
constexpr std::uint32_t kRuns = 8;
constexpr auto kOrderStates = static_cast<std::uint32_t>(kOrderCount) + 1;

}  // namespace

QuestionMixer::QuestionMixer()
    : tables_{std::vector<Weights>(kQuestionsMax * kOrderStates * kMatchStates * kOrderStates),
              std::vector<Weights>(kQuestionsMax * kConfidences * kRuns),
              std::vector<Weights>(kQuestionsMax * kSymbolBuckets),
              std::vector<Weights>(kQuestionsMax * kOrderStates * kEvidenceBuckets)} {
  for (Weights& weights : tables_[0]) weights[kMixedInput] = 1.0;
}

void QuestionMixer::ask(const QuestionView& view, Question& question) const {
  question.rows = {
      ((view.question * kOrderStates + view.order_count) * kMatchStates + view.match_state) * kOrderStates +
          view.longest,
      (view.question * kConfidences + view.confidence) * kRuns + view.run,
      view.question * kSymbolBuckets + view.symbol % kSymbolBuckets,
      (view.question * kOrderStates + view.order_count) * kEvidenceBuckets + view.evidence,
  };
  const Weights& a = tables_[0][question.rows[0]];
  const Weights& b = tables_[1][question.rows[1]];
  const Weights& c = tables_[2][question.rows[2]];
  const Weights& d = tables_[3][question.rows[3]];
  double sum = 0;
  for (std::size_t i = 0; i < kMixerInputs; ++i) {
    sum = sum + ((((a[i] + b[i]) + c[i]) + d[i]) + shared_[i]) * question.inputs[i];
  }
  question.probability = std::clamp(squash(sum), kProbabilityMin, 1.0 - kProbabilityMin);
}

void QuestionMixer::learn(const Question& question) {
  const double error = (question.yes ? 1.0 : 0.0) - question.probability;
  for (std::size_t table = 0; table < tables_.size(); ++table) {
    Weights& weights = tables_[table][question.rows[table]];
    const double step = kTableRates[table] * error;
    for (std::size_t i = 0; i < kMixerInputs; ++i) weights[i] = weights[i] + step * question.inputs[i];
  }
  const double step = kRate * error;
  for (std::size_t i = 0; i < kMixerInputs; ++i) shared_[i] = shared_[i] + step * question.inputs[i];
}

}  // namespace tacit
