// SPDX-License-Identifier: MIT
#include "predict/adaptive.h"

#include <algorithm>

#include "numeric/exp.h"
#include "numeric/fast_log.h"

namespace tacit {
namespace {

// Buckets of what the weights depend on. A change of any of these is a change of the contract.
constexpr std::uint32_t kConfidences = 7;
constexpr std::uint32_t kTotalBuckets = 10;
constexpr std::uint32_t kDistinctMax = 5;
constexpr std::uint32_t kMatchHitLengths = 32;
constexpr std::uint32_t kRuns = 8;
constexpr std::uint32_t kRunMax = 15;
constexpr std::uint32_t kSymbolBuckets = 8192;
constexpr std::array<std::uint32_t, 9> kMatchLengths = {16, 23, 32, 46, 64, 91, 128, 182, 256};
constexpr std::uint32_t kMatchLengthBuckets = 16 + kMatchLengths.size();

// How fast the weights follow.
constexpr double kShareRateMin = 0.008;
constexpr double kShareMin = 0.0005;
constexpr double kMatchHitRateMin = 0.005;
constexpr double kMixerRate = 0.003;

constexpr double kOrderShareStart = 0.3;
constexpr double kMatchRightStart = 0.8;
constexpr double kMatchWrongStart = 0.1;
constexpr double kGuessMin = 1e-6;
constexpr double kLeftMin = 1e-9;
constexpr double kEvidenceScale = 0.5;  // of the inputs from counts, against the model's
constexpr double kBias = 0.3;
constexpr double kAloneDrift = 0.02;     // of a lane's belief, each step, towards that of all lanes
constexpr double kAloneRateMin = 0.01;   // of that one
constexpr double kAloneMin = 1e-4;
// Totals stay below what the range coder takes (2^51).
constexpr double kRestMax = static_cast<double>(std::uint64_t{1} << 50);

double stretch(double p) {
  const numeric::FastLog& ln = numeric::FastLog::instance();
  p = std::clamp(p, 1e-7, 1.0 - 1e-7);
  return ln(p) - ln(1.0 - p);
}

double squash(double x) {
  const double clamped = std::clamp(x, -30.0, 30.0);
  return 1.0 / (1.0 + static_cast<double>(numeric::exp(static_cast<float>(-clamped))));
}

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

std::uint32_t confidence_bucket(double top) {
  const auto fifth = static_cast<std::uint32_t>(top * 5.0);
  return std::min<std::uint32_t>(fifth + (top > 0.9 ? 1 : 0) + (top > 0.97 ? 1 : 0), kConfidences - 1);
}

// The belief in one of two, after what happened with the probabilities that they gave it.
double weighed(double belief, double p, double other) {
  const double own = belief * p;
  return own / (own + (1.0 - belief) * other);
}

void follow(LearntShare& share, double target, double rate_min) {
  share.count += 1.0;
  const double rate = std::max(1.0 / share.count, rate_min);
  share.value = share.value + rate * (target - share.value);
}

}  // namespace

AdaptiveWeights::AdaptiveWeights()
    : order_shares(kOrderCount * kTotalBuckets * (kDistinctMax + 1) * kConfidences * 2, {kOrderShareStart}),
      match_shares(kMatchLengthBuckets * 2 * kConfidences, {kOrderShareStart}),
      match_hits(kMatchHitLengths * 2 * kGuessesMax),
      mixers_by_evidence(kGuessesMax * (kOrderCount + 1) * 3 * (kOrderCount + 1)),
      mixers_by_confidence(kGuessesMax * kConfidences * kRuns),
      mixers_by_symbol(kGuessesMax * kSymbolBuckets) {
  for (std::size_t i = 0; i < match_hits.size(); ++i) {
    match_hits[i].value = i / kGuessesMax % 2 == 1 ? kMatchRightStart : kMatchWrongStart;
  }
  for (Mixer& mixer : mixers_by_evidence) mixer[0] = 1.0;
  alone.value = kAloneStart;
}

std::size_t LanePrediction::candidate_of(std::uint32_t symbol) {
  const std::size_t index = find(symbol);
  if (index < candidates_.size()) return index;
  candidate_symbols_.push_back(symbol);
  Candidate& added = candidates_.emplace_back();
  added.symbol = symbol;
  added.model = static_cast<double>((*base_)[symbol]) / static_cast<double>(base_total_);
  return index;
}

std::size_t LanePrediction::find(std::uint32_t symbol) const {
  return static_cast<std::size_t>(std::find(candidate_symbols_.begin(), candidate_symbols_.end(), symbol) -
                                  candidate_symbols_.begin());
}

void LanePrediction::predict(const History& history, const AdaptiveWeights& weights, const History::Buckets& buckets,
                             std::uint32_t place, std::uint32_t previous, std::uint32_t top, Frequencies& base) {
  weights_ = &weights;
  base_ = &base;
  base_total_ = base.total();
  previous_ = previous;
  candidates_.clear();
  candidate_symbols_.clear();
  guess_records_.clear();
  top_symbol_ = top;
  confidence_ = confidence_bucket(candidates_[candidate_of(top_symbol_)].model);
  gather(history, buckets, place);
  choose_shares(weights);
  mix();
  choose_guesses();
  mixed_left_ = 1;
  model_left_ = 1;
  totals_left_ = totals_;
  prepare_guess();
}

// Counts what followed each context, until a context that has never occurred: longer ones have not either.
void LanePrediction::gather(const History& history, const History::Buckets& buckets, std::uint32_t place) {
  order_count_ = 0;
  for (std::size_t order = 0; order < kOrderCount; ++order) {
    std::uint32_t total = 0;
    std::uint32_t distinct = 0;
    history.for_each_place(order, buckets[order], place, [&](std::uint32_t symbol) {
      std::uint16_t& count = candidates_[candidate_of(symbol)].counts[order];
      if (count == 0) ++distinct;
      ++count;
      ++total;
    });
    if (total == 0) break;
    totals_[order] = total;
    distinct_[order] = distinct;
    std::uint16_t best_count = 0;
    for (const Candidate& candidate : candidates_) {
      if (candidate.counts[order] <= best_count) continue;
      best_count = candidate.counts[order];
      best_[order] = candidate.symbol;
    }
    order_count_ = order + 1;
  }
  match_symbol_ = match_place_ == History::kNowhere ? kNone : history.symbol_at(match_place_);
  if (match_symbol_ != kNone) candidate_of(match_symbol_);
}

void LanePrediction::choose_shares(const AdaptiveWeights& weights) {
  model_share_ = 1;
  for (std::size_t order = 0; order < order_count_; ++order) {
    std::uint32_t index =
        static_cast<std::uint32_t>(order) * kTotalBuckets + total_bucket(static_cast<std::uint32_t>(totals_[order]));
    index = index * (kDistinctMax + 1) + std::min(distinct_[order], kDistinctMax);
    index = (index * kConfidences + confidence_) * 2 + (best_[order] == top_symbol_ ? 1 : 0);
    share_index_[order] = index;
    shares_[order] = weights.order_shares[index].value;
    model_share_ = model_share_ * (1.0 - shares_[order]);
  }
  if (match_symbol_ == kNone) return;
  match_index_ =
      (match_length_bucket(match_length_) * 2 + (match_symbol_ == top_symbol_ ? 1 : 0)) * kConfidences + confidence_;
  match_share_ = weights.match_shares[match_index_].value;
  model_share_ = model_share_ * (1.0 - match_share_);
}

// Each order takes its share from what those below it say, the match from all of them.
void LanePrediction::mix() {
  for (Candidate& candidate : candidates_) {
    double evidence = 0;
    for (std::size_t order = 0; order < order_count_; ++order) {
      const double p = static_cast<double>(candidate.counts[order]) / totals_[order];
      evidence = shares_[order] * p + (1.0 - shares_[order]) * evidence;
    }
    if (match_symbol_ != kNone) {
      evidence = (candidate.symbol == match_symbol_ ? match_share_ : 0.0) + (1.0 - match_share_) * evidence;
    }
    candidate.evidence = evidence;
    candidate.mixed = evidence + model_share_ * candidate.model;
  }
}

void LanePrediction::choose_guesses() {
  guess_ = 0;
  guess_count_ = 0;
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.mixed > b.mixed || (a.mixed == b.mixed && a.symbol < b.symbol);
  };
  while (guess_count_ < std::min(candidates_.size(), kGuessesMax)) {
    std::size_t best = candidates_.size();
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (!is_guess(i) && (best == candidates_.size() || better(candidates_[i], candidates_[best]))) best = i;
    }
    guesses_[guess_count_++] = best;
  }
}

