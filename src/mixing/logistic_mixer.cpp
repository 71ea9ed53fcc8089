// SPDX-License-Identifier: MIT
#include "mixing/logistic_mixer.h"

#include <algorithm>

#include "mixing/adaptive_probability.h"

namespace tacit {
namespace {

constexpr double kRate = 0.002;
constexpr std::array<double, 4> kTableRates = {0.5 * kRate, 0.5 * kRate, 2 * kRate, kRate};
constexpr std::uint32_t kMatchStates = 3;
constexpr std::uint32_t kRuns = 8;
constexpr auto kOrderStates = static_cast<std::uint32_t>(kOrderCount) + 1;

}  // namespace

LogisticMixer::LogisticMixer()
    : tables_{ResettableTable<Weights>(kDecisionsMax * kOrderStates * kMatchStates * kOrderStates, {1.0}),
              ResettableTable<Weights>(kDecisionsMax * kConfidences * kRuns, {}),
              ResettableTable<Weights>(kDecisionsMax * kSymbolBuckets, {}),
              ResettableTable<Weights>(kDecisionsMax * kOrderStates * kEvidenceBuckets, {})} {
  static_assert(kMixedInput == 0, "the first weight of the first table's rows starts at one");
}

void LogisticMixer::reset() {
  for (ResettableTable<Weights>& table : tables_) table.reset();
  shared_ = {};
}

void LogisticMixer::predict(const MixerContext& context, Decision& decision) const {
  decision.rows = {
      ((context.decision * kOrderStates + context.order_count) * kMatchStates + context.match_state) * kOrderStates +
          context.longest,
      (context.decision * kConfidences + context.confidence) * kRuns + context.run,
      context.decision * kSymbolBuckets + context.symbol % kSymbolBuckets,
      (context.decision * kOrderStates + context.order_count) * kEvidenceBuckets + context.evidence,
  };
  const Weights& a = tables_[0][decision.rows[0]];
  const Weights& b = tables_[1][decision.rows[1]];
  const Weights& c = tables_[2][decision.rows[2]];
  const Weights& d = tables_[3][decision.rows[3]];
  double sum = 0;
  for (std::size_t i = 0; i < kMixerInputs; ++i) {
    sum = sum + ((((a[i] + b[i]) + c[i]) + d[i]) + shared_[i]) * decision.inputs[i];
  }
  decision.probability = std::clamp(squash(sum), kProbabilityMin, 1.0 - kProbabilityMin);
}

void LogisticMixer::learn(const Decision& decision) {
  const double error = (decision.bit ? 1.0 : 0.0) - decision.probability;
  for (std::size_t table = 0; table < tables_.size(); ++table) {
    Weights& weights = tables_[table].learn(decision.rows[table]);
    const double step = kTableRates[table] * error;
    for (std::size_t i = 0; i < kMixerInputs; ++i) weights[i] = weights[i] + step * decision.inputs[i];
  }
  const double step = kRate * error;
  for (std::size_t i = 0; i < kMixerInputs; ++i) shared_[i] = shared_[i] + step * decision.inputs[i];
}

}  // namespace tacit
