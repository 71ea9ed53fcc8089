// SPDX-License-Identifier: MIT
#include "mixing/adaptive.h"

#include <algorithm>

namespace tacit {
namespace {

// A change of any of these is a change of the contract.
constexpr std::uint32_t kMatchHitLengths = 32;
constexpr std::uint32_t kRunMax = 15;
constexpr std::uint32_t kMixerRunMax = 7;
constexpr std::uint32_t kResultsMask = 15;
constexpr std::uint32_t kUnigramMin = 50;  // symbols that are counted before their counts count
constexpr int kPairBits = 16;

constexpr double kMatchHitRateMin = 0.005;
constexpr double kMatchRightStart = 0.8;
constexpr double kMatchWrongStart = 0.1;
constexpr double kPairRateMin = 0.02;
constexpr double kPairScale = 4.0;  // of errors
constexpr double kPairInputScale = 2.0;
constexpr double kLeftMin = 1e-9;
constexpr double kEvidenceScale = 0.5;  // of the inputs from counts, against the model's
constexpr double kBias = 0.3;
constexpr double kAloneDrift = 0.02;    // of a lane's belief, each step, towards that of all lanes
constexpr double kAloneRateMin = 0.01;  // of that one
constexpr double kAloneMin = 1e-4;
constexpr double kOthersTotal = static_cast<double>(std::uint64_t{1} << 30);
// What recent counts may add to a frequency, so that it stays below 2^32.
constexpr double kTailAddedMax = 3.0 * static_cast<double>(kernels::kFrequencyOne) - 1.0;

// The stretched estimate that `count` of `total` occurrences give.
double stretched_count(std::uint32_t count, std::uint32_t total) {
  constexpr std::size_t kSize = History::kPlacesMax[0] + 1;
  static const std::vector<double> table = [] {
    std::vector<double> values(kSize * kSize);
    for (std::size_t c = 0; c < kSize; ++c) {
      for (std::size_t t = c; t < kSize; ++t) {
        values[c * kSize + t] = stretch((static_cast<double>(c) + 0.02) / (static_cast<double>(t) + 0.4));
      }
    }
    return values;
  }();
  return table[count * kSize + total];
}

// The log odds that what follows a context is one of `left` of the `total` that did.
double stretched_left(std::uint32_t left, std::uint32_t total) {
  const numeric::FastLog& ln = numeric::FastLog::instance();
  return ln(static_cast<double>(left) + 0.1) - ln(static_cast<double>(total - left) + 0.4);
}

std::uint32_t confidence_bucket(double top) {
  const auto fifth = static_cast<std::uint32_t>(top * 5.0);
  return std::min<std::uint32_t>(fifth + (top > 0.9 ? 1 : 0) + (top > 0.97 ? 1 : 0), kConfidences - 1);
}

std::uint32_t count_bucket(std::uint32_t count) { return count < 6 ? count : count < 12 ? 6 : 7; }

std::uint32_t pair_of(std::uint32_t previous, std::uint32_t symbol) {
  const std::uint64_t hash = (previous + std::uint64_t{1}) * 0x9e3779b97f4a7c15 +
                             (symbol + std::uint64_t{1}) * (0xc2b2ae3d27d4eb4f * 3);
  return static_cast<std::uint32_t>(hash >> (64 - kPairBits));
}

std::uint32_t run_after(std::uint32_t run, bool right) { return right ? std::min(run + 1, kRunMax) : run / 4; }

}  // namespace

Learnt::Learnt(std::span<const std::uint64_t> strip_sizes, std::uint32_t symbol_count)
    : history(strip_sizes),
      recent(symbol_count),
      match_hits(kMatchHitLengths * 2 * kGuessesMax),
      pairs(std::size_t{1} << kPairBits, {0, 0}),
      alone{kAloneStart} {
  for (std::size_t i = 0; i < match_hits.size(); ++i) {
    match_hits[i].value = i / kGuessesMax % 2 == 1 ? kMatchRightStart : kMatchWrongStart;
  }
}

// ---- Candidates and what the experts give them ----

void LanePrediction::predict(const Learnt& learnt, std::size_t lane, std::uint64_t step, const TopTokens& top,
                             PredictScratch& scratch) {
  learnt_ = &learnt;
  scratch_ = &scratch;
  base_total_ = scratch.frequencies.total();
  place_ = learnt.history.place_of(lane, step);
  model_keys_ = learnt.history.model_keys_of(lane, step, top.first, top.second);
  view_ = {};
  view_.top = top.first;
  view_.previous = step == 0 ? 0 : learnt.history.symbol_at(place_ - 1);
  view_.results = results_;
  candidates_.clear();
  scratch.index.clear();
  view_.confidence = confidence_bucket(candidates_[candidate_of(top.first)].model);
  gather();
  weigh();
  choose_guesses();
  record_count_ = 0;
  asked_ = 0;
  mixed_left_ = 1;
  model_left_ = 1;
  totals_left_ = totals_;
  ask_next();
}

// Its place among the candidates, where it may be new.
std::uint32_t LanePrediction::candidate_of(std::uint32_t symbol) {
  const std::uint32_t known = scratch_->index.find(symbol);
  if (known != kNoSymbol) return known;
  const auto added = static_cast<std::uint32_t>(candidates_.size());
  scratch_->index.add(symbol, added);
  Candidate& candidate = candidates_.emplace_back();
  candidate.symbol = symbol;
  candidate.model = static_cast<double>(scratch_->frequencies[symbol]) / static_cast<double>(base_total_);
  return added;
}

// Counts what followed each context. No text context longer than one that has never occurred has occurred either.
void LanePrediction::gather() {
  const History& history = learnt_->history;
  History::Places& places = scratch_->places;
  history.find(buckets_, model_keys_, places);
  expert_count_ = 0;
  totals_.fill(0);
  newest_ = kNoSymbol;
  for (std::size_t order = 0; order < kOrderCount; ++order) {
    std::uint32_t newest = kNoSymbol;
    gather_context(order, newest, [&](const auto& found) {
      history.for_each_place(order, places, place_, found);
    });
    if (totals_[order] == 0) break;
    newest_ = newest;
    view_.order_count = static_cast<std::uint32_t>(order) + 1;
    view_.longest_best = experts_[expert_count_ - 1].best;
  }
  for (std::size_t context = 0; context < History::kModelContexts; ++context) {
    std::uint32_t newest = kNoSymbol;
    gather_context(kOrderCount + context, newest, [&](const auto& found) {
      history.for_each_model_place(context, places, model_keys_[context], found);
    });
  }
  if (learnt_->recent.total() > kUnigramMin) add_expert(kUnigramExpert, learnt_->recent.total(), 0, kNoSymbol);
  if (match_place_ == History::kNowhere) return;
  view_.match_symbol = history.symbol_at(match_place_);
  candidate_of(view_.match_symbol);
  add_expert(kMatchExpert, match_length_, 1, view_.match_symbol);
}

// `for_each`: calls what it is given with each symbol that followed, newest first.
void LanePrediction::gather_context(std::size_t expert, std::uint32_t& newest, const auto& for_each) {
  std::uint32_t total = 0;
  std::uint32_t distinct = 0;
  for_each([&](std::uint32_t symbol) {
    if (total == 0) newest = symbol;
    std::uint16_t& count = candidates_[candidate_of(symbol)].counts[expert];
    distinct += count == 0 ? 1 : 0;
    ++count;
    ++total;
  });
  if (total == 0) return;
  totals_[expert] = total;
  std::uint16_t best_count = 0;
  std::uint32_t best = kNoSymbol;
  for (const Candidate& candidate : candidates_) {
    if (candidate.counts[expert] <= best_count) continue;
    best_count = candidate.counts[expert];
    best = candidate.symbol;
  }
  add_expert(expert, total, distinct, best);
}

void LanePrediction::add_expert(std::size_t expert, std::uint32_t total, std::uint32_t distinct, std::uint32_t best) {
  experts_[expert_count_++] = {expert, total, distinct, best, runs_[expert]};
}

void LanePrediction::weigh() {
  model_weight_ = learnt_->gate.weigh(view_, std::span(experts_).first(expert_count_), entries_);
  for (Candidate& candidate : candidates_) {
    double mixed = model_weight_ * candidate.model;
    for (std::size_t i = 0; i < expert_count_; ++i) mixed = mixed + part_of(i, candidate.symbol, &candidate);
    candidate.mixed = mixed;
  }
}

// What the i-th expert adds to a symbol's probability. `candidate`: null if it is none.
double LanePrediction::part_of(std::size_t i, std::uint32_t symbol, const Candidate* candidate) const {
  const std::size_t expert = experts_[i].expert;
  if (expert == kMatchExpert) return symbol == view_.match_symbol ? entries_[i].weight : 0.0;
  const std::uint32_t count = expert == kUnigramExpert ? learnt_->recent[symbol]
                              : candidate != nullptr   ? candidate->counts[expert]
                                                       : 0;
  return entries_[i].weight * (static_cast<double>(count) / static_cast<double>(experts_[i].total));
}

// The likeliest come first among the candidates; of equal ones the lower symbol.
void LanePrediction::choose_guesses() {
  guess_count_ = std::min(candidates_.size(), kGuessesMax);
  const auto better = [&](std::uint32_t a, std::uint32_t b) {
    const Candidate& x = candidates_[a];
    const Candidate& y = candidates_[b];
    return x.mixed > y.mixed || (x.mixed == y.mixed && x.symbol < y.symbol);
  };
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
    std::size_t at = count;
    while (at > 0 && better(i, guesses_[at - 1])) --at;
    if (at >= guess_count_) continue;
    if (count < guess_count_) ++count;
    std::copy_backward(guesses_.begin() + static_cast<std::ptrdiff_t>(at),
                       guesses_.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                       guesses_.begin() + static_cast<std::ptrdiff_t>(count));
    guesses_[at] = i;
  }
}

