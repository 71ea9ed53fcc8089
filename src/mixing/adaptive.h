// SPDX-License-Identifier: MIT
// Adaptive experts: the model's distribution of a lane's next symbol, corrected by what all lanes have coded so far.
// Experts count what followed the same contexts; a gate weighs them against the model; then a few questions of yes or
// no are asked - is it this symbol? is it any that an expert has seen? - whose probabilities logistic mixing corrects
// again. Last, each lane weighs all this against the model alone, by what either has cost so far: where there is
// nothing to learn, learning costs next to nothing. All is learnt while coding, from the past steps of all lanes, so
// encoder and decoder have the same (spec/numeric.md, section 10).
//
// A step is: predict(), questions and finish() for every lane, in any order and by any thread; then learn(), once.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mixing/expert_gate.h"
#include "mixing/history.h"
#include "mixing/learnt.h"
#include "mixing/question_mixer.h"
#include "mixing/recent_counts.h"
#include "sampling/frequencies.h"
#include "sampling/sampler_mixture.h"

namespace tacit {

inline constexpr std::uint64_t kQuestionTotal = std::uint64_t{1} << 32;
inline constexpr double kAloneStart = 0.75;

// What is learnt from all lanes of a block.
struct Learnt {
  Learnt(std::span<const std::uint64_t> strip_sizes, std::uint32_t symbol_count);

  History history;
  RecentCounts recent;
  ExpertGate gate;
  QuestionMixer mixer;
  std::vector<LearntShare> match_hits;  // how often a guess is right, by match
  std::vector<LearntShare> pairs;       // how much oftener than predicted a symbol is right after another, hashed
  LearntShare alone;                    // belief in the model alone
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
  SamplerExperts samplers;
  CandidateIndex index;
  History::Places places;
};

// The prediction of one lane's next symbol, and what is to be learnt from it. Answer the questions while there are any;
// if they have not found the symbol, it has an interval of what is left.
class LanePrediction {
 public:
  LanePrediction() { buckets_.fill(History::kNowhere); }

  // Prepares the distribution of the symbol at `step`; the scratch's frequencies are the model's, and are whole again
  // after finish().
  void predict(const Learnt& learnt, std::size_t lane, std::uint64_t step, const TopTokens& top,
               PredictScratch& scratch);

  [[nodiscard]] bool has_question() const { return phase_ == Phase::kGuesses || phase_ == Phase::kOthers; }
  // The probability of yes in units of 1 / kQuestionTotal; at least one, less than all.
  [[nodiscard]] std::uint64_t yes_probability() const { return yes_probability_; }
  // What the answer is where the lane's symbol is this one.
  [[nodiscard]] bool answer_for(std::uint32_t symbol) const;
  void answer(bool yes);
  // After the last question: the symbol, if a guess was right.
  [[nodiscard]] bool is_found() const { return phase_ == Phase::kFound; }
  [[nodiscard]] std::uint32_t found() const { return candidates_[guesses_[asked_ - 1]].symbol; }

  // The distribution of a symbol that was not found, as Frequencies has it.
  [[nodiscard]] Interval interval_of(std::uint32_t symbol) const;
  [[nodiscard]] std::uint32_t symbol_at(std::uint64_t value, Interval& interval) const;
  [[nodiscard]] std::uint64_t total() const;

  // Notes what to learn from the symbol that it was.
  void finish(std::uint32_t symbol);
  void learn(Learnt& learnt, std::uint32_t place, std::uint32_t symbol) const;
  // Learns that a step has ended: the belief in the model alone drifts towards that of all lanes; the lane's match goes
  // on, or another is looked for. prepare_next() comes after all lanes have been learnt from.
  void prepare_next(const Learnt& learnt, std::size_t lane, std::uint64_t next_step, std::uint32_t symbol);

  [[nodiscard]] double alone() const { return alone_; }
  void drift(double common);

  // For looking on. The symbol that the question is for; kNoSymbol where it is for all others.
  [[nodiscard]] std::uint32_t guess() const {
    return phase_ == Phase::kGuesses ? candidates_[guesses_[asked_]].symbol : kNoSymbol;
  }
  // After the last question, where it did not find the symbol: calls found(symbol, frequency) for each symbol that is
  // left; frequencies are of total().
  template <class Found>
  void for_each_left(const Found& found) const;
  // After finish(): the parts of the model and of each expert in the probability that the symbol got; all make 1.
  [[nodiscard]] ExpertShares shares() const;
  [[nodiscard]] const History::Buckets& buckets() const { return buckets_; }

