// SPDX-License-Identifier: MIT
#include "codec/lockstep.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/limits.h"

namespace tacit {
namespace {

// Steps that encoding runs through the model at once: with few lanes more, so that there are rows enough.
constexpr std::uint32_t kChunkMax = 64;
constexpr std::uint32_t kChunkOfManyLanes = 16;
constexpr std::size_t kManyLanes = 4;
// Steps between two looks of the observer, and between two meetings of the threads where lanes learn nothing from each
// other: each meeting costs a wait for the slowest.
constexpr std::uint32_t kStretch = 64;

// The two directions differ in who knows the next symbol. A distribution is Frequencies or a LanePrediction.
struct EncodePort {
  static constexpr ErrorCode kExcess = ErrorCode::kUsage;  // the caller asked for too large a window, too many lanes
  std::span<const TokenId> symbols;
  RangeEncoder encoder;

  [[nodiscard]] std::uint64_t symbol_count() const { return symbols.size(); }
  [[nodiscard]] std::uint64_t code_bytes() const { return encoder.byte_count(); }

  bool code_answer(std::uint64_t step, const LanePrediction& prediction) {
    const bool yes = prediction.answer_for(static_cast<std::uint32_t>(symbols[step]));
    const std::uint64_t probability = prediction.yes_probability();
    encoder.encode(yes ? 0 : probability, yes ? probability : kQuestionTotal - probability, kQuestionTotal);
    return yes;
  }
  void found(std::uint32_t) {}
  template <class Distribution>
  Result<Interval> code(std::uint64_t step, const Distribution& distribution) {
    const Interval interval = distribution.interval_of(static_cast<std::uint32_t>(symbols[step]));
    encoder.encode(interval.low, interval.size, interval.total);
    return interval;
  }
};

struct DecodePort {
  static constexpr ErrorCode kExcess = ErrorCode::kDamaged;  // the archive asks for it, and no encoder wrote that
  RangeDecoder decoder;
  std::uint64_t count;
  std::vector<TokenId> symbols;

  [[nodiscard]] std::uint64_t symbol_count() const { return count; }
  [[nodiscard]] std::uint64_t code_bytes() const { return 0; }

  bool code_answer(std::uint64_t, const LanePrediction& prediction) {
    const std::uint64_t probability = prediction.yes_probability();
    const bool yes = decoder.value(kQuestionTotal) < probability;
    decoder.consume(yes ? 0 : probability, yes ? probability : kQuestionTotal - probability, kQuestionTotal);
    return yes;
  }
  void found(std::uint32_t symbol) { symbols.push_back(static_cast<TokenId>(symbol)); }
  template <class Distribution>
  Result<Interval> code(std::uint64_t, const Distribution& distribution) {
    // Where every symbol is a candidate a damaged stream may say that it is none of them.
    if (distribution.total() == 0) return damaged("code stream: found a choice among no symbols, expected one at least");
    Interval interval;
    const std::uint64_t value = decoder.value(distribution.total());
    symbols.push_back(static_cast<TokenId>(distribution.symbol_at(value, interval)));
    decoder.consume(interval.low, interval.size, interval.total);
    return interval;
  }
};

// Some of the lanes, with all that one thread needs to advance them.
template <class Port>
class LaneGroup {
 public:
  // `first_lane`: of the block's lanes. `predictor`: null where there is none.
  LaneGroup(const CodingContext& context, std::size_t first_lane, std::span<Port> ports, std::span<LaneCache> caches,
            AdaptivePredictor* predictor, ThreadPool* pool)
      : tokenizer_(context.tokenizer),
        predictor_(predictor),
        traces_(context.traces),
        first_lane_(first_lane),
        ports_(ports),
        caches_(caches),
        forward_(context.model, context.kernels, context.window, pool),
        scratch_(context.kernels, context.tokenizer.vocabulary_size(), context.tokenizer.symbol_count(),
                 context.sampler),
        logits_stride_(kernels::round_up(context.model.config.vocabulary_size, kernels::kTile)),
        logits_(ports.size() * logits_stride_) {
    if (traces_ == nullptr) return;
    tracer_.emplace(context.kernels, context.tokenizer.vocabulary_size(), context.tokenizer.symbol_count());
  }

  // Steps [first, end) of every lane that has so many; every `chunk` steps the model reads that many.
  void advance(std::uint64_t first, std::uint64_t end, std::uint32_t chunk) {
    for (std::uint64_t step = first; step < end && status_.ok(); ++step) {
      if (step % chunk == 0) read(step, chunk);
      code_step(step, static_cast<std::uint32_t>(step % chunk));
    }
  }

  [[nodiscard]] const Status& status() const { return status_; }

 private:
  void read(std::uint64_t first, std::uint32_t count) {
    rows_.clear();
    first_rows_.clear();
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      first_rows_.push_back(static_cast<std::uint32_t>(rows_.size()));
      const std::uint64_t end = std::min(first + count, ports_[i].symbol_count());
      for (std::uint64_t step = first; step < end; ++step) {
        rows_.push_back({&caches_[i], static_cast<std::uint32_t>(step), input_token(ports_[i], step)});
      }
    }
    if (!rows_.empty()) forward_.run(rows_);
  }

