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
constexpr int kBigramBits = 16;

constexpr double kMatchHitRateMin = 0.005;
constexpr double kMatchRightStart = 0.8;
constexpr double kMatchWrongStart = 0.1;
constexpr double kBigramRateMin = 0.02;
constexpr double kBigramScale = 4.0;  // of errors
constexpr double kBigramInputScale = 2.0;
constexpr double kLeftMin = 1e-9;
constexpr double kEvidenceScale = 0.5;  // of the inputs from counts, against the model's
constexpr double kBias = 0.3;
constexpr double kModelWeightFixedShare = 0.02;  // of a lane's, each step, towards that of all lanes
constexpr double kModelWeightRateMin = 0.01;     // of that one
constexpr double kModelWeightMin = 1e-4;
constexpr double kOthersTotal = static_cast<double>(std::uint64_t{1} << 30);
// What recent counts may add to a frequency, so that it stays below 2^32.
constexpr double kEscapeAddedMax = 3.0 * static_cast<double>(kernels::kFrequencyOne) - 1.0;

// The stretched estimate that `count` of `total` occurrences give.
double stretched_count(std::uint32_t count, std::uint32_t total) {
  constexpr std::size_t kSize = History::kDepths[0] + 1;
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

std::uint32_t bigram_of(std::uint32_t previous, std::uint32_t symbol) {
  const std::uint64_t hash = (previous + std::uint64_t{1}) * 0x9e3779b97f4a7c15 +
                             (symbol + std::uint64_t{1}) * (0xc2b2ae3d27d4eb4f * 3);
  return static_cast<std::uint32_t>(hash >> (64 - kBigramBits));
}

std::uint32_t run_after(std::uint32_t run, bool right) { return right ? std::min(run + 1, kRunMax) : run / 4; }

}  // namespace

SharedState::SharedState(std::span<const std::uint64_t> strip_sizes, std::uint32_t symbol_count)
    : history(strip_sizes),
      recent(symbol_count),
      match_hits(kMatchHitLengths * 2 * kRankedMax),
      bigram_corrections(std::size_t{1} << kBigramBits, {}) {
  reset_small();
}

void SharedState::reset(std::span<const std::uint64_t> strip_sizes) {
  history.reset(strip_sizes);
  recent.reset();
  gate.reset();
  mixer.reset();
  bigram_corrections.reset();
  reset_small();
}

void SharedState::reset_small() {
  model_weight = {kModelWeightStart};
  for (std::size_t i = 0; i < match_hits.size(); ++i) {
    match_hits[i] = {i / kRankedMax % 2 == 1 ? kMatchRightStart : kMatchWrongStart};
  }
}

// ---- Candidates and what the experts give them ----

void LanePrediction::predict(const SharedState& shared, std::size_t lane, std::uint64_t step, const TopTokens& top,
                             PredictScratch& scratch) {
  shared_ = &shared;
  scratch_ = &scratch;
  base_total_ = scratch.frequencies.total();
  position_ = shared.history.position_of(lane, step);
  model_keys_ = shared.history.model_keys_of(lane, step, top.first, top.second);
  view_ = {};
  view_.top = top.first;
  view_.previous = step == 0 ? 0 : shared.history.symbol_at(position_ - 1);
  view_.results = results_;
  candidates_.clear();
  scratch.index.clear();
  view_.confidence = confidence_bucket(candidates_[candidate_of(top.first)].model);
  gather();
  weigh();
  rank_candidates();
  record_count_ = 0;
  ranks_decided_ = 0;
  mixed_left_ = 1;
  model_left_ = 1;
  totals_left_ = totals_;
  prepare_decision();
}

