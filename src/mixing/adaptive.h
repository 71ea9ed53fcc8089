// SPDX-License-Identifier: MIT
// Adaptive experts: the model's distribution of a lane's next symbol, corrected by what all lanes have coded so far.
// Experts count what followed the same contexts; a gate weighs them against the model. The symbol is then coded by a
// few binary decisions - is it this candidate? is it any that an expert has seen? - whose probabilities a logistic
// mixer corrects again; a symbol that none of them finds escapes to the model's distribution. Last, each lane weighs
// all this against the model without experts, by what either has cost so far: where there is nothing to learn, learning
// costs next to nothing. All is learnt while coding, from the past steps of all lanes, so encoder and decoder have the
// same (spec/numeric.md, section 10).
//
// A step is: predict(), decisions and finish() for every lane, in any order and by any thread; then learn(), once.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mixing/adaptive_probability.h"
#include "mixing/expert_gate.h"
#include "mixing/history.h"
#include "mixing/logistic_mixer.h"
#include "mixing/recent_counts.h"
#include "mixing/resettable_table.h"
#include "sampling/frequencies.h"
#include "sampling/sampler_mixture.h"

namespace tacit {

inline constexpr std::uint64_t kDecisionTotal = std::uint64_t{1} << 32;
inline constexpr double kModelWeightStart = 0.75;

// How much oftener than the mixer predicted a symbol is right after another: its mean error, which becomes an input of
// the mixer (an APM or SSE stage, as PAQ's coders have them at their end).
struct BigramCorrection {
  double value = 0;
  double count = 0;
  bool operator==(const BigramCorrection&) const = default;
};

// What all lanes of a block learn together.
struct SharedState {
  SharedState(std::span<const std::uint64_t> strip_sizes, std::uint32_t symbol_count);
  void reset(std::span<const std::uint64_t> strip_sizes);

  History history;
  RecentCounts recent;
  ExpertGate gate;
  LogisticMixer mixer;
  std::vector<AdaptiveProbability> match_hits;       // that a ranked candidate is right, by match and rank
  ResettableTable<BigramCorrection> bigram_corrections;  // by the hash of two symbols
  AdaptiveProbability model_weight;                      // mean of the lanes'

 private:
  void reset_small();
};

// The model's first, then each expert's.
using ExpertShares = std::array<double, 1 + kExpertCount>;

// Where a symbol stands among the candidates. A thread needs one.
class CandidateIndex {
 public:
  explicit CandidateIndex(std::uint32_t symbol_count) : entries_(symbol_count) {}

  void clear() { ++round_; }
  // kNoSymbol if it is not there.
  [[nodiscard]] std::uint32_t find(std::uint32_t symbol) const {
    const std::uint64_t entry = entries_[symbol];
    return entry >> 32 == round_ ? static_cast<std::uint32_t>(entry) : kNoSymbol;
  }
  void add(std::uint32_t symbol, std::uint32_t index) { entries_[symbol] = std::uint64_t{round_} << 32 | index; }

 private:
  std::uint32_t round_ = 0;
  std::vector<std::uint64_t> entries_;  // round and index
};

// What a thread needs to predict, one lane after another.
struct PredictScratch {
  PredictScratch(const kernels::DistributionKernels& kernels, std::uint32_t vocabulary_size, std::uint32_t symbol_count,
                 const std::optional<SamplerSettings>& stated)
      : frequencies(kernels, vocabulary_size, symbol_count),
        samplers(kernels, vocabulary_size, symbol_count, stated),
        index(symbol_count) {}

  Frequencies frequencies;
  CandidateSamplers samplers;
  CandidateIndex index;
  History::Occurrences occurrences;
};

// The prediction of one lane's next symbol, and what is to be learnt from it. Code a decision and update() with its bit
// while there is one; if no decision has found the symbol, it has an interval of what is left.
class LanePrediction {
 public:
  LanePrediction() { buckets_.fill(History::kNoPosition); }