  // What the model reads at `step`: the symbol before it.
  [[nodiscard]] TokenId input_token(const Port& port, std::uint64_t step) const {
    return step == 0 ? tokenizer_.context_start_token() : tokenizer_.model_token(port.symbols[step - 1]);
  }

  // The symbols of the step, lane by lane; it is `offset` steps into what the model has read.
  void code_step(std::uint64_t step, std::uint32_t offset) {
    active_.clear();
    active_rows_.clear();
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      if (step >= ports_[i].symbol_count()) continue;
      active_.push_back(i);
      active_rows_.push_back(first_rows_[i] + offset);
    }
    if (active_.empty()) return;
    forward_.logits(active_rows_, logits_.data(), logits_stride_);
    for (std::size_t i = 0; i < active_.size() && status_.ok(); ++i) {
      const float* logits = logits_.data() + i * logits_stride_;
      status_ = predictor_ == nullptr ? code_plain(active_[i], step, logits) : code_adaptive(active_[i], step, logits);
    }
  }

  Status code_plain(std::size_t lane, std::uint64_t step, const float* logits) {
    const Frequencies& frequencies = scratch_.frequencies;
    TACIT_TRY(scratch_.frequencies.set_softmax(logits));
    if (tracer_.has_value()) tracer_->begin_plain(frequencies);
    TACIT_ASSIGN(const Interval interval, ports_[lane].code(step, frequencies));
    if (tracer_.has_value()) {
      tracer_->coded(interval);
      keep_trace(lane, tracer_->finish_plain(symbol_at(lane, step), frequencies));
    }
    return {};
  }

  Status code_adaptive(std::size_t lane, std::uint64_t step, const float* logits) {
    Port& port = ports_[lane];
    TACIT_ASSIGN(LanePrediction* const predicted,
                 predictor_->predict(first_lane_ + lane, step, logits, scratch_));
    LanePrediction& prediction = *predicted;
    if (tracer_.has_value()) {
      TACIT_TRY(tracer_->begin(prediction, predictor_->sampler_shares(first_lane_ + lane), logits,
                               scratch_.frequencies));
    }
    while (prediction.has_question()) {
      const bool yes = port.code_answer(step, prediction);
      if (tracer_.has_value()) tracer_->answered(prediction, yes);
      prediction.answer(yes);
    }
    if (prediction.is_found()) {
      port.found(prediction.found());
    } else {
      TACIT_ASSIGN(const Interval interval, port.code(step, prediction));
      if (tracer_.has_value()) tracer_->coded(interval);
    }
    const std::uint32_t symbol = symbol_at(lane, step);
    predictor_->finish(first_lane_ + lane, step, symbol, scratch_);
    if (tracer_.has_value()) keep_trace(lane, tracer_->finish(symbol, prediction));
    return {};
  }

  [[nodiscard]] std::uint32_t symbol_at(std::size_t lane, std::uint64_t step) const {
    return static_cast<std::uint32_t>(ports_[lane].symbols[step]);
  }
  void keep_trace(std::size_t lane, const SymbolTrace& trace) { (*traces_)[first_lane_ + lane].push_back(trace); }

  const Tokenizer& tokenizer_;
  AdaptivePredictor* predictor_;
  LaneTraces* traces_;             // null where nobody looks on
  std::optional<Tracer> tracer_;  // likewise
  std::size_t first_lane_;
  std::span<Port> ports_;
  std::span<LaneCache> caches_;
  Forward forward_;
  PredictScratch scratch_;
  std::size_t logits_stride_;
  std::vector<float> logits_;
  std::vector<Row> rows_;
  std::vector<std::uint32_t> first_rows_;   // of each lane, in the last run
  std::vector<std::size_t> active_;         // lanes that have the step at hand
  std::vector<std::uint32_t> active_rows_;  // and their rows
  Status status_;
};

// As many groups as threads; where lanes are fewer than threads one group whose operations all threads share.
template <class Port>
std::vector<std::unique_ptr<LaneGroup<Port>>> make_groups(const CodingContext& context, std::span<Port> ports,
                                                          std::span<LaneCache> caches, AdaptivePredictor* predictor) {
  const std::size_t thread_count = context.pool.thread_count();
  const bool share = ports.size() < thread_count;
  const std::size_t group_count = share ? 1 : thread_count;
  std::vector<std::unique_ptr<LaneGroup<Port>>> groups;
  for (std::size_t g = 0; g < group_count; ++g) {
    const std::size_t begin = ports.size() * g / group_count;
    const std::size_t size = ports.size() * (g + 1) / group_count - begin;
    groups.push_back(std::make_unique<LaneGroup<Port>>(context, begin, ports.subspan(begin, size),
                                                       caches.subspan(begin, size), predictor,
                                                       share ? &context.pool : nullptr));
  }
  return groups;
}

}  // namespace