// Its index among the candidates, where it may be new.
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
  const History& history = shared_->history;
  History::Occurrences& occurrences = scratch_->occurrences;
  history.find(buckets_, model_keys_, occurrences);
  expert_count_ = 0;
  totals_.fill(0);
  newest_ = kNoSymbol;
  for (std::size_t order = 0; order < kOrderCount; ++order) {
    std::uint32_t newest = kNoSymbol;
    gather_context(order, newest,
                   [&](const auto& found) { history.for_each_occurrence(order, occurrences, position_, found); });
    if (totals_[order] == 0) break;
    newest_ = newest;
    view_.order_count = static_cast<std::uint32_t>(order) + 1;
    view_.longest_best = experts_[expert_count_ - 1].best;
  }
  for (std::size_t context = 0; context < History::kModelContexts; ++context) {
    std::uint32_t newest = kNoSymbol;
    gather_context(kOrderCount + context, newest, [&](const auto& found) {
      history.for_each_model_occurrence(context, occurrences, model_keys_[context], found);
    });
  }
  if (shared_->recent.total() > kUnigramMin) add_expert(kUnigramExpert, shared_->recent.total(), 0, kNoSymbol);
  if (match_position_ == History::kNoPosition) return;
  view_.match_symbol = history.symbol_at(match_position_);
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
  gate_model_weight_ = shared_->gate.weigh(view_, std::span(experts_).first(expert_count_), entries_);
  for (Candidate& candidate : candidates_) {
    double mixed = gate_model_weight_ * candidate.model;
    for (std::size_t i = 0; i < expert_count_; ++i) mixed = mixed + part_of(i, candidate.symbol, &candidate);
    candidate.mixed = mixed;
  }
}

// What the i-th expert adds to a symbol's probability. `candidate`: null if it is none.
double LanePrediction::part_of(std::size_t i, std::uint32_t symbol, const Candidate* candidate) const {
  const std::size_t expert = experts_[i].expert;
  if (expert == kMatchExpert) return symbol == view_.match_symbol ? entries_[i].weight : 0.0;
  const std::uint32_t count = expert == kUnigramExpert ? shared_->recent[symbol]
                              : candidate != nullptr   ? candidate->counts[expert]
                                                       : 0;
  return entries_[i].weight * (static_cast<double>(count) / static_cast<double>(experts_[i].total));
}

// The likeliest candidates, likeliest first; of equal ones the lower symbol.
void LanePrediction::rank_candidates() {
  ranked_count_ = std::min(candidates_.size(), kRankedMax);
  const auto better = [&](std::uint32_t a, std::uint32_t b) {
    const Candidate& x = candidates_[a];
    const Candidate& y = candidates_[b];
    return x.mixed > y.mixed || (x.mixed == y.mixed && x.symbol < y.symbol);
  };
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
    std::size_t at = count;
    while (at > 0 && better(i, ranked_[at - 1])) --at;
    if (at >= ranked_count_) continue;
    if (count < ranked_count_) ++count;
    std::copy_backward(ranked_.begin() + static_cast<std::ptrdiff_t>(at),
                       ranked_.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                       ranked_.begin() + static_cast<std::ptrdiff_t>(count));
    ranked_[at] = i;
  }
}

// ---- Binary decisions ----

void LanePrediction::prepare_decision() {
  if (ranks_decided_ < ranked_count_) return prepare_ranked_decision();
  if (candidates_.size() > ranked_count_) return prepare_others_decision();
  prepare_escape();
}

void LanePrediction::prepare_ranked_decision() {
  phase_ = Phase::kRanked;
  const auto k = static_cast<std::uint32_t>(ranks_decided_);
  const Candidate& candidate = candidates_[ranked_[ranks_decided_]];
  DecisionRecord& record = records_[record_count_++];
  record = {};
  auto& inputs = record.decision.inputs;
  MixerContext context;
  context.decision = k;
  context.order_count = view_.order_count;
  for (std::size_t order = 0; order < view_.order_count; ++order) {
    if (candidate.counts[order] > 0) context.longest = static_cast<std::uint32_t>(order) + 1;
  }
  for (std::size_t expert = 0; expert < kCountedExperts; ++expert) {
    if (totals_left_[expert] == 0) continue;
    inputs[context_input(expert)] = kEvidenceScale * stretched_count(candidate.counts[expert], totals_left_[expert]);
  }
  if (view_.match_symbol != kNoSymbol) {
    const std::uint32_t is_match = candidate.symbol == view_.match_symbol ? 1 : 0;
    context.match_state = 2 - is_match;
    record.match_hit =
        (std::min(match_length_, kMatchHitLengths - 1) * 2 + is_match) * static_cast<std::uint32_t>(kRankedMax) + k;
    inputs[kMatchInput] = kEvidenceScale * stretch(shared_->match_hits[record.match_hit].value);
  }
  record.bigram = bigram_of(view_.previous, candidate.symbol);
  inputs[kBigramInput] = kBigramInputScale * shared_->bigram_corrections[record.bigram].value;
  context.run = std::min(run_, kMixerRunMax);
  context.symbol = candidate.symbol;
  if (view_.order_count > 0) {
    const std::uint32_t count = candidate.counts[view_.order_count - 1];
    const std::uint32_t others = totals_left_[view_.order_count - 1] - count;
    context.evidence = ((newest_ == candidate.symbol ? 8 : 0) + count_bucket(count)) * 3 + std::min(others, 2U);
  }
  predict_decision(context, candidate.mixed / mixed_left_, candidate.model / model_left_);
}

