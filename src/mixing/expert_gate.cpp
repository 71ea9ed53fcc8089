// SPDX-License-Identifier: MIT
#include "mixing/expert_gate.h"

#include <algorithm>

#include "numeric/exp.h"

namespace tacit {
namespace {

// Buckets. A change of any of these is a change of the contract, as is one of the rates.
constexpr std::uint32_t kTotalBuckets = 10;
constexpr std::uint32_t kDistinctMax = 5;
constexpr std::array<std::uint32_t, 9> kMatchLengths = {16, 23, 32, 46, 64, 91, 128, 182, 256};
constexpr std::uint32_t kMatchLengthBuckets = 16 + kMatchLengths.size();
constexpr std::uint32_t kMatchStates = 3;
constexpr std::uint32_t kRuns = 16;
constexpr std::uint32_t kResults = 16;
constexpr std::uint32_t kEvidenceRows = kExpertCount * kTotalBuckets * (kDistinctMax + 1) * kConfidences * 2;
static_assert(kMatchLengthBuckets <= kTotalBuckets * (kDistinctMax + 1), "the match's rows are those of an expert");

constexpr double kStart = -0.7;
constexpr double kLogitMax = 20;
constexpr double kEvidenceRateMin = 0.1;
constexpr double kEvidenceRateStart = 10;  // rate: this over it plus how often it was learnt
constexpr double kAgreementRate = 0.06;
constexpr double kRunRate = 0.06;
constexpr double kPreviousRate = 0.3;
constexpr double kBestRate = 0.15;

std::uint32_t total_bucket(std::uint32_t total) {
  if (total < 6) return total;
  return total < 12 ? 6 : total < 24 ? 7 : total < 48 ? 8 : 9;
}

std::uint32_t match_length_bucket(std::uint32_t length) {
  if (length < 16) return length;
  std::uint32_t bucket = 15;
  for (const std::uint32_t bound : kMatchLengths) bucket += length >= bound ? 1 : 0;
  return bucket;
}

std::uint32_t unigram_bucket(std::uint32_t total) { return total < 200 ? 0 : total < 800 ? 1 : total < 3200 ? 2 : 3; }

std::uint32_t evidence_bucket(const ExpertView& expert) {
  if (expert.expert == kMatchExpert) return match_length_bucket(expert.total);
  if (expert.expert == kUnigramExpert) return unigram_bucket(expert.total);
  return total_bucket(expert.total) * (kDistinctMax + 1) + std::min(expert.distinct, kDistinctMax);
}

std::array<std::uint32_t, 5> rows_of(const StepView& step, const ExpertView& expert) {
  const auto number = static_cast<std::uint32_t>(expert.expert);
  const std::uint32_t evidence = number * kTotalBuckets * (kDistinctMax + 1) + evidence_bucket(expert);
  const std::uint32_t is_top = expert.best == step.top ? 1 : 0;
  const std::uint32_t match_state = step.match_symbol == kNoSymbol ? 0 : expert.best == step.match_symbol ? 1 : 2;
  const std::uint32_t is_longest_best = expert.best == step.longest_best ? 1 : 0;
  return {
      (evidence * kConfidences + step.confidence) * 2 + is_top,
      ((number * (static_cast<std::uint32_t>(kOrderCount) + 1) + step.order_count) * kMatchStates + match_state) * 2 +
          is_longest_best,
      (number * kRuns + expert.run) * kResults + step.results,
      number * kSymbolBuckets + step.previous % kSymbolBuckets,
      number * kSymbolBuckets + expert.best % kSymbolBuckets,
  };
}

}  // namespace

ExpertGate::ExpertGate()
    : by_evidence_(kEvidenceRows, {kStart, 0}),
      by_agreement_(kExpertCount * (kOrderCount + 1) * kMatchStates * 2, 0),
      by_run_(kExpertCount * kRuns * kResults, 0),
      by_previous_(kExpertCount * kSymbolBuckets, 0),
      by_best_(kExpertCount * kSymbolBuckets, 0) {}

void ExpertGate::reset() {
  by_evidence_.reset();
  for (ResettableTable<double>* const table : {&by_agreement_, &by_run_, &by_previous_, &by_best_}) table->reset();
}

double ExpertGate::weigh(const StepView& step, std::span<const ExpertView> experts,
                         std::span<GateEntry> entries) const {
  double sum = 1;  // the model's is exp(0)
  for (std::size_t i = 0; i < experts.size(); ++i) {
    const auto rows = rows_of(step, experts[i]);
    const double logit = by_evidence_[rows[0]].logit + by_agreement_[rows[1]] + by_run_[rows[2]] +
                         by_previous_[rows[3]] + by_best_[rows[4]];
    const double odds = static_cast<double>(numeric::exp(static_cast<float>(std::clamp(logit, -kLogitMax, kLogitMax))));
    entries[i] = {rows, odds};
    sum = sum + odds;
  }
  const double model = 1.0 / sum;
  for (std::size_t i = 0; i < experts.size(); ++i) entries[i].weight = entries[i].weight * model;
  return model;
}

void ExpertGate::learn(const GateEntry& entry, double part) {
  const double error = part - entry.weight;
  const auto& rows = entry.rows;
  EvidenceRow& evidence = by_evidence_.learn(rows[0]);
  const double rate = std::max(kEvidenceRateStart / (evidence.count + kEvidenceRateStart), kEvidenceRateMin);
  evidence.count += 1.0;
  evidence.logit = evidence.logit + rate * error;
  const auto add = [](double& logit, double step) { logit = logit + step; };
  add(by_agreement_.learn(rows[1]), kAgreementRate * error);
  add(by_run_.learn(rows[2]), kRunRate * error);
  add(by_previous_.learn(rows[3]), kPreviousRate * error);
  add(by_best_.learn(rows[4]), kBestRate * error);
}

}  // namespace tacit