bool LanePrediction::is_guess(std::size_t candidate) const {
  const auto end = guesses_.begin() + static_cast<std::ptrdiff_t>(guess_count_);
  return std::find(guesses_.begin(), end, candidate) != end;
}

void LanePrediction::prepare_guess() {
  if (!has_guess()) return prepare_rest();
  const Candidate& candidate = candidates_[guesses_[guess_]];
  const auto k = static_cast<std::uint32_t>(guess_);
  GuessRecord& record = guess_records_.emplace_back();
  record.inputs.fill(0);
  record.inputs[0] = stretch(candidate.mixed / mixed_left_);
  record.inputs[1] = stretch(candidate.model / model_left_);
  record.inputs[2] = kBias;
  std::uint32_t longest = 0;
  for (std::size_t order = 0; order < order_count_; ++order) {
    const std::uint32_t count = candidate.counts[order];
    if (count > 0) longest = static_cast<std::uint32_t>(order) + 1;
    if (totals_left_[order] == 0) continue;
    record.inputs[3 + order] = kEvidenceScale * stretched_count(count, static_cast<std::uint32_t>(totals_left_[order]));
  }
  std::uint32_t match_state = 0;
  record.match_hit = kNone;
  if (match_symbol_ != kNone) {
    const std::uint32_t is_match = candidate.symbol == match_symbol_ ? 1 : 0;
    match_state = 2 - is_match;
    record.match_hit =
        (std::min(match_length_, kMatchHitLengths - 1) * 2 + is_match) * static_cast<std::uint32_t>(kGuessesMax) + k;
    record.inputs[3 + kOrderCount] = kEvidenceScale * stretch(weights_->match_hits[record.match_hit].value);
  }
  record.by_evidence =
      ((k * (kOrderCount + 1) + static_cast<std::uint32_t>(order_count_)) * 3 + match_state) * (kOrderCount + 1) +
      longest;
  record.by_confidence = (k * kConfidences + confidence_) * kRuns + std::min(run_, kRuns - 1);
  record.by_symbol = k * kSymbolBuckets + previous_ % kSymbolBuckets;
  const AdaptiveWeights::Mixer& a = weights_->mixers_by_evidence[record.by_evidence];
  const AdaptiveWeights::Mixer& b = weights_->mixers_by_confidence[record.by_confidence];
  const AdaptiveWeights::Mixer& c = weights_->mixers_by_symbol[record.by_symbol];
  double sum = 0;
  for (std::size_t i = 0; i < kMixerInputs; ++i) sum = sum + ((a[i] + b[i]) + c[i]) * record.inputs[i];
  record.probability = std::clamp(squash(sum), kGuessMin, 1.0 - kGuessMin);
  record.model_probability = std::clamp(candidate.model / model_left_, kGuessMin, 1.0 - kGuessMin);
  const double probability = alone_ * record.model_probability + (1.0 - alone_) * record.probability;
  guess_probability_ = static_cast<std::uint64_t>(probability * static_cast<double>(kGuessTotal));
}