 private:
  enum class Phase : std::uint8_t { kGuesses, kOthers, kFound, kOtherCandidates, kTail };

  struct Candidate {
    std::uint32_t symbol = 0;
    double model = 0;  // the model's probability
    double mixed = 0;  // with the experts
    std::array<std::uint16_t, kCountedExperts> counts{};
  };
  struct QuestionRecord {
    Question question;
    std::uint32_t match_hit = kNoSymbol;  // index into Learnt's, or none
    std::uint32_t pair = kNoSymbol;
  };

  std::uint32_t candidate_of(std::uint32_t symbol);
  void gather();
  void gather_context(std::size_t expert, std::uint32_t& newest, const auto& for_each);
  void add_expert(std::size_t expert, std::uint32_t total, std::uint32_t distinct, std::uint32_t best);
  void weigh();
  [[nodiscard]] double part_of(std::size_t i, std::uint32_t symbol, const Candidate* candidate) const;
  void choose_guesses();
  void ask_next();
  void ask_guess();
  void ask_others();
  void pose(const QuestionView& view, double mixed, double model);
  void leave_out(const Candidate& candidate);
  void prepare_others();
  void prepare_tail();
  void weigh_rest(std::uint32_t symbol);

  const Learnt* learnt_ = nullptr;
  PredictScratch* scratch_ = nullptr;
  std::uint64_t base_total_ = 0;
  std::uint32_t place_ = 0;
  History::Buckets buckets_{};
  History::ModelKeys model_keys_{};
  StepView view_;
  std::vector<Candidate> candidates_;

  // Experts at hand, those with counts first.
  std::size_t expert_count_ = 0;
  std::array<ExpertView, kExpertCount> experts_;
  std::array<GateEntry, kExpertCount> entries_;
  std::array<double, kExpertCount> parts_{};  // of the probability that the symbol got
  double model_weight_ = 1;
  std::array<std::uint32_t, kCountedExperts> totals_{};
  std::array<std::uint32_t, kCountedExperts> totals_left_{};  // without those of the guesses that were wrong
  std::uint32_t newest_ = kNoSymbol;  // symbol of the newest place of the longest text context

  // Of the lane, from step to step.
  std::uint32_t match_place_ = History::kNowhere;
  std::uint32_t match_length_ = 0;
  std::array<std::uint32_t, kExpertCount> runs_{};
  std::uint32_t run_ = 0;  // of the longest text context, whichever that is
  std::uint32_t results_ = 0;
  double alone_ = kAloneStart;

  Phase phase_ = Phase::kFound;
  std::array<std::uint32_t, kGuessesMax> guesses_{};  // candidates; from guess_count_ on all others
  std::size_t guess_count_ = 0;
  std::size_t asked_ = 0;  // guesses
  std::size_t record_count_ = 0;
  std::array<QuestionRecord, kQuestionsMax> records_;
  std::uint64_t yes_probability_ = 0;
  double mixed_left_ = 1;
  double model_left_ = 1;
  double others_mixed_ = 0;
  double others_model_ = 0;

  std::vector<std::uint32_t> others_;  // candidates
  std::vector<std::uint64_t> other_frequencies_;
  std::uint64_t others_total_ = 0;
  double tail_model_ = 0;   // the model's total
  double tail_counts_ = 0;  // recent counts of its symbols
  double tail_unit_ = 0;    // of a count, in frequencies
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

  // The lane's prediction at that step, valid until its next. Errors: kModel where a logit is not finite.
  Result<LanePrediction*> predict(std::size_t lane, std::uint64_t step, const float* logits, PredictScratch& scratch);
  // The symbol that the lane has at that step; ends what predict() began, with the same scratch.
  void finish(std::size_t lane, std::uint64_t step, std::uint32_t symbol, const PredictScratch& scratch);
  // After all lanes that have this step have finished it.
  void learn(std::uint64_t step);

  [[nodiscard]] SamplerShares sampler_shares(std::size_t lane) const { return samplers_.shares(lane); }

 private:
  void learn_alone(std::uint64_t step);

  std::vector<std::uint64_t> strip_sizes_;
  SamplerMixture samplers_;
  Learnt learnt_;
  std::vector<LanePrediction> lanes_;
};

}  // namespace tacit