// ---- Questions ----

void LanePrediction::ask_next() {
  if (asked_ < guess_count_) return ask_guess();
  if (candidates_.size() > guess_count_) return ask_others();
  prepare_tail();
}

void LanePrediction::ask_guess() {
  phase_ = Phase::kGuesses;
  const auto k = static_cast<std::uint32_t>(asked_);
  const Candidate& candidate = candidates_[guesses_[asked_]];
  QuestionRecord& record = records_[record_count_++];
  record = {};
  auto& inputs = record.question.inputs;
  QuestionView view;
  view.question = k;
  view.order_count = view_.order_count;
  for (std::size_t order = 0; order < view_.order_count; ++order) {
    if (candidate.counts[order] > 0) view.longest = static_cast<std::uint32_t>(order) + 1;
  }
  for (std::size_t expert = 0; expert < kCountedExperts; ++expert) {
    if (totals_left_[expert] == 0) continue;
    inputs[context_input(expert)] = kEvidenceScale * stretched_count(candidate.counts[expert], totals_left_[expert]);
  }
  if (view_.match_symbol != kNoSymbol) {
    const std::uint32_t is_match = candidate.symbol == view_.match_symbol ? 1 : 0;
    view.match_state = 2 - is_match;
    record.match_hit =
        (std::min(match_length_, kMatchHitLengths - 1) * 2 + is_match) * static_cast<std::uint32_t>(kGuessesMax) + k;
    inputs[kMatchInput] = kEvidenceScale * stretch(learnt_->match_hits[record.match_hit].value);
  }
  record.pair = pair_of(view_.previous, candidate.symbol);
  inputs[kPairInput] = kPairInputScale * learnt_->pairs[record.pair].value;
  view.run = std::min(run_, kMixerRunMax);
  view.symbol = candidate.symbol;
  if (view_.order_count > 0) {
    const std::uint32_t count = candidate.counts[view_.order_count - 1];
    const std::uint32_t others = totals_left_[view_.order_count - 1] - count;
    view.evidence = ((newest_ == candidate.symbol ? 8 : 0) + count_bucket(count)) * 3 + std::min(others, 2U);
  }
  pose(view, candidate.mixed / mixed_left_, candidate.model / model_left_);
}

