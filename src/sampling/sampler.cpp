// SPDX-License-Identifier: MIT
#include "sampling/sampler.h"

#include <algorithm>
#include <cassert>

#include "numeric/fast_log.h"
#include "numeric/float_formats.h"

namespace tacit {
namespace {

// The scale of logits at a temperature. Below 1e-30 it would be infinite.
float scale_of(float temperature) { return 1.0f / std::max(temperature, 1e-30f); }

// A range of ranks that the filters so far have kept.
struct RankSpan {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint64_t total = 0;  // of the weights in it
};

class Filters {
 public:
  Filters(const std::uint32_t* weights, std::uint64_t total, Ranking& ranking, std::uint32_t ranks_max)
      : weights_(weights), ranking_(ranking), ranks_max_(ranks_max), span_{0, ranking.count(), total} {}

  [[nodiscard]] const RankSpan& span() const { return span_; }

  void top_k(std::uint32_t k) {
    if (k == 0 || k >= span_.end - span_.begin) return;
    shrink(span_.begin, span_.begin + k);
  }

  void top_p(double p) {
    if (p >= 1) return;
    const double enough = p * static_cast<double>(span_.total);
    std::uint64_t sum = 0;
    std::uint32_t end = span_.begin;
    do {
      sum += weight(end++);
    } while (end < std::min(span_.end, ranks_max_) && static_cast<double>(sum) < enough);
    span_.end = end;
    span_.total = sum;
  }

  void min_p(double p) {
    if (p <= 0) return;
    const double lowest = p * static_cast<double>(weight(span_.begin));
    std::uint64_t sum = 0;
    std::uint32_t end = span_.begin;
    do {
      sum += weight(end++);
    } while (end < span_.end && static_cast<double>(weight(end)) >= lowest);
    span_.end = end;
    span_.total = sum;
  }

  // The kept tokens are neighbours: the span grows from where the information crosses the entropy, on the nearer side.
  void typical_p(double p) {
    if (p >= 1) return;
    const double entropy = entropy_of_span();
    std::uint32_t end = span_.begin;
    while (end < span_.end && information(end) < entropy) ++end;
    std::uint32_t begin = end;
    const double enough = p * static_cast<double>(span_.total);
    std::uint64_t sum = 0;
    do {
      const bool can_fall = end < span_.end;
      const bool falls = begin == span_.begin ||
                         (can_fall && information(end) - entropy < entropy - information(begin - 1));
      sum += weight(falls ? end++ : --begin);
    } while (static_cast<double>(sum) < enough && (begin > span_.begin || end < span_.end));
    span_ = {begin, end, sum};
  }

 private:
  std::uint32_t weight(std::uint32_t rank) { return weights_[ranking_.token(rank)]; }

  void shrink(std::uint32_t begin, std::uint32_t end) {
    span_ = {begin, end, 0};
    for (std::uint32_t rank = begin; rank < end; ++rank) span_.total += weight(rank);
  }

  // -ln of the probability, in the span.
  double information(std::uint32_t rank) {
    const numeric::FastLog& ln = numeric::FastLog::instance();
    return ln(static_cast<double>(span_.total)) - ln(static_cast<double>(weight(rank)));
  }

  double entropy_of_span() {
    double sum = 0;
    for (std::uint32_t rank = span_.begin; rank < span_.end; ++rank) {
      sum = sum + static_cast<double>(weight(rank)) * information(rank);
    }
    return sum / static_cast<double>(span_.total);
  }

