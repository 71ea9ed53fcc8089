// SPDX-License-Identifier: MIT
// The lanes of one thread: reads steps of their strips through the model and codes their symbols, in either direction.
// Encoding knows the text and reads a chunk of steps of each lane at once; decoding reads one step of each, or for a
// single lane a draft of its text (coding/drafter.h) behind it. The bits are the same. Which strip a lane has, and when
// predictors learn, is the schedule's (coding/strip_coder.cpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "coding/coding_context.h"
#include "coding/drafter.h"
#include "coding/symbol_coder.h"
#include "coding/symbol_stream.h"
#include "engine/engine.h"
#include "mixing/adaptive.h"

namespace tacit {

// In what order symbols that were read together are coded.
enum class CodingOrder : std::uint8_t {
  kByStep,  // step t of every lane before step t + 1 of any
  kByLane,  // all of a lane's steps before another lane's: its predictor stays in the processor's cache
};

// What the batches of one job have in common.
struct BatchPlan {
  BatchShape shape;
  std::size_t lanes_per_batch = 1;  // some may have one less
  CodingOrder order = CodingOrder::kByStep;
  bool drafts = false;  // only a single lane: side by side they would wait for the one whose draft failed first
};

template <class Stream>
class LaneBatch {
 public:
  // Lanes [first_lane, first_lane + lane_count) of the engine's, all of them free.
  LaneBatch(const CodingContext& context, std::span<Stream> streams, std::unique_ptr<Pass> pass, const BatchPlan& plan,
            std::size_t first_lane, std::size_t lane_count)
      : context_(context),
        streams_(streams),
        pass_(std::move(pass)),
        plan_(plan),
        first_lane_(first_lane),
        logit_stride_(context.engine.logit_stride()),
        logit_rows_max_(std::max<std::size_t>(plan.shape.logit_rows, lane_count)),
        logits_(logit_rows_max_ * logit_stride_),
        coder_(context),
        lanes_(lane_count) {
    for (std::size_t lane = lane_count; lane > 0; --lane) free_lanes_.push_back(lane - 1);
  }

  [[nodiscard]] bool has_free_lane() const { return !free_lanes_.empty(); }
  [[nodiscard]] bool has_work() const { return free_lanes_.size() < lanes_.size(); }
  // The engine's number of the one that begin() uses.
  [[nodiscard]] std::size_t next_free_lane() const { return first_lane_ + free_lanes_.back(); }
  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] std::uint64_t symbols_done() const { return symbols_done_; }

  // The next free lane takes up a strip of at least one symbol. `predictor` knows it as its `predictor_lane`; null:
  // none.
  void begin(std::size_t strip, AdaptivePredictor* predictor, std::size_t predictor_lane) {
    lanes_[free_lanes_.back()] = {strip, 0, predictor, predictor_lane};
    free_lanes_.pop_back();
    if (plan_.drafts) drafter_.emplace(streams_[strip].symbol_count(), plan_.shape.row_cost);
  }

  // A symbol that was coded.
  struct Coded {
    AdaptivePredictor* predictor;
    std::uint64_t step;
  };
  // The step of the symbol that code_next() codes; with kByStep no other lane's is lower. Needs has_work().
  [[nodiscard]] std::uint64_t next_step() const {
    if (next_ < pending_.size()) return pending_[next_].step;
    std::uint64_t step = std::numeric_limits<std::uint64_t>::max();
    for (const Lane& lane : lanes_) {
      if (lane.strip != kNoStrip) step = std::min(step, lane.step);
    }
    return step;
  }
  // Codes the next symbol in order. Needs has_work() and a good status, which may be bad behind it.
  Coded code_next() {
    if (next_ == pending_.size()) read();
    if (next_ == logits_end_) find_logits();
    const Pending& now = pending_[next_];
    Lane& lane = lanes_[now.lane];
    const float* logits = logits_.data() + (next_ - logits_begin_) * logit_stride_;
    status_ = coder_.code(streams_[lane.strip], now.step, logits, lane.predictor, lane.predictor_lane, lane.strip);
    const Coded coded{lane.predictor, now.step};
    ++next_;
    ++symbols_done_;
    lane.step = now.step + 1;
    if (!status_.ok()) return coded;
    if (plan_.drafts && next_ < pending_.size() && !draft_was_right()) pending_.resize(next_);
    if (lane.step == streams_[lane.strip].symbol_count()) retire(now.lane);
    return coded;
  }