void LanePrediction::ask_others() {
  phase_ = Phase::kOthers;
  QuestionRecord& record = records_[record_count_++];
  record = {};
  others_mixed_ = 0;
  others_model_ = 0;
  others_.clear();
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
    if (std::find(guesses_.begin(), guesses_.end(), i) != guesses_.end()) continue;
    others_mixed_ = others_mixed_ + candidates_[i].mixed;
    others_model_ = others_model_ + candidates_[i].model;
    others_.push_back(i);
  }
  const auto other_count = static_cast<std::uint32_t>(std::min<std::size_t>(others_.size(), 15));
  QuestionView view;
  view.question = kOthersQuestion;
  view.order_count = view_.order_count;
  for (std::size_t expert = 0; expert < kCountedExperts; ++expert) {
    if (totals_[expert] == 0) continue;
    record.question.inputs[context_input(expert)] = kEvidenceScale * stretched_left(totals_left_[expert], totals_[expert]);
    if (expert < kOrderCount && totals_left_[expert] > 0) view.longest = static_cast<std::uint32_t>(expert) + 1;
  }
  if (view_.match_symbol != kNoSymbol) {
    const bool was_guess = std::any_of(guesses_.begin(), guesses_.end(), [&](std::uint32_t guess) {
      return candidates_[guess].symbol == view_.match_symbol;
    });
    view.match_state = was_guess ? 1 : 2;
  }
  view.run = std::min(other_count / 2, kMixerRunMax);
  view.symbol = view_.previous;
  view.evidence = other_count;
  pose(view, others_mixed_ / mixed_left_, others_model_ / model_left_);
}

