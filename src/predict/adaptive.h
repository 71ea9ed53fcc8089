// SPDX-License-Identifier: MIT
// Adaptive experts: the model's frequencies for a lane's next symbol, corrected by what all lanes have coded so far.
// Counts of what followed the same context (History) and the longest match are mixed with the model; the best few
// candidates are then asked for one by one, each with a probability that logistic mixing corrects again. All weights
// are learnt while coding, from the past steps of all lanes, so encoder and decoder have the same ones
// (spec/numeric.md, section 10). Last, each lane weighs all this against the model alone, by what either has cost so
// far: where there is nothing to learn, learning costs next to nothing.
//
// A step is: predict() for every lane, in any order and by any thread; one symbol coded for each; learn(), once.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "predict/frequencies.h"
#include "predict/history.h"
#include "predict/sampler_mixture.h"

namespace tacit {

inline constexpr std::uint64_t kGuessTotal = std::uint64_t{1} << 32;
inline constexpr std::size_t kGuessesMax = 3;
inline constexpr std::size_t kOrderCount = History::kOrders.size();
inline constexpr std::size_t kMixerInputs = 4 + kOrderCount;
inline constexpr double kAloneStart = 0.5;

// A learnt share in [0, 1] and how often it was learnt from.
struct LearntShare {
  double value = 0;
  double count = 2;
};

// What is learnt from all lanes.
struct AdaptiveWeights {
  AdaptiveWeights();

  using Mixer = std::array<double, kMixerInputs>;
  std::vector<LearntShare> order_shares;  // of an order against those below it
  std::vector<LearntShare> match_shares;  // of the match against all orders
  std::vector<LearntShare> match_hits;    // how often a guess is right, by match
  std::vector<Mixer> mixers_by_evidence;
  std::vector<Mixer> mixers_by_confidence;
  std::vector<Mixer> mixers_by_symbol;  // the lane's symbol before
  LearntShare alone;                    // of the model alone, against all of these
};

// The prediction of one lane's next symbol, and what is to be learnt from it. Ask for guesses while there are any,
// answer each; if none was right, the symbol is in rest.
class LanePrediction {
 public:
  // Prepares the distribution of the symbol at `place`. `top`: the model's most likely token; `base`: its frequencies,
  // which are changed; they are whole again after finish().
  void predict(const History& history, const AdaptiveWeights& weights, const History::Buckets& buckets,
               std::uint32_t place, std::uint32_t previous, std::uint32_t top, Frequencies& base);

  [[nodiscard]] bool has_guess() const { return guess_ < guess_count_; }
  [[nodiscard]] std::uint32_t guess() const { return candidates_[guesses_[guess_]].symbol; }
  // The probability that the symbol is guess(), in units of 1 / kGuessTotal; at least one, less than all.
  [[nodiscard]] std::uint64_t guess_probability() const { return guess_probability_; }
  void answer(bool right);

  // The distribution of the symbol when every guess was wrong, as Frequencies has it.
  [[nodiscard]] Interval interval_of(std::uint32_t symbol) const;
  [[nodiscard]] std::uint32_t symbol_at(std::uint64_t value, Interval& interval) const;
  [[nodiscard]] std::uint64_t total() const { return rest_candidates_total_ + base_->total(); }

  // Notes what to learn from the symbol that it was.
  void finish(std::uint32_t symbol);
  // Learns it. drift(): the lane's belief in the model alone moves towards that of all lanes. Then follows the lane's match, or finds one; `buckets` and `place` are those of the next symbol.
  void learn(AdaptiveWeights& weights) const;
  [[nodiscard]] double alone() const { return alone_; }
  void drift(double common);
  void follow_match(const History& history, std::uint32_t symbol, const History::Buckets& buckets, std::uint32_t place);

