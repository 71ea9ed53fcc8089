// SPDX-License-Identifier: MIT
#include "coding/lockstep.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/limits.h"
#include "coding/drafter.h"
#include "coding/symbol_coder.h"
#include "coding/symbol_stream.h"
#include "model/forward.h"

namespace tacit {
namespace {

// Steps of a lane that encoding runs through the model at once: the fewer lanes the more, so that products have rows enough
// and a lane's keys and values, once in the processor's cache, serve many (docs/decisions/0017).
constexpr std::uint32_t kChunkMin = 16;
constexpr std::uint32_t kRowsWanted = 256;  // of all lanes
std::uint32_t encoding_chunk(std::size_t lane_count) {  // of one lane at least
  return std::clamp(kRowsWanted / static_cast<std::uint32_t>(lane_count), kChunkMin, LaneCaches::kChunkMax);
}
// A draft and the step before it are read at once, into the room that lanes' caches have for a chunk.
constexpr std::size_t kDraftMax = kLogitRows - 1;
static_assert(kDraftMax < LaneCaches::kChunkMax);
// Steps between two looks of the observer, and between two meetings of the threads where lanes learn nothing from each
// other: each meeting costs a wait for the slowest.
constexpr std::uint32_t kStretch = 64;

// What one more row costs where runs have one (docs/decisions/0013). Weights that no cache holds are read for all rows
// together, unless each row has its own experts.
double row_cost(const Model& model) {
  constexpr std::uint64_t kCachedWeights = 12'000'000;
  const bool shares_memory = model.config.expert_count == 0 && model.multiply_adds_per_token() > kCachedWeights;
  return shares_memory ? 0.2 : 0.5;
}

// Some of the lanes, with all that one thread needs to advance them.
template <class Port>
class LaneGroup {
 public:
  // `first_lane`: of the block's lanes. `predictor`: null where there is none. The model reads `chunk` steps at
  // once, and a draft after them if it `drafts`: one lane whose model can read a position again.
  LaneGroup(const CodingContext& context, std::size_t first_lane, std::span<Port> ports, std::span<LaneCache> caches,
            AdaptivePredictor* predictor, ThreadPool* pool, std::uint32_t chunk, bool drafts)
      : tokenizer_(context.tokenizer),
        predictor_(predictor),
        first_lane_(first_lane),
        ports_(ports),
        caches_(caches),
        chunk_(chunk),
        forward_(context.model, context.kernels, context.window, pool),
        coder_(context),
        logits_stride_(SymbolCoder::logits_stride(context.model.config.vocabulary_size)),
        logit_steps_(std::max<std::size_t>(kLogitRows / std::max<std::size_t>(ports.size(), 1), 1)),
        logits_(ports.size() * logit_steps_ * logits_stride_) {
    if (drafts) drafter_.emplace(ports[0].symbol_count(), row_cost(context.model));
  }

  // Steps [first, end) of every lane that has so many.
  void advance(std::uint64_t first, std::uint64_t end) {
    for (std::uint64_t step = first; step < end && status_.ok(); ++step) {
      if (!is_read(step)) read(step);
      if (step >= logits_end_) find_logits(step);
      code_step(step);
    }
  }

  [[nodiscard]] const Status& status() const { return status_; }

 private:
  // Whether the model has read the lanes as they are up to `step`: a draft may have been another text.
  [[nodiscard]] bool is_read(std::uint64_t step) const {
    if (step >= read_end_) return false;
    return !drafter_.has_value() || rows_[step - read_first_].token == input_token(ports_[0], step);
  }

  void read(std::uint64_t first) {
    if (drafter_.has_value()) draft_ = drafter_->draft(ports_[0].symbols, kDraftMax);
    read_first_ = first;
    read_end_ = first + chunk_ + draft_.size();
    logits_end_ = first;
    rows_.clear();
    first_rows_.clear();
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      first_rows_.push_back(static_cast<std::uint32_t>(rows_.size()));
      const std::uint64_t end = std::min(read_end_, ports_[i].symbol_count());
      for (std::uint64_t step = first; step < end; ++step) {
        rows_.push_back({&caches_[i], static_cast<std::uint32_t>(step), input_token(ports_[i], step)});
      }
    }
    if (!rows_.empty()) forward_.run(rows_);
  }

  // What the model reads at `step`: the symbol before it, or the draft of that.
  [[nodiscard]] TokenId input_token(const Port& port, std::uint64_t step) const {
    const std::size_t known = port.symbols.size();
    return step <= known ? tacit::input_token(tokenizer_, port, step) : tokenizer_.model_token(draft_[step - 1 - known]);
  }

  // Logits of steps from `first` on that the model has read, in the order in which they are coded.
  void find_logits(std::uint64_t first) {
    logits_end_ = std::min<std::uint64_t>(read_end_, first + logit_steps_);
    logit_rows_.clear();
    for (std::uint64_t step = first; step < logits_end_; ++step) {
      for (std::size_t i = 0; i < ports_.size(); ++i) {
        if (step >= ports_[i].symbol_count()) continue;
        logit_rows_.push_back(first_rows_[i] + static_cast<std::uint32_t>(step - read_first_));
      }
    }
    next_logits_ = logits_.data();
    if (!logit_rows_.empty()) forward_.logits(logit_rows_, logits_.data(), logits_stride_);
  }