void LanePrediction::pose(const QuestionView& view, double mixed, double model) {
  Question& question = records_[record_count_ - 1].question;
  question.inputs[kMixedInput] = stretch(mixed);
  question.inputs[kModelInput] = stretch(model);
  question.inputs[kBiasInput] = kBias;
  QuestionView bounded = view;
  bounded.confidence = view_.confidence;
  learnt_->mixer.ask(bounded, question);
  question.model_probability = std::clamp(model, kProbabilityMin, 1.0 - kProbabilityMin);
  const double probability = alone_ * question.model_probability + (1.0 - alone_) * question.probability;
  yes_probability_ = static_cast<std::uint64_t>(probability * static_cast<double>(kQuestionTotal));
}

bool LanePrediction::answer_for(std::uint32_t symbol) const {
  if (phase_ == Phase::kGuesses) return candidates_[guesses_[asked_]].symbol == symbol;
  return scratch_->index.find(symbol) != kNoSymbol;  // and it is no guess, or the questions would have ended
}

void LanePrediction::answer(bool yes) {
  Question& question = records_[record_count_ - 1].question;
  question.yes = yes;
  alone_ = yes ? weighed(alone_, question.model_probability, question.probability)
               : weighed(alone_, 1.0 - question.model_probability, 1.0 - question.probability);
  if (phase_ == Phase::kOthers) return yes ? prepare_others() : prepare_tail();
  const Candidate& candidate = candidates_[guesses_[asked_++]];
  if (yes) {
    phase_ = Phase::kFound;
    return;
  }
  leave_out(candidate);
  ask_next();
}

void LanePrediction::leave_out(const Candidate& candidate) {
  mixed_left_ = std::max(mixed_left_ - candidate.mixed, kLeftMin);
  model_left_ = std::max(model_left_ - candidate.model, kLeftMin);
  for (std::size_t expert = 0; expert < kCountedExperts; ++expert) totals_left_[expert] -= candidate.counts[expert];
}

// ---- What the questions leave ----

// One of the candidates that were no guesses.
void LanePrediction::prepare_others() {
  phase_ = Phase::kOtherCandidates;
  others_total_ = 0;
  other_frequencies_.clear();
  for (const std::uint32_t other : others_) {
    const Candidate& candidate = candidates_[other];
    const double probability = alone_ * (candidate.model / others_model_) +
                               (1.0 - alone_) * (candidate.mixed / others_mixed_);
    other_frequencies_.push_back(1 + static_cast<std::uint64_t>(probability * kOthersTotal));
    others_total_ += other_frequencies_.back();
  }
}