void LanePrediction::answer(bool right) {
  GuessRecord& record = guess_records_.back();
  record.right = right;
  const double model = right ? record.model_probability : 1.0 - record.model_probability;
  const double experts = right ? record.probability : 1.0 - record.probability;
  alone_ = weighed(alone_, model, experts);
  const Candidate& candidate = candidates_[guesses_[guess_]];
  ++guess_;
  if (right) return;
  mixed_left_ = std::max(mixed_left_ - candidate.mixed, kLeftMin);
  model_left_ = std::max(model_left_ - candidate.model, kLeftMin);
  for (std::size_t order = 0; order < order_count_; ++order) totals_left_[order] -= candidate.counts[order];
  prepare_guess();
}

// What is left: the candidates not asked for, with what the experts give them, then all other symbols as the model has
// them. Candidates leave the model's frequencies, so that no symbol has two intervals.
void LanePrediction::prepare_rest() {
  const double unit = static_cast<double>(base_total_) / std::max(model_share_, 1e-30);
  double evidence_sum = 0;
  rest_candidates_.clear();
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const std::uint64_t frequency = base_->take(candidates_[i].symbol);
    if (is_guess(i)) continue;
    evidence_sum = evidence_sum + candidates_[i].evidence * unit;
    rest_candidates_.push_back({candidates_[i].symbol, frequency});
  }
  const double room = std::max(kRestMax - static_cast<double>(base_total_), 0.0);  // a flat 2^20 leaves none
  const double scale = evidence_sum > room ? room / evidence_sum : 1.0;
  rest_unit_ = unit * scale;
  rest_evidence_ = evidence_sum * scale;
  std::uint64_t model_total = base_->total();
  for (const RestCandidate& candidate : rest_candidates_) model_total += candidate.frequency;
  rest_model_ = std::max(static_cast<double>(model_total), 1.0);
  // The mixture of the model alone and of the model with the evidence is the model with less of it.
  const double experts = (1.0 - alone_) * rest_model_;
  const double share = experts / (alone_ * (rest_model_ + rest_evidence_) + experts);
  rest_candidates_total_ = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (is_guess(i)) continue;
    RestCandidate& candidate = rest_candidates_[next++];
    candidate.frequency += static_cast<std::uint64_t>(candidates_[i].evidence * rest_unit_ * share);
    rest_candidates_total_ += candidate.frequency;
  }
}