  // Prepares the distribution of the symbol at `step`; the scratch's frequencies are the model's, and are whole again
  // after finish().
  void predict(const SharedState& shared, std::size_t lane, std::uint64_t step, const TopTokens& top,
               PredictScratch& scratch);

  [[nodiscard]] bool has_decision() const { return phase_ == Phase::kRanked || phase_ == Phase::kOthers; }
  // That the decision's bit is 1, in units of 1 / kDecisionTotal; at least one, less than all.
  [[nodiscard]] std::uint64_t bit_probability() const { return bit_probability_; }
  // The bit where the lane's symbol is this one.
  [[nodiscard]] bool decision_for(std::uint32_t symbol) const;
  void update(bool bit);
  // After the last decision: the symbol, if it was one of the ranked candidates.
  [[nodiscard]] bool is_found() const { return phase_ == Phase::kFound; }
  [[nodiscard]] std::uint32_t found() const { return candidates_[ranked_[ranks_decided_ - 1]].symbol; }

  // The distribution of a symbol that was not found, as Frequencies has it.
  [[nodiscard]] Interval interval_of(std::uint32_t symbol) const;
  [[nodiscard]] std::uint32_t symbol_at(std::uint64_t value, Interval& interval) const;
  [[nodiscard]] std::uint64_t total() const;

  // Notes what to learn from the symbol that it was.
  void finish(std::uint32_t symbol);
  void learn(SharedState& shared, std::uint32_t position, std::uint32_t symbol) const;
  // After all lanes have learnt: the lane's match goes on, or another is looked for.
  void prepare_next(const SharedState& shared, std::size_t lane, std::uint64_t next_step, std::uint32_t symbol);

  // The posterior of the predictor that is the model without experts, against that with them.
  [[nodiscard]] double model_weight() const { return model_weight_; }
  // Makes a fixed share of the model's weight that of all lanes (Herbster, Warmuth: "Tracking the best expert", 1998),
  // so that neither side's weight gets too small to come back.
  void share_toward(double common);

  // For traces. The candidate that the decision is for; kNoSymbol where it is for all others.
  [[nodiscard]] std::uint32_t ranked_symbol() const {
    return phase_ == Phase::kRanked ? candidates_[ranked_[ranks_decided_]].symbol : kNoSymbol;
  }
  // After the last decision, where it did not find the symbol: calls found(symbol, frequency) for each symbol that is
  // left; frequencies are of total().
  template <class Found>
  void for_each_left(const Found& found) const;
  // After finish(): the parts of the model and of each expert in the probability that the symbol got; all make 1.
  [[nodiscard]] ExpertShares shares() const;
  [[nodiscard]] const History::Buckets& buckets() const { return buckets_; }

 private:
  enum class Phase : std::uint8_t { kRanked, kOthers, kFound, kOtherCandidates, kEscape };

  struct Candidate {
    std::uint32_t symbol = 0;
    double model = 0;  // the model's probability
    double mixed = 0;  // with the experts
    std::array<std::uint16_t, kCountedExperts> counts{};
  };
  struct DecisionRecord {
    Decision decision;
    std::uint32_t match_hit = kNoSymbol;  // index into SharedState's, or none
    std::uint32_t bigram = kNoSymbol;     // likewise
  };

  std::uint32_t candidate_of(std::uint32_t symbol);
  void gather();
  void gather_context(std::size_t expert, std::uint32_t& newest, const auto& for_each);
  void add_expert(std::size_t expert, std::uint32_t total, std::uint32_t distinct, std::uint32_t best);
  void weigh();
  [[nodiscard]] double part_of(std::size_t i, std::uint32_t symbol, const Candidate* candidate) const;
  void rank_candidates();
  void prepare_decision();
  void prepare_ranked_decision();
  void prepare_others_decision();
  void predict_decision(const MixerContext& context, double mixed, double model);
  void exclude(const Candidate& candidate);
  void prepare_others();
  void prepare_escape();
  void update_model_weight(std::uint32_t symbol);