// A symbol that no expert but the recent counts knows of. Candidates leave the model's frequencies; recent counts join
// them, the fewer the more the lane believes in the model alone.
void LanePrediction::prepare_tail() {
  phase_ = Phase::kTail;
  Frequencies& base = scratch_->frequencies;
  std::uint32_t counts = learnt_->recent.total();
  for (const Candidate& candidate : candidates_) {
    base.take(candidate.symbol);
    counts -= learnt_->recent[candidate.symbol];
  }
  tail_model_ = std::max(static_cast<double>(base.total()), 1.0);
  tail_counts_ = static_cast<double>(counts);
  tail_unit_ = 0;
  for (std::size_t i = 0; i < expert_count_; ++i) {
    if (experts_[i].expert != kUnigramExpert) continue;
    const double odds = entries_[i].weight / model_weight_;
    const double added = std::min(odds * static_cast<double>(base_total_), kTailAddedMax);
    tail_unit_ = added / static_cast<double>(experts_[i].total);
  }
  const double experts = (1.0 - alone_) * tail_model_;
  const double share = experts / (alone_ * (tail_model_ + tail_counts_ * tail_unit_) + experts);
  const auto unit = static_cast<std::uint32_t>(tail_unit_ * share);
  if (unit > 0) base.add_counts(learnt_->recent.counts(), unit);
}

std::uint64_t LanePrediction::total() const {
  return phase_ == Phase::kOtherCandidates ? others_total_ : scratch_->frequencies.total();
}

Interval LanePrediction::interval_of(std::uint32_t symbol) const {
  if (phase_ == Phase::kTail) return scratch_->frequencies.interval_of(symbol);
  std::uint64_t low = 0;
  std::size_t i = 0;
  for (; candidates_[others_[i]].symbol != symbol; ++i) low += other_frequencies_[i];
  return {low, other_frequencies_[i], others_total_};
}

std::uint32_t LanePrediction::symbol_at(std::uint64_t value, Interval& interval) const {
  if (phase_ == Phase::kTail) return scratch_->frequencies.symbol_at(value, interval);
  std::uint64_t low = 0;
  std::size_t i = 0;
  for (; value >= low + other_frequencies_[i]; ++i) low += other_frequencies_[i];
  interval = {low, other_frequencies_[i], others_total_};
  return candidates_[others_[i]].symbol;
}

// ---- Learning ----

void LanePrediction::finish(std::uint32_t symbol) {
  Frequencies& base = scratch_->frequencies;
  base.restore();
  if (phase_ == Phase::kOtherCandidates || phase_ == Phase::kTail) weigh_rest(symbol);
  const std::uint32_t index = scratch_->index.find(symbol);
  const Candidate* candidate = index == kNoSymbol ? nullptr : &candidates_[index];
  double sum = model_weight_ * (static_cast<double>(base[symbol]) / static_cast<double>(base_total_));
  for (std::size_t i = 0; i < expert_count_; ++i) {
    parts_[i] = part_of(i, symbol, candidate);
    sum = sum + parts_[i];
  }
  for (std::size_t i = 0; i < expert_count_; ++i) {
    parts_[i] = parts_[i] / sum;
    std::uint32_t& run = runs_[experts_[i].expert];
    run = run_after(run, experts_[i].best == symbol);
  }
  run_ = view_.order_count == 0 ? run_ / 2 : run_after(run_, view_.longest_best == symbol);
  const auto result = static_cast<std::uint32_t>(phase_ == Phase::kFound ? asked_ - 1 : kGuessesMax);
  results_ = (results_ << 2 | result) & kResultsMask;
}

// The symbol is none of the guesses: what the model alone and what all together gave it.
void LanePrediction::weigh_rest(std::uint32_t symbol) {
  if (phase_ == Phase::kOtherCandidates) {
    const Candidate& candidate = candidates_[scratch_->index.find(symbol)];
    alone_ = weighed(alone_, candidate.model / others_model_, candidate.mixed / others_mixed_);
    return;
  }
  const auto frequency = static_cast<double>(scratch_->frequencies[symbol]);
  const double added = static_cast<double>(learnt_->recent[symbol]) * tail_unit_;
  alone_ = weighed(alone_, frequency / tail_model_, (frequency + added) / (tail_model_ + tail_counts_ * tail_unit_));
}