// The symbol is none of the guesses: what the model alone and what all together gave it.
void LanePrediction::weigh_rest(std::size_t candidate, std::uint32_t symbol) {
  const auto frequency = static_cast<double>((*base_)[symbol]);
  const double evidence = candidate < candidates_.size() ? candidates_[candidate].evidence * rest_unit_ : 0.0;
  alone_ = weighed(alone_, frequency / rest_model_, (frequency + evidence) / (rest_model_ + rest_evidence_));
}

Interval LanePrediction::interval_of(std::uint32_t symbol) const {
  std::uint64_t low = 0;
  for (const RestCandidate& candidate : rest_candidates_) {
    if (candidate.symbol == symbol) return {low, candidate.frequency, total()};
    low += candidate.frequency;
  }
  const Interval interval = base_->interval_of(symbol);
  return {low + interval.low, interval.size, total()};
}

std::uint32_t LanePrediction::symbol_at(std::uint64_t value, Interval& interval) const {
  std::uint64_t low = 0;
  for (const RestCandidate& candidate : rest_candidates_) {
    if (value < low + candidate.frequency) {
      interval = {low, candidate.frequency, total()};
      return candidate.symbol;
    }
    low += candidate.frequency;
  }
  const std::uint32_t symbol = base_->symbol_at(value - low, interval);
  interval = {low + interval.low, interval.size, total()};
  return symbol;
}

// Each expert's part in the probability that the symbol got, from the model upwards (expectation maximisation).
void LanePrediction::finish(std::uint32_t symbol) {
  base_->restore();
  const std::size_t index = find(symbol);
  if (guess_records_.empty() || !guess_records_.back().right) weigh_rest(index, symbol);
  const bool known = index < candidates_.size();
  double p =
      known ? candidates_[index].model : static_cast<double>((*base_)[symbol]) / static_cast<double>(base_total_);
  for (std::size_t order = 0; order < order_count_; ++order) {
    const double count = known ? static_cast<double>(candidates_[index].counts[order]) : 0.0;
    const double own = shares_[order] * (count / totals_[order]);
    p = own + (1.0 - shares_[order]) * p;
    credits_[order] = own / p;
  }
  if (match_symbol_ != kNone) {
    const double own = match_symbol_ == symbol ? match_share_ : 0.0;
    match_credit_ = own / (own + (1.0 - match_share_) * p);
  }
  if (order_count_ == 0) {
    run_ /= 2;
  } else {
    run_ = best_[order_count_ - 1] == symbol ? std::min(run_ + 1, kRunMax) : run_ / 4;
  }
}