 private:
  static constexpr std::size_t kNoStrip = ~std::size_t{0};
  struct Lane {
    std::size_t strip = kNoStrip;
    std::uint64_t step = 0;  // that comes next
    AdaptivePredictor* predictor = nullptr;
    std::size_t predictor_lane = 0;
  };
  // A step that the model has read.
  struct Pending {
    std::size_t lane;
    std::uint64_t step;
    std::uint32_t row;  // of the pass's last run
  };

  // The next steps of all lanes that have a strip.
  void read() {
    rows_.clear();
    pending_.clear();
    next_ = logits_begin_ = logits_end_ = 0;
    if (plan_.drafts) draft_ = drafter_->draft(streams_[lanes_[0].strip].symbols, draft_max());
    const std::uint64_t step_count = chunk() + draft_.size();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      const Lane& lane = lanes_[i];
      if (lane.strip == kNoStrip) continue;
      const std::uint64_t end = std::min(lane.step + step_count, streams_[lane.strip].symbol_count());
      for (std::uint64_t step = lane.step; step < end; ++step) {
        pending_.push_back({i, step, static_cast<std::uint32_t>(rows_.size())});
        rows_.push_back({static_cast<std::uint32_t>(first_lane_ + i), static_cast<std::uint32_t>(step),
                         token_at(streams_[lane.strip], step)});
      }
    }
    pass_->run(rows_);
    if (plan_.order == CodingOrder::kByStep) std::ranges::stable_sort(pending_, {}, &Pending::step);
  }

  // Steps of a lane that are read at once. In step order lanes of all threads read at the same steps, however many of
  // them have ended, so that no thread waits at a barrier for another's read.
  [[nodiscard]] std::uint64_t chunk() const {
    if (!Stream::kIsEncoder) return 1;
    const std::size_t lane_count =
        plan_.order == CodingOrder::kByStep ? plan_.lanes_per_batch : lanes_.size() - free_lanes_.size();
    return std::clamp<std::uint64_t>(plan_.shape.row_count / lane_count, 1, plan_.shape.chunk_max);
  }
  // A draft and the step before it are read at once, and their logits found at once.
  [[nodiscard]] std::size_t draft_max() const {
    return std::min<std::size_t>(plan_.shape.chunk_max, plan_.shape.logit_rows) - 1;
  }

  // What the model reads at `step`: the symbol before it, or the draft of that.
  [[nodiscard]] TokenId token_at(const Stream& stream, std::uint64_t step) const {
    const std::size_t known = stream.symbols.size();
    if (step <= known) return input_token(context_.tokenizer, stream, step);
    return context_.tokenizer.model_token(draft_[step - 1 - known]);
  }
  // Whether the model has read, at the next step, the symbol that the text has before it.
  [[nodiscard]] bool draft_was_right() const {
    const Pending& next = pending_[next_];
    return rows_[next.row].token == input_token(context_.tokenizer, streams_[lanes_[next.lane].strip], next.step);
  }

  void find_logits() {
    logits_begin_ = next_;
    logits_end_ = std::min(next_ + logit_rows_max_, pending_.size());
    logit_rows_.clear();
    for (std::size_t i = logits_begin_; i < logits_end_; ++i) logit_rows_.push_back(pending_[i].row);
    pass_->logits(logit_rows_, logits_.data());
  }

  void retire(std::size_t lane) {
    lanes_[lane].strip = kNoStrip;
    free_lanes_.push_back(lane);
  }

  const CodingContext& context_;
  std::span<Stream> streams_;  // of all strips
  std::unique_ptr<Pass> pass_;
  BatchPlan plan_;
  std::size_t first_lane_;
  std::optional<Drafter> drafter_;
  std::span<const TokenId> draft_;  // its last
  std::size_t logit_stride_;
  std::size_t logit_rows_max_;
  std::vector<float> logits_;
  SymbolCoder coder_;
  std::vector<Lane> lanes_;
  std::vector<std::size_t> free_lanes_;
  std::vector<Row> rows_;
  std::vector<Pending> pending_;  // of the last read, in the order of coding
  std::size_t next_ = 0;          // of pending_
  std::size_t logits_begin_ = 0;  // of pending_: those whose logits are there
  std::size_t logits_end_ = 0;
  std::vector<std::uint32_t> logit_rows_;
  std::uint64_t symbols_done_ = 0;
  Status status_;
};

}  // namespace tacit