void LanePrediction::learn(Learnt& learnt, std::uint32_t place, std::uint32_t symbol) const {
  for (std::size_t i = 0; i < expert_count_; ++i) learnt.gate.learn(entries_[i], parts_[i]);
  for (std::size_t r = 0; r < record_count_; ++r) {
    const QuestionRecord& record = records_[r];
    learnt.mixer.learn(record.question);
    const double yes = record.question.yes ? 1.0 : 0.0;
    if (record.match_hit != kNoSymbol) learnt.match_hits[record.match_hit].follow(yes, kMatchHitRateMin);
    if (record.pair != kNoSymbol) {
      LearntShare& pair = learnt.pairs[record.pair];
      pair.count += 1.0;
      const double rate = std::max(1.0 / (pair.count + 1.5), kPairRateMin);
      pair.value = pair.value + rate * ((yes - record.question.probability) * kPairScale - pair.value);
    }
  }
  learnt.recent.add(symbol);
  learnt.history.enter(buckets_, model_keys_, place);
}

ExpertShares LanePrediction::shares() const {
  ExpertShares shares{};
  double model = 1;
  for (std::size_t i = 0; i < expert_count_; ++i) {
    shares[1 + experts_[i].expert] = parts_[i];
    model = model - parts_[i];
  }
  shares[0] = std::max(model, 0.0);
  return shares;
}

void LanePrediction::drift(double common) { alone_ = (1.0 - kAloneDrift) * alone_ + kAloneDrift * common; }

void LanePrediction::prepare_next(const Learnt& learnt, std::size_t lane, std::uint64_t next_step,
                                  std::uint32_t symbol) {
  const History& history = learnt.history;
  buckets_ = history.buckets_of(lane, next_step);
  if (view_.match_symbol == symbol && match_place_ + 1 < history.size()) {
    ++match_place_;
    ++match_length_;
    return;
  }
  match_place_ = history.find_match(buckets_[kOrderCount], history.place_of(lane, next_step));
  match_length_ = match_place_ == History::kNowhere ? 0 : History::kMatchMin;
}

// ---- All lanes ----

AdaptivePredictor::AdaptivePredictor(std::span<const std::uint64_t> strip_sizes, std::uint32_t vocabulary_size,
                                     std::uint32_t symbol_count, const std::optional<SamplerSettings>& stated)
    : strip_sizes_(strip_sizes.begin(), strip_sizes.end()),
      samplers_(strip_sizes.size(), vocabulary_size, stated),
      learnt_(strip_sizes, symbol_count),
      lanes_(strip_sizes.size()) {}

Result<LanePrediction*> AdaptivePredictor::predict(std::size_t lane, std::uint64_t step, const float* logits,
                                                   PredictScratch& scratch) {
  TACIT_ASSIGN(const TopTokens top, samplers_.set(lane, step, logits, scratch.samplers, scratch.frequencies));
  lanes_[lane].predict(learnt_, lane, step, top, scratch);
  return &lanes_[lane];
}

void AdaptivePredictor::finish(std::size_t lane, std::uint64_t step, std::uint32_t symbol,
                               const PredictScratch& scratch) {
  lanes_[lane].finish(symbol);
  samplers_.observe(lane, symbol, scratch.samplers);
  learnt_.history.set(lane, step, symbol);
}

void AdaptivePredictor::learn_alone(std::uint64_t step) {
  double sum = 0;
  double count = 0;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step >= strip_sizes_[lane]) continue;
    sum = sum + lanes_[lane].alone();
    count = count + 1.0;
  }
  learnt_.alone.follow(sum / count, kAloneRateMin);
  learnt_.alone.value = std::clamp(learnt_.alone.value, kAloneMin, 1.0 - kAloneMin);
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step < strip_sizes_[lane]) lanes_[lane].drift(learnt_.alone.value);
  }
}

// All lanes look for matches before any enters what the step has added, and none sees a symbol that another has yet to
// code: a place that is entered as a match is known one step later, when it can be found.
void AdaptivePredictor::learn(std::uint64_t step) {
  samplers_.learn(step);
  learn_alone(step);
  History& history = learnt_.history;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step >= strip_sizes_[lane]) continue;
    const std::uint32_t place = history.place_of(lane, step);
    lanes_[lane].learn(learnt_, place, history.symbol_at(place));
  }
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step + 1 >= strip_sizes_[lane]) continue;
    lanes_[lane].prepare_next(learnt_, lane, step + 1, history.symbol_at(history.place_of(lane, step)));
  }
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step + 1 >= strip_sizes_[lane]) continue;
    history.enter_match(lanes_[lane].buckets()[kOrderCount], history.place_of(lane, step + 1));
  }
}

}  // namespace tacit