void LanePrediction::learn(AdaptiveWeights& weights) const {
  const auto learn_share = [](LearntShare& share, double credit) {
    follow(share, credit, kShareRateMin);
    share.value = std::clamp(share.value, kShareMin, 1.0 - kShareMin);
  };
  for (std::size_t order = 0; order < order_count_; ++order) {
    learn_share(weights.order_shares[share_index_[order]], credits_[order]);
  }
  if (match_symbol_ != kNone) learn_share(weights.match_shares[match_index_], match_credit_);
  for (const GuessRecord& record : guess_records_) {
    const double error = kMixerRate * ((record.right ? 1.0 : 0.0) - record.probability);
    AdaptiveWeights::Mixer& a = weights.mixers_by_evidence[record.by_evidence];
    AdaptiveWeights::Mixer& b = weights.mixers_by_confidence[record.by_confidence];
    AdaptiveWeights::Mixer& c = weights.mixers_by_symbol[record.by_symbol];
    for (std::size_t i = 0; i < kMixerInputs; ++i) {
      const double change = error * record.inputs[i];
      a[i] = a[i] + change;
      b[i] = b[i] + change;
      c[i] = c[i] + change;
    }
    if (record.match_hit != kNone)
      follow(weights.match_hits[record.match_hit], record.right ? 1.0 : 0.0, kMatchHitRateMin);
  }
}

void LanePrediction::drift(double common) { alone_ = (1.0 - kAloneDrift) * alone_ + kAloneDrift * common; }

void LanePrediction::follow_match(const History& history, std::uint32_t symbol, const History::Buckets& buckets,
                                  std::uint32_t place) {
  if (match_symbol_ == symbol && match_place_ + 1 < history.size()) {
    ++match_place_;
    ++match_length_;
    return;
  }
  match_place_ = history.find_match(buckets[kOrderCount], place);
  match_length_ = match_place_ == History::kNowhere ? 0 : History::kMatchMin;
}

AdaptivePredictor::AdaptivePredictor(std::span<const std::uint64_t> strip_sizes, std::uint32_t vocabulary_size,
                                     const std::optional<SamplerSettings>& stated)
    : strip_sizes_(strip_sizes.begin(), strip_sizes.end()),
      history_(strip_sizes),
      samplers_(strip_sizes.size(), vocabulary_size, stated),
      lanes_(strip_sizes.size()) {
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) buckets_.push_back(history_.buckets_of(lane, 0));
}

Result<LanePrediction*> AdaptivePredictor::predict(std::size_t lane, std::uint64_t step, const float* logits,
                                                   SamplerExperts& experts, Frequencies& base) {
  TACIT_ASSIGN(const std::uint32_t top, samplers_.set(lane, step, logits, experts, base));
  const std::uint32_t place = history_.place_of(lane, step);
  const std::uint32_t previous = step == 0 ? 0 : history_.symbol_at(place - 1);
  lanes_[lane].predict(history_, weights_, buckets_[lane], place, previous, top, base);
  return &lanes_[lane];
}

void AdaptivePredictor::finish(std::size_t lane, std::uint64_t step, std::uint32_t symbol,
                               const SamplerExperts& experts) {
  lanes_[lane].finish(symbol);
  samplers_.observe(lane, symbol, experts);
  history_.set(lane, step, symbol);
}

void AdaptivePredictor::learn_alone(std::uint64_t step) {
  double sum = 0;
  double count = 0;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step >= strip_sizes_[lane]) continue;
    sum = sum + lanes_[lane].alone();
    count = count + 1.0;
  }
  follow(weights_.alone, sum / count, kAloneRateMin);
  weights_.alone.value = std::clamp(weights_.alone.value, kAloneMin, 1.0 - kAloneMin);
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step < strip_sizes_[lane]) lanes_[lane].drift(weights_.alone.value);
  }
}

// All lanes look for matches before any enters what the step has added, and none sees a symbol that another has yet to
// code: a place that is entered as a match is known one step later, when it can be found.
void AdaptivePredictor::learn(std::uint64_t step) {
  samplers_.learn(step);
  learn_alone(step);
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step >= strip_sizes_[lane]) continue;
    lanes_[lane].learn(weights_);
    history_.enter(buckets_[lane], history_.place_of(lane, step));
  }
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step + 1 >= strip_sizes_[lane]) continue;
    const std::uint32_t place = history_.place_of(lane, step + 1);
    buckets_[lane] = history_.buckets_of(lane, step + 1);
    lanes_[lane].follow_match(history_, history_.symbol_at(place - 1), buckets_[lane], place);
  }
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (step + 1 >= strip_sizes_[lane]) continue;
    history_.enter_match(buckets_[lane][kOrderCount], history_.place_of(lane, step + 1));
  }
}

}  // namespace tacit