  const std::uint32_t* weights_;
  Ranking& ranking_;
  std::uint32_t ranks_max_;  // beyond them no filter that counts probability looks
  RankSpan span_;
};

}  // namespace

void Ranking::reset(const std::uint32_t* weights, std::uint32_t count) {
  weights_ = weights;
  count_ = count;
  bound_ = kernels::kFrequencyOne << 1;
  ranked_.clear();
  heap_.clear();
}

std::uint32_t Ranking::token(std::uint32_t rank) {
  assert(rank < count_);
  while (ranked_.size() <= rank) {
    if (heap_.empty()) gather();
    std::pop_heap(heap_.begin(), heap_.end());
    ranked_.push_back(~static_cast<std::uint32_t>(heap_.back()));
    heap_.pop_back();
  }
  return ranked_[rank];
}

// Takes the next lower weights into the heap, a factor of 16 at a time: mostly a few are all that is ever asked for.
void Ranking::gather() {
  constexpr int kBoundShift = 4;
  tokens_.resize(count_);
  heap_.clear();
  while (heap_.empty()) {
    const std::uint32_t above = bound_;
    bound_ = above >> kBoundShift;
    const std::uint32_t size = kernels_->collect(weights_, count_, bound_, above - 1, tokens_.data());
    for (std::uint32_t i = 0; i < size; ++i) {
      heap_.push_back(std::uint64_t{weights_[tokens_[i]]} << 32 | static_cast<std::uint32_t>(~tokens_[i]));
    }
  }
  std::make_heap(heap_.begin(), heap_.end());
}

Kept keep(const SamplerSettings& settings, const std::uint32_t* weights, std::uint64_t total,
          const std::uint32_t* plain, std::uint64_t plain_total, Ranking& ranking, std::uint32_t ranks_max) {
  const bool temperature_last = settings.order == SamplerSettings::Order::kTemperatureLast;
  Filters filters(temperature_last ? plain : weights, temperature_last ? plain_total : total, ranking,
                  ranks_max);
  filters.top_k(settings.top_k);
  if (temperature_last) filters.typical_p(settings.typical_p);
  filters.top_p(settings.top_p);
  filters.min_p(settings.min_p);
  if (!temperature_last) filters.typical_p(settings.typical_p);
  const RankSpan& span = filters.span();
  if (span.begin == 0 && span.end == ranking.count()) return {0, kernels::kFrequencyOne, total};
  Kept kept{weights[ranking.token(span.end - 1)], weights[ranking.token(span.begin)], span.total};
  if (!temperature_last) return kept;
  kept.total = 0;
  for (std::uint32_t rank = span.begin; rank < span.end; ++rank) kept.total += weights[ranking.token(rank)];
  return kept;
}

void RecentTokens::add(std::uint32_t token) {
  if (token >= counts_.size()) return;  // a byte symbol
  if (window_ > 0 && past_.size() >= window_) --counts_[past_[past_.size() - window_]];
  past_.push_back(token);
  ++counts_[token];
}

void RecentTokens::forget() {
  past_.clear();
  std::fill(counts_.begin(), counts_.end(), 0);
}

void RecentTokens::penalize(const SamplerSettings& settings, float* logits) const {
  for (std::uint32_t token = 0; token < counts_.size(); ++token) {
    if (counts_[token] == 0) continue;
    const float logit = logits[token] > 0 ? logits[token] / settings.repetition_penalty
                                          : logits[token] * settings.repetition_penalty;
    logits[token] =
        logit - (static_cast<float>(counts_[token]) * settings.frequency_penalty + settings.presence_penalty);
  }
}

SampledDistribution::SampledDistribution(const SamplerSettings& settings, std::uint32_t vocabulary_size,
                                         const kernels::DistributionKernels& kernels)
    : settings_(settings),
      kernels_(&kernels),
      logits_(settings.has_penalties() ? vocabulary_size : 0),
      plain_(settings.order == SamplerSettings::Order::kTemperatureLast ? vocabulary_size : 0),
      weights_(vocabulary_size),
      ranking_(kernels) {}

Status SampledDistribution::set(const float* logits, const RecentTokens* recent) {
  const auto count = static_cast<std::uint32_t>(weights_.size());
  if (settings_.has_penalties() && recent != nullptr) {
    std::copy(logits, logits + count, logits_.begin());
    recent->penalize(settings_, logits_.data());
    logits = logits_.data();
  }
  const std::uint64_t total = kernels_->frequencies(logits, count, scale_of(settings_.temperature), weights_.data());
  if (total == 0) return model_error("the model gave a logit that is infinite or no number");
  std::uint64_t plain_total = 0;
  if (!plain_.empty()) plain_total = kernels_->frequencies(logits, count, 1.0f, plain_.data());
  ranking_.reset(plain_.empty() ? weights_.data() : plain_.data(), count);
  kept_ = keep(settings_, weights_.data(), total, plain_.data(), plain_total, ranking_, count);
  if (settings_.temperature == 0) kept_ = {kernels::kFrequencyOne, kernels::kFrequencyOne, kernels::kFrequencyOne};
  return {};
}

std::uint32_t SampledDistribution::most_likely() { return ranking_.token(0); }

Sampler::Sampler(const SamplerSettings& settings, std::uint64_t seed, std::vector<bool> excluded,
                 const kernels::DistributionKernels& kernels)
    : state_(seed),
      excluded_(std::move(excluded)),
      logits_(excluded_.size()),
      distribution_(settings, static_cast<std::uint32_t>(excluded_.size()), kernels),
      recent_(static_cast<std::uint32_t>(excluded_.size()), settings.penalty_window) {}

Result<Sampler> Sampler::create(const SamplerSettings& settings, std::uint64_t seed, std::vector<bool> excluded,
                                const kernels::DistributionKernels& kernels) {
  TACIT_TRY(settings.check());
  if (std::find(excluded.begin(), excluded.end(), false) == excluded.end()) return usage_error("no token may be drawn");
  return Sampler(settings, seed, std::move(excluded), kernels);
}

Result<TokenId> Sampler::draw(const float* logits) {
  // What may not be drawn is less likely than all else: its weight is one unit, and none where a token is chosen.
  constexpr float kNothing = -1e30f;
  for (std::size_t i = 0; i < excluded_.size(); ++i) {
    logits_[i] = excluded_[i] && numeric::is_finite(logits[i]) ? kNothing : logits[i];
  }
  TACIT_TRY(distribution_.set(logits_.data(), &recent_));
  const auto is_kept = [&](std::uint32_t token) {
    const std::uint32_t weight = distribution_.weights()[token];
    return !excluded_[token] && weight >= distribution_.kept().lowest && weight <= distribution_.kept().highest;
  };
  std::uint64_t total = 0;
  const auto count = static_cast<std::uint32_t>(excluded_.size());
  for (std::uint32_t token = 0; token < count; ++token) total += is_kept(token) ? distribution_.weights()[token] : 0;
  std::uint32_t drawn = distribution_.most_likely();
  if (distribution_.settings().temperature > 0 && total > 0) {
    // total < 2^51: the high half of a 128-bit product picks a value below it, even to within 2^-13.
    auto value = static_cast<std::uint64_t>((static_cast<unsigned __int128>(next_random()) * total) >> 64);
    for (drawn = 0; !is_kept(drawn) || value >= distribution_.weights()[drawn]; ++drawn) {
      value -= is_kept(drawn) ? distribution_.weights()[drawn] : 0;
    }
  }
  recent_.add(drawn);
  return static_cast<TokenId>(drawn);
}

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
std::uint64_t Sampler::next_random() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace tacit