void LanePrediction::prepare_others_decision() {
  phase_ = Phase::kOthers;
  DecisionRecord& record = records_[record_count_++];
  record = {};
  others_mixed_ = 0;
  others_model_ = 0;
  others_.clear();
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
    if (std::find(ranked_.begin(), ranked_.end(), i) != ranked_.end()) continue;
    others_mixed_ = others_mixed_ + candidates_[i].mixed;
    others_model_ = others_model_ + candidates_[i].model;
    others_.push_back(i);
  }
  const auto other_count = static_cast<std::uint32_t>(std::min<std::size_t>(others_.size(), 15));
  MixerContext context;
  context.decision = kOthersDecision;
  context.order_count = view_.order_count;
  for (std::size_t expert = 0; expert < kCountedExperts; ++expert) {
    if (totals_[expert] == 0) continue;
    record.decision.inputs[context_input(expert)] =
        kEvidenceScale * stretched_left(totals_left_[expert], totals_[expert]);
    if (expert < kOrderCount && totals_left_[expert] > 0) context.longest = static_cast<std::uint32_t>(expert) + 1;
  }
  if (view_.match_symbol != kNoSymbol) {
    const bool was_ranked = std::any_of(ranked_.begin(), ranked_.end(), [&](std::uint32_t ranked) {
      return candidates_[ranked].symbol == view_.match_symbol;
    });
    context.match_state = was_ranked ? 1 : 2;
  }
  context.run = std::min(other_count / 2, kMixerRunMax);
  context.symbol = view_.previous;
  context.evidence = other_count;
  predict_decision(context, others_mixed_ / mixed_left_, others_model_ / model_left_);
}

void LanePrediction::predict_decision(const MixerContext& context, double mixed, double model) {
  Decision& decision = records_[record_count_ - 1].decision;
  decision.inputs[kMixedInput] = stretch(mixed);
  decision.inputs[kModelInput] = stretch(model);
  decision.inputs[kBiasInput] = kBias;
  MixerContext bounded = context;
  bounded.confidence = view_.confidence;
  shared_->mixer.predict(bounded, decision);
  decision.model_probability = std::clamp(model, kProbabilityMin, 1.0 - kProbabilityMin);
  const double probability = model_weight_ * decision.model_probability + (1.0 - model_weight_) * decision.probability;
  bit_probability_ = static_cast<std::uint64_t>(probability * static_cast<double>(kDecisionTotal));
}

bool LanePrediction::decision_for(std::uint32_t symbol) const {
  if (phase_ == Phase::kRanked) return candidates_[ranked_[ranks_decided_]].symbol == symbol;
  return scratch_->index.find(symbol) != kNoSymbol;  // and it is not ranked, or the decisions would have ended
}

void LanePrediction::update(bool bit) {
  Decision& decision = records_[record_count_ - 1].decision;
  decision.bit = bit;
  model_weight_ = bit ? bayes_update(model_weight_, decision.model_probability, decision.probability)
                      : bayes_update(model_weight_, 1.0 - decision.model_probability, 1.0 - decision.probability);
  if (phase_ == Phase::kOthers) return bit ? prepare_others() : prepare_escape();
  const Candidate& candidate = candidates_[ranked_[ranks_decided_++]];
  if (bit) {
    phase_ = Phase::kFound;
    return;
  }
  exclude(candidate);
  prepare_decision();
}

void LanePrediction::exclude(const Candidate& candidate) {
  mixed_left_ = std::max(mixed_left_ - candidate.mixed, kLeftMin);
  model_left_ = std::max(model_left_ - candidate.model, kLeftMin);
  for (std::size_t expert = 0; expert < kCountedExperts; ++expert) totals_left_[expert] -= candidate.counts[expert];
}

// ---- What the decisions leave ----

