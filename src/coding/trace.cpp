// SPDX-License-Identifier: MIT
#include "coding/trace.h"

#include <algorithm>

#include "numeric/double_math.h"

namespace tacit {
namespace {

std::array<std::string, std::tuple_size_v<ExpertShares>> make_expert_names() {
  std::array<std::string, std::tuple_size_v<ExpertShares>> names;
  names[0] = "model";
  for (std::size_t order = 0; order < kOrderCount; ++order) {
    const std::uint32_t length = History::kOrders[order];
    names[1 + order] = "context of " + std::to_string(length) + (length == 1 ? " token" : " tokens");
  }
  for (std::size_t context = 0; context < History::kModelContexts; ++context) {
    names[1 + kOrderCount + context] = "model context " + std::to_string(context + 1);
  }
  names[1 + kUnigramExpert] = "recent counts";
  names[1 + kMatchExpert] = "match";
  return names;
}

double probability_of(std::uint64_t size, std::uint64_t total) {
  return static_cast<double>(size) / static_cast<double>(total);
}

double bits_of(double probability) {
  static const double ln2 = numeric::log(2.0);
  return -numeric::log(probability) / ln2;
}

}  // namespace

const std::string& expert_name(std::size_t index) {
  static const auto names = make_expert_names();
  return names[index];
}

void Tracer::begin_plain(const Frequencies& frequencies) {
  trace_ = {};
  trace_.experts[0] = 1;
  trace_.samplers[0] = 1;
  likeliest_count_ = 0;
  for (std::uint32_t symbol = 0; symbol < frequencies.symbol_count(); ++symbol) {
    offer(symbol, probability_of(frequencies[symbol], frequencies.total()));
  }
}

// Goes through the decisions with a copy, as if every bit were 0.
Status Tracer::begin(const LanePrediction& prediction, const SamplerShares& samplers, const float* logits,
                     Frequencies& base) {
  TACIT_TRY(plain_.set_softmax(logits));
  trace_ = {};
  trace_.coding = Coding::kEscape;
  trace_.model_weight = static_cast<float>(prediction.model_weight());
  std::transform(samplers.begin(), samplers.end(), trace_.samplers.begin(),
                 [](double share) { return static_cast<float>(share); });
  rank_ = 0;
  likeliest_count_ = 0;
  LanePrediction supposed = prediction;
  double left = 1;
  while (supposed.has_decision()) {
    const double one = probability_of(supposed.bit_probability(), kDecisionTotal);
    if (supposed.ranked_symbol() != kNoSymbol) {
      offer(supposed.ranked_symbol(), left * one);
    } else {
      LanePrediction one_of_them = supposed;
      one_of_them.update(true);
      offer_left(one_of_them, left * one);
    }
    supposed.update(false);
    left *= 1.0 - one;
  }
  offer_left(supposed, left);
  base.restore();
  return {};
}

void Tracer::decided(const LanePrediction& prediction, bool bit) {
  const double probability = probability_of(prediction.bit_probability(), kDecisionTotal);
  trace_.probability *= bit ? probability : 1.0 - probability;
  const bool is_ranked = prediction.ranked_symbol() != kNoSymbol;
  if (bit) {
    trace_.coding =
        is_ranked ? static_cast<Coding>(static_cast<std::size_t>(Coding::kRank1) + rank_) : Coding::kCandidate;
  }
  rank_ += is_ranked ? 1 : 0;
}

void Tracer::coded(const Interval& interval) { trace_.probability *= probability_of(interval.size, interval.total); }

SymbolTrace Tracer::finish_plain(std::uint32_t symbol, const Frequencies& frequencies) {
  take_symbol(symbol, frequencies);
  return trace_;
}

SymbolTrace Tracer::finish(std::uint32_t symbol, const LanePrediction& prediction) {
  take_symbol(symbol, plain_);
  const ExpertShares shares = prediction.shares();
  std::transform(shares.begin(), shares.end(), trace_.experts.begin(),
                 [](double share) { return static_cast<float>(share); });
  return trace_;
}

void Tracer::take_symbol(std::uint32_t symbol, const Frequencies& plain) {
  trace_.symbol = symbol;
  trace_.bits = bits_of(trace_.probability);
  trace_.model_probability = probability_of(plain[symbol], plain.total());
  for (std::size_t i = 0; i < likeliest_count_ && trace_.alternative_count < kTracedAlternatives; ++i) {
    if (likeliest_[i].symbol == symbol) continue;
    trace_.alternatives[trace_.alternative_count++] = likeliest_[i];
  }
}

void Tracer::offer(std::uint32_t symbol, double probability) {
  const TracedAlternative offered{symbol, static_cast<float>(probability)};
  if (likeliest_count_ == likeliest_.size()) {
    if (offered.probability <= likeliest_.back().probability) return;
    --likeliest_count_;
  }
  std::size_t at = likeliest_count_++;
  for (; at > 0 && likeliest_[at - 1].probability < offered.probability; --at) likeliest_[at] = likeliest_[at - 1];
  likeliest_[at] = offered;
}

// `probability`: of all symbols that are left.
void Tracer::offer_left(const LanePrediction& prediction, double probability) {
  if (likeliest_count_ == likeliest_.size() && probability <= likeliest_.back().probability) return;
  const double unit = probability / static_cast<double>(prediction.total());
  prediction.for_each_left([&](std::uint32_t symbol, std::uint64_t frequency) {
    if (frequency > 0) offer(symbol, unit * static_cast<double>(frequency));
  });
}

}  // namespace tacit