std::uint64_t Lockstep::lane_bytes(const Config& config, std::uint32_t window) {
  return LaneCache::bytes_needed(config, window, kChunkMax);
}

// Caches for lanes of up to `step_count` positions: a text shorter than the window needs less than one of the window.
// Errors: `excess_code` where all of them would take too much memory.
Status Lockstep::reserve_caches(std::size_t lane_count, std::uint64_t step_count, ErrorCode excess_code) {
  const auto positions = static_cast<std::uint32_t>(std::min<std::uint64_t>(context_.window, step_count));
  if (std::string excess = LaneCache::excess(context_.model.config, positions, kChunkMax, lane_count);
      !excess.empty()) {
    return Error{excess_code, std::move(excess)};
  }
  // Caches of blocks before may be too small for this one, or larger than it needs and too large for all its lanes.
  if (positions > cache_positions_ ||
      !LaneCache::excess(context_.model.config, cache_positions_, kChunkMax, lane_count).empty()) {
    caches_.clear();
    cache_positions_ = positions;
  }
  while (caches_.size() < lane_count) caches_.emplace_back(context_.model.config, cache_positions_, kChunkMax);
  return {};
}

template <class Port>
Status Lockstep::run(std::vector<Port>& ports, std::uint32_t chunk, const LockstepObserver& observer) {
  std::uint64_t step_count = 0;
  std::uint64_t symbol_count = 0;
  std::vector<std::uint64_t> symbol_counts;
  for (const Port& port : ports) {
    symbol_counts.push_back(port.symbol_count());
    step_count = std::max(step_count, port.symbol_count());
    symbol_count += port.symbol_count();
  }
  if (context_.adaptive && symbol_count > limits::kHistorySymbolsMax) {
    return Error{Port::kExcess, "block: found " + std::to_string(symbol_count) + " symbols, expected at most " +
                                    std::to_string(limits::kHistorySymbolsMax)};
  }
  TACIT_TRY(reserve_caches(ports.size(), step_count, Port::kExcess));
  std::optional<AdaptivePredictor> predictor;
  if (context_.adaptive) {
    predictor.emplace(symbol_counts, context_.tokenizer.vocabulary_size(), context_.tokenizer.symbol_count(),
                      context_.sampler);
  }
  if (context_.traces != nullptr) context_.traces->assign(ports.size(), {});
  auto groups = make_groups(context_, std::span(ports), std::span(caches_).first(ports.size()),
                            predictor.has_value() ? &*predictor : nullptr);
  const auto advance = [&](std::uint64_t first, std::uint64_t end) {
    const auto body = [&](std::uint32_t g) { groups[g]->advance(first, end, chunk); };
    if (groups.size() == 1) return body(0);
    context_.pool.run(static_cast<std::uint32_t>(groups.size()), body);
  };
  for (std::uint64_t step = 0; step < step_count; step += kStretch) {
    const std::uint64_t end = std::min<std::uint64_t>(step + kStretch, step_count);
    if (predictor.has_value()) {
      for (std::uint64_t s = step; s < end; ++s) {
        advance(s, s + 1);
        predictor->learn(s);
      }
    } else {
      advance(step, end);
    }
    LockstepState state;
    for (const auto& group : groups) TACIT_TRY(group->status());
    for (const Port& port : ports) {
      state.symbols_done += std::min(end, port.symbol_count());
      state.code_bytes += port.code_bytes();
    }
    state.share_done = static_cast<double>(state.symbols_done) / static_cast<double>(symbol_count);
    TACIT_TRY(observer(state));
  }
  return {};
}

Result<std::vector<ByteVector>> Lockstep::encode(std::span<const std::span<const TokenId>> strips,
                                                 const LockstepObserver& observer) {
  std::vector<EncodePort> ports;
  for (const std::span<const TokenId> strip : strips) ports.push_back({strip, {}});
  TACIT_TRY(run(ports, strips.size() < kManyLanes ? kChunkMax : kChunkOfManyLanes, observer));
  std::vector<ByteVector> codes;
  for (EncodePort& port : ports) codes.push_back(port.encoder.finish());
  return codes;
}

Result<std::vector<std::vector<TokenId>>> Lockstep::decode(std::span<const CodedStrip> strips,
                                                           const LockstepObserver& observer) {
  std::vector<DecodePort> ports;
  for (const CodedStrip& strip : strips) ports.push_back({RangeDecoder(strip.code), strip.symbol_count, {}});
  TACIT_TRY(run(ports, 1, observer));
  std::vector<std::vector<TokenId>> symbols;
  for (DecodePort& port : ports) {
    if (!port.decoder.exhausted()) return damaged("code stream: found more bytes than its symbols need");
    symbols.push_back(std::move(port.symbols));
  }
  return symbols;
}

}  // namespace tacit