// One of the candidates that are not ranked.
void LanePrediction::prepare_others() {
  phase_ = Phase::kOtherCandidates;
  others_total_ = 0;
  other_frequencies_.clear();
  for (const std::uint32_t other : others_) {
    const Candidate& candidate = candidates_[other];
    const double probability =
        model_weight_ * (candidate.model / others_model_) + (1.0 - model_weight_) * (candidate.mixed / others_mixed_);
    other_frequencies_.push_back(1 + static_cast<std::uint64_t>(probability * kOthersTotal));
    others_total_ += other_frequencies_.back();
  }
}

// A symbol that no expert but the recent counts knows of. Candidates are excluded from the model's frequencies, as in
// PPM; recent counts join them, the less the more weight the lane gives to the model without experts.
void LanePrediction::prepare_escape() {
  phase_ = Phase::kEscape;
  Frequencies& base = scratch_->frequencies;
  std::uint32_t counts = shared_->recent.total();
  for (const Candidate& candidate : candidates_) {
    base.exclude(candidate.symbol);
    counts -= shared_->recent[candidate.symbol];
  }
  escape_model_ = std::max(static_cast<double>(base.total()), 1.0);
  escape_counts_ = static_cast<double>(counts);
  escape_unit_ = 0;
  for (std::size_t i = 0; i < expert_count_; ++i) {
    if (experts_[i].expert != kUnigramExpert) continue;
    const double odds = entries_[i].weight / gate_model_weight_;
    const double added = std::min(odds * static_cast<double>(base_total_), kEscapeAddedMax);
    escape_unit_ = added / static_cast<double>(experts_[i].total);
  }
  const double experts = (1.0 - model_weight_) * escape_model_;
  const double share = experts / (model_weight_ * (escape_model_ + escape_counts_ * escape_unit_) + experts);
  const auto unit = static_cast<std::uint32_t>(escape_unit_ * share);
  if (unit > 0) base.add_counts(shared_->recent.counts(), unit);
}

std::uint64_t LanePrediction::total() const {
  return phase_ == Phase::kOtherCandidates ? others_total_ : scratch_->frequencies.total();
}

Interval LanePrediction::interval_of(std::uint32_t symbol) const {
  if (phase_ == Phase::kEscape) return scratch_->frequencies.interval_of(symbol);
  std::uint64_t low = 0;
  std::size_t i = 0;
  for (; candidates_[others_[i]].symbol != symbol; ++i) low += other_frequencies_[i];
  return {low, other_frequencies_[i], others_total_};
}

std::uint32_t LanePrediction::symbol_at(std::uint64_t value, Interval& interval) const {
  if (phase_ == Phase::kEscape) return scratch_->frequencies.symbol_at(value, interval);
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
  if (phase_ == Phase::kOtherCandidates || phase_ == Phase::kEscape) update_model_weight(symbol);
  const std::uint32_t index = scratch_->index.find(symbol);
  const Candidate* candidate = index == kNoSymbol ? nullptr : &candidates_[index];
  double sum = gate_model_weight_ * (static_cast<double>(base[symbol]) / static_cast<double>(base_total_));
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
  const auto result = static_cast<std::uint32_t>(phase_ == Phase::kFound ? ranks_decided_ - 1 : kRankedMax);
  results_ = (results_ << 2 | result) & kResultsMask;
}

// The symbol is no ranked candidate: what the model without experts and what all together gave it.
void LanePrediction::update_model_weight(std::uint32_t symbol) {
  if (phase_ == Phase::kOtherCandidates) {
    const Candidate& candidate = candidates_[scratch_->index.find(symbol)];
    model_weight_ = bayes_update(model_weight_, candidate.model / others_model_, candidate.mixed / others_mixed_);
    return;
  }
  const auto frequency = static_cast<double>(scratch_->frequencies[symbol]);
  const double added = static_cast<double>(shared_->recent[symbol]) * escape_unit_;
  model_weight_ = bayes_update(model_weight_, frequency / escape_model_,
                               (frequency + added) / (escape_model_ + escape_counts_ * escape_unit_));
}