 private:
  struct Candidate {
    std::uint32_t symbol = 0;
    double model = 0;     // the model's probability
    double evidence = 0;  // what the experts give it, beside their share of the model's
    double mixed = 0;
    std::array<std::uint16_t, kOrderCount> counts{};
  };
  struct GuessRecord {
    std::uint32_t by_evidence;
    std::uint32_t by_confidence;
    std::uint32_t by_symbol;
    std::uint32_t match_hit;  // or kNone
    AdaptiveWeights::Mixer inputs;
    double probability;
    bool right;
    double model_probability;
  };
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // Its place among the candidates, where it may be new.
  std::size_t candidate_of(std::uint32_t symbol);
  [[nodiscard]] std::size_t find(std::uint32_t symbol) const;
  void gather(const History& history, const History::Buckets& buckets, std::uint32_t place);
  void choose_shares(const AdaptiveWeights& weights);
  void mix();
  void choose_guesses();
  [[nodiscard]] bool is_guess(std::size_t candidate) const;
  void prepare_guess();
  void prepare_rest();
  void weigh_rest(std::size_t candidate, std::uint32_t symbol);

  const AdaptiveWeights* weights_ = nullptr;
  Frequencies* base_ = nullptr;
  std::uint64_t base_total_ = 0;
  std::uint32_t previous_ = 0;
  std::uint32_t top_symbol_ = 0;
  std::uint32_t confidence_ = 0;  // bucket of the model's largest probability
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> candidate_symbols_;  // of candidates_: searched very often

  std::size_t order_count_ = 0;  // orders with any evidence, from the shortest on
  std::array<double, kOrderCount> totals_{};
  std::array<std::uint32_t, kOrderCount> distinct_{};
  std::array<std::uint32_t, kOrderCount> best_{};
  std::array<std::uint32_t, kOrderCount> share_index_{};
  std::array<double, kOrderCount> shares_{};
  std::array<double, kOrderCount> credits_{};  // each order's part in the probability that the symbol got
  double model_share_ = 1;

  std::uint32_t match_place_ = History::kNowhere;
  std::uint32_t match_length_ = 0;
  std::uint32_t match_symbol_ = kNone;
  std::uint32_t match_index_ = 0;
  double match_share_ = 0;
  double match_credit_ = 0;
  std::uint32_t run_ = 0;  // how well the longest context did lately

  std::array<std::size_t, kGuessesMax> guesses_{};  // candidates
  std::size_t guess_ = 0;
  std::size_t guess_count_ = 0;
  std::uint64_t guess_probability_ = 0;
  double mixed_left_ = 1;
  double model_left_ = 1;
  std::array<double, kOrderCount> totals_left_{};

  struct RestCandidate {
    std::uint32_t symbol;
    std::uint64_t frequency;
  };
  std::vector<RestCandidate> rest_candidates_;
  std::uint64_t rest_candidates_total_ = 0;
  double rest_unit_ = 0;   // of evidence, in frequencies
  double rest_model_ = 0;  // the model's total, and that of the evidence
  double rest_evidence_ = 0;

  double alone_ = kAloneStart;  // the belief in the model alone

  std::vector<GuessRecord> guess_records_;
};

// All lanes of a block, with the samplers that their text may have been drawn with.
class AdaptivePredictor {
 public:
  AdaptivePredictor(std::span<const std::uint64_t> strip_sizes, std::uint32_t vocabulary_size,
                    const std::optional<SamplerSettings>& stated);

  // The lane's distribution at that step. `base`: is set to the model's frequencies, as its sampler has changed them.
  // The result is valid until the lane's next. Errors: kModel where a logit is not finite.
  Result<LanePrediction*> predict(std::size_t lane, std::uint64_t step, const float* logits, SamplerExperts& experts,
                                  Frequencies& base);
  // The symbol that the lane has at that step; ends what predict() began, with the same `experts`.
  void finish(std::size_t lane, std::uint64_t step, std::uint32_t symbol, const SamplerExperts& experts);
  // After all lanes that have this step have finished it.
  void learn(std::uint64_t step);

 private:
  void learn_alone(std::uint64_t step);

  std::vector<std::uint64_t> strip_sizes_;
  History history_;
  SamplerMixture samplers_;
  AdaptiveWeights weights_;
  std::vector<LanePrediction> lanes_;
  std::vector<History::Buckets> buckets_;  // of each lane's next symbol
};

}  // namespace tacit