  // The symbols of the step, lane by lane.
  void code_step(std::uint64_t step) {
    for (std::size_t i = 0; i < ports_.size() && status_.ok(); ++i) {
      if (step >= ports_[i].symbol_count()) continue;
      const std::size_t lane = first_lane_ + i;
      status_ = coder_.code(ports_[i], step, next_logits_, predictor_, lane, lane);
      next_logits_ += logits_stride_;
    }
  }

  const Tokenizer& tokenizer_;
  AdaptivePredictor* predictor_;
  std::size_t first_lane_;
  std::span<Port> ports_;
  std::span<LaneCache> caches_;
  std::uint32_t chunk_;
  std::optional<Drafter> drafter_;
  std::span<const TokenId> draft_;  // its last
  Forward forward_;
  SymbolCoder coder_;
  std::size_t logits_stride_;
  std::uint64_t read_first_ = 0;  // steps of the last run
  std::uint64_t read_end_ = 0;
  std::vector<Row> rows_;
  std::vector<std::uint32_t> first_rows_;  // of each lane, in the last run
  std::uint64_t logits_end_ = 0;           // steps whose logits are there
  std::size_t logit_steps_;                // at once
  std::vector<std::uint32_t> logit_rows_;
  std::vector<float> logits_;
  const float* next_logits_ = nullptr;
  Status status_;
};

// As many groups as threads; where lanes are fewer than threads one group whose operations all threads share.
template <class Port>
std::vector<std::unique_ptr<LaneGroup<Port>>> make_groups(const CodingContext& context, std::span<Port> ports,
                                                          std::span<LaneCache> caches, AdaptivePredictor* predictor,
                                                          std::uint32_t chunk) {
  const std::size_t thread_count = context.pool.thread_count();
  const bool share = ports.size() < thread_count;
  const std::size_t group_count = share ? 1 : thread_count;
  // Lanes side by side would wait for the one whose draft failed first. States of recurrent models know no way back.
  const bool drafts = !Port::kKnowsText && ports.size() == 1 && !context.model.config.is_recurrent();
  std::vector<std::unique_ptr<LaneGroup<Port>>> groups;
  for (std::size_t g = 0; g < group_count; ++g) {
    const std::size_t begin = ports.size() * g / group_count;
    const std::size_t size = ports.size() * (g + 1) / group_count - begin;
    groups.push_back(std::make_unique<LaneGroup<Port>>(context, begin, ports.subspan(begin, size),
                                                       caches.subspan(begin, size), predictor,
                                                       share ? &context.pool : nullptr, chunk, drafts));
  }
  return groups;
}

}  // namespace

Status Lockstep::check_history(const CodingContext& context, std::uint64_t symbol_count, ErrorCode excess_code) {
  if (!context.adaptive || symbol_count <= limits::kHistorySymbolsMax) return {};
  return Error{excess_code, "block: found " + std::to_string(symbol_count) + " symbols, expected at most " +
                                std::to_string(limits::kHistorySymbolsMax)};
}

template <class Port>
Status Lockstep::run(std::vector<Port>& ports, std::uint32_t chunk, const CodingObserver& observer) {
  std::uint64_t step_count = 0;
  std::uint64_t symbol_count = 0;
  std::vector<std::uint64_t> symbol_counts;
  for (const Port& port : ports) {
    symbol_counts.push_back(port.symbol_count());
    step_count = std::max(step_count, port.symbol_count());
    symbol_count += port.symbol_count();
  }
  TACIT_TRY(check_history(context_, symbol_count, Port::kExcess));
  TACIT_ASSIGN(const std::span<LaneCache> caches, caches_.reserve(ports.size(), step_count, Port::kExcess));
  std::optional<AdaptivePredictor> predictor;
  if (context_.adaptive) {
    predictor.emplace(symbol_counts, context_.tokenizer.vocabulary_size(), context_.tokenizer.symbol_count(),
                      context_.sampler);
  }
  if (context_.traces != nullptr) context_.traces->assign(ports.size(), {});
  auto groups = make_groups(context_, std::span(ports), caches,
                            predictor.has_value() ? &*predictor : nullptr, chunk);
  const auto advance = [&](std::uint64_t first, std::uint64_t end) {
    const auto body = [&](std::uint32_t g) { groups[g]->advance(first, end); };
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
    CodingState state;
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
                                                 const CodingObserver& observer) {
  std::vector<EncodePort> ports;
  for (const std::span<const TokenId> strip : strips) ports.push_back({strip, {}});
  TACIT_TRY(run(ports, encoding_chunk(ports.size()), observer));
  std::vector<ByteVector> codes;
  for (EncodePort& port : ports) codes.push_back(port.encoder.finish());
  return codes;
}

Result<std::vector<std::vector<TokenId>>> Lockstep::decode(std::span<const CodedStrip> strips,
                                                           const CodingObserver& observer) {
  std::vector<DecodePort> ports;
  for (const CodedStrip& strip : strips) ports.push_back({RangeDecoder(strip.code), strip.symbol_count, {}});
  TACIT_TRY(run(ports, 1, observer));
  std::vector<std::vector<TokenId>> symbols;
  for (DecodePort& port : ports) {
    TACIT_TRY(port.check_end());
    symbols.push_back(std::move(port.symbols));
  }
  return symbols;
}

}  // namespace tacit