void LanePrediction::learn(SharedState& shared, std::uint32_t position, std::uint32_t symbol) const {
  for (std::size_t i = 0; i < expert_count_; ++i) shared.gate.learn(entries_[i], parts_[i]);
  for (std::size_t r = 0; r < record_count_; ++r) {
    const DecisionRecord& record = records_[r];
    shared.mixer.learn(record.decision);
    const double bit = record.decision.bit ? 1.0 : 0.0;
    if (record.match_hit != kNoSymbol) shared.match_hits[record.match_hit].update(bit, kMatchHitRateMin);
    if (record.bigram != kNoSymbol) {
      BigramCorrection& bigram = shared.bigram_corrections.learn(record.bigram);
      bigram.count += 1.0;
      const double rate = std::max(1.0 / (bigram.count + 1.5), kBigramRateMin);
      bigram.value = bigram.value + rate * ((bit - record.decision.probability) * kBigramScale - bigram.value);
    }
  }
  shared.recent.add(symbol);
  shared.history.enter(buckets_, model_keys_, position);
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

void LanePrediction::share_toward(double common) {
  model_weight_ = (1.0 - kModelWeightFixedShare) * model_weight_ + kModelWeightFixedShare * common;
}

void LanePrediction::prepare_next(const SharedState& shared, std::size_t lane, std::uint64_t next_step,
                                  std::uint32_t symbol) {
  const History& history = shared.history;
  buckets_ = history.buckets_of(lane, next_step);
  if (view_.match_symbol == symbol && match_position_ + 1 < history.size()) {
    ++match_position_;
    ++match_length_;
    return;
  }
  match_position_ = history.find_match(buckets_[kOrderCount], history.position_of(lane, next_step));
  match_length_ = match_position_ == History::kNoPosition ? 0 : History::kMatchMin;
}

// ---- All lanes ----

AdaptivePredictor::AdaptivePredictor(std::span<const std::uint64_t> strip_sizes, std::uint32_t vocabulary_size,
                                     std::uint32_t symbol_count, const std::optional<SamplerSettings>& stated)
    : vocabulary_size_(vocabulary_size),
      stated_(stated),
      strip_sizes_(strip_sizes.begin(), strip_sizes.end()),
      samplers_(strip_sizes.size(), vocabulary_size, stated),
      shared_(strip_sizes, symbol_count),
      lanes_(strip_sizes.size()) {}

void AdaptivePredictor::reset(std::span<const std::uint64_t> strip_sizes) {
  strip_sizes_.assign(strip_sizes.begin(), strip_sizes.end());
  samplers_ = SamplerMixture(strip_sizes.size(), vocabulary_size_, stated_);
  shared_.reset(strip_sizes);
  lanes_.assign(strip_sizes.size(), LanePrediction());
}

Result<LanePrediction*> AdaptivePredictor::predict(std::size_t lane, std::uint64_t step, const float* logits,
                                                   PredictScratch& scratch) {
  TACIT_ASSIGN(const TopTokens top, samplers_.set(lane, step, logits, scratch.samplers, scratch.frequencies));
  lanes_[lane].predict(shared_, lane, step, top, scratch);
  return &lanes_[lane];
}

void AdaptivePredictor::finish(std::size_t lane, std::uint64_t step, std::uint32_t symbol,
                               const PredictScratch& scratch) {
  lanes_[lane].finish(symbol);
  samplers_.observe(lane, symbol, scratch.samplers);
  shared_.history.set(lane, step, symbol);
}

void AdaptivePredictor::learn_model_weight(std::uint64_t step) {
  double sum = 0;
  double count = 0;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step >= strip_sizes_[lane]) continue;
    sum = sum + lanes_[lane].model_weight();
    count = count + 1.0;
  }
  shared_.model_weight.update(sum / count, kModelWeightRateMin);
  shared_.model_weight.value = std::clamp(shared_.model_weight.value, kModelWeightMin, 1.0 - kModelWeightMin);
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step < strip_sizes_[lane]) lanes_[lane].share_toward(shared_.model_weight.value);
  }
}

// All lanes look for matches before any enters what the step has added, and none sees a symbol that another has yet to
// code: a position that is entered as a match is known one step later, when it can be found.
void AdaptivePredictor::learn(std::uint64_t step) {
  samplers_.learn(step);
  learn_model_weight(step);
  History& history = shared_.history;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step >= strip_sizes_[lane]) continue;
    const std::uint32_t position = history.position_of(lane, step);
    lanes_[lane].learn(shared_, position, history.symbol_at(position));
  }
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step + 1 >= strip_sizes_[lane]) continue;
    lanes_[lane].prepare_next(shared_, lane, step + 1, history.symbol_at(history.position_of(lane, step)));
  }
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step + 1 >= strip_sizes_[lane]) continue;
    history.enter_match(lanes_[lane].buckets()[kOrderCount], history.position_of(lane, step + 1));
  }
}

}  // namespace tacit