  const SharedState* shared_ = nullptr;
  PredictScratch* scratch_ = nullptr;
  std::uint64_t base_total_ = 0;
  std::uint32_t position_ = 0;
  History::Buckets buckets_{};
  History::ModelKeys model_keys_{};
  StepView view_;
  std::vector<Candidate> candidates_;

  // Experts at hand, those with counts first.
  std::size_t expert_count_ = 0;
  std::array<ExpertView, kExpertCount> experts_;
  std::array<GateEntry, kExpertCount> entries_;
  std::array<double, kExpertCount> parts_{};  // of the probability that the symbol got
  double gate_model_weight_ = 1;              // against the experts, by the gate
  std::array<std::uint32_t, kCountedExperts> totals_{};
  std::array<std::uint32_t, kCountedExperts> totals_left_{};  // without those of the ranked candidates that were wrong
  std::uint32_t newest_ = kNoSymbol;  // symbol of the newest position of the longest text context

  // Of the lane, from step to step.
  std::uint32_t match_position_ = History::kNoPosition;
  std::uint32_t match_length_ = 0;
  std::array<std::uint32_t, kExpertCount> runs_{};
  std::uint32_t run_ = 0;  // of the longest text context, whichever that is
  std::uint32_t results_ = 0;
  double model_weight_ = kModelWeightStart;

  Phase phase_ = Phase::kFound;
  std::array<std::uint32_t, kRankedMax> ranked_{};  // the likeliest candidates, likeliest first
  std::size_t ranked_count_ = 0;
  std::size_t ranks_decided_ = 0;
  std::size_t record_count_ = 0;
  std::array<DecisionRecord, kDecisionsMax> records_;
  std::uint64_t bit_probability_ = 0;
  double mixed_left_ = 1;
  double model_left_ = 1;
  double others_mixed_ = 0;
  double others_model_ = 0;

  std::vector<std::uint32_t> others_;  // candidates
  std::vector<std::uint64_t> other_frequencies_;
  std::uint64_t others_total_ = 0;
  double escape_model_ = 0;   // the model's total
  double escape_counts_ = 0;  // recent counts of its symbols
  double escape_unit_ = 0;    // of a count, in frequencies
};

template <class Found>
void LanePrediction::for_each_left(const Found& found) const {
  if (phase_ == Phase::kOtherCandidates) {
    for (std::size_t i = 0; i < others_.size(); ++i) found(candidates_[others_[i]].symbol, other_frequencies_[i]);
    return;
  }
  const Frequencies& base = scratch_->frequencies;
  for (std::uint32_t symbol = 0; symbol < base.symbol_count(); ++symbol) {
    found(symbol, static_cast<std::uint64_t>(base[symbol]));
  }
}

// All lanes of a block, with the samplers that their text may have been drawn with.
class AdaptivePredictor {
 public:
  AdaptivePredictor(std::span<const std::uint64_t> strip_sizes, std::uint32_t vocabulary_size,
                    std::uint32_t symbol_count, const std::optional<SamplerSettings>& stated);

  // For another text: a predictor that was reset is to the bit a new one. Costs what the last text has learnt, but for
  // long ones no more than a new one.
  void reset(std::span<const std::uint64_t> strip_sizes);

  // The lane's prediction at that step, valid until its next. Errors: kModel where a logit is not finite.
  Result<LanePrediction*> predict(std::size_t lane, std::uint64_t step, const float* logits, PredictScratch& scratch);
  // The symbol that the lane has at that step; ends what predict() began, with the same scratch.
  void finish(std::size_t lane, std::uint64_t step, std::uint32_t symbol, const PredictScratch& scratch);
  // After all lanes that have this step have finished it.
  void learn(std::uint64_t step);

  [[nodiscard]] SamplerShares sampler_shares(std::size_t lane) const { return samplers_.shares(lane); }

 private:
  void learn_model_weight(std::uint64_t step);

  std::uint32_t vocabulary_size_;
  std::optional<SamplerSettings> stated_;
  std::vector<std::uint64_t> strip_sizes_;
  SamplerMixture samplers_;
  SharedState shared_;
  std::vector<LanePrediction> lanes_;
};

}  // namespace tacit
