// SPDX-License-Identifier: MIT
#include "coding/independent.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <optional>

#include "coding/symbol_coder.h"
#include "coding/symbol_stream.h"
#include "model/forward.h"

namespace tacit {
namespace {

// Rows that the model reads at once, where its lanes have as many: enough for weights to be read seldom.
constexpr std::size_t kRowsAtOnce = 256;
// Symbols that each thread codes between two looks of the observer: each look is a wait for the slowest.
constexpr std::uint64_t kSymbolsBetweenLooks = 2048;

// The strips that no lane has taken yet, the longest first: what is left at the end, when lanes run out of strips, is short.
template <class Port>
class StripQueue {
 public:
  explicit StripQueue(std::span<const Port> ports) : order_(ports.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return ports[a].symbol_count() > ports[b].symbol_count();
    });
    while (!order_.empty() && ports[order_.back()].symbol_count() == 0) order_.pop_back();  // done already
  }

  // Any thread's next strip; nothing where none is left.
  std::optional<std::size_t> take() {
    const std::size_t place = next_.fetch_add(1, std::memory_order_relaxed);
    if (place >= order_.size()) return std::nullopt;
    return order_[place];
  }

 private:
  std::vector<std::size_t> order_;
  std::atomic<std::size_t> next_{0};
};

// The lanes of one thread.
template <class Port>
class Crew {
 public:
  Crew(const CodingContext& context, std::span<Port> ports, std::span<LaneCache> caches, StripQueue<Port>& queue)
      : context_(context),
        ports_(ports),
        queue_(queue),
        forward_(context.model, context.kernels, context.window, nullptr),
        coder_(context),
        logits_stride_(SymbolCoder::logits_stride(context.model.config.vocabulary_size)),
        logits_(kLogitRows * logits_stride_) {
    for (LaneCache& cache : caches) lanes_.emplace_back(Lane{&cache, 0, 0, {}});
    free_lanes_ = lanes_.size();
  }

  // Codes so many symbols at least, or all that are left.
  void advance(std::uint64_t symbol_count) {
    const std::uint64_t end = symbols_done_ + symbol_count;
    while (symbols_done_ < end && status_.ok()) {
      take_strips();
      if (free_lanes_ == lanes_.size()) return;
      read();
      code();
      leave_strips();
    }
  }

  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] std::uint64_t symbols_done() const { return symbols_done_; }

 private:
  // One that has a strip stands before all that have none.
  struct Lane {
    LaneCache* cache;
    std::size_t strip;
    std::uint64_t step;  // that comes next
    std::unique_ptr<AdaptivePredictor> predictor;  // of the lane's strips, one after another; null before the first
  };
  struct ReadRow {
    Lane* lane;
    std::uint64_t step;
  };

  [[nodiscard]] std::span<Lane> busy_lanes() { return std::span(lanes_).first(lanes_.size() - free_lanes_); }

  void take_strips() {
    while (free_lanes_ > 0) {
      const std::optional<std::size_t> strip = queue_.take();
      if (!strip.has_value()) return;
      Lane& lane = lanes_[lanes_.size() - free_lanes_];
      lane.strip = *strip;
      lane.step = 0;
      if (context_.adaptive) {
        const std::uint64_t symbol_count = ports_[*strip].symbol_count();
        const std::span<const std::uint64_t> strip_sizes(&symbol_count, 1);
        if (lane.predictor != nullptr) {
          lane.predictor->reset(strip_sizes);
        } else {
          lane.predictor = std::make_unique<AdaptivePredictor>(strip_sizes, context_.tokenizer.vocabulary_size(),
                                                               context_.tokenizer.symbol_count(), context_.sampler);
        }
      }
      --free_lanes_;
    }
  }

  // The next steps of each lane through the model: one where the text is not known.
  void read() {
    const std::size_t lane_count = busy_lanes().size();
    const std::uint64_t chunk =
        Port::kKnowsText ? std::clamp<std::uint64_t>(kRowsAtOnce / lane_count, 1, LaneCaches::kChunkMax) : 1;
    rows_.clear();
    read_rows_.clear();
    for (Lane& lane : busy_lanes()) {
      const Port& port = ports_[lane.strip];
      const std::uint64_t end = std::min(lane.step + chunk, port.symbol_count());
      for (std::uint64_t step = lane.step; step < end; ++step) {
        rows_.push_back({lane.cache, static_cast<std::uint32_t>(step), input_token(context_.tokenizer, port, step)});
        read_rows_.push_back({&lane, step});
      }
    }
    forward_.run(rows_);
  }

  // The symbols of the steps that were read.
  void code() {
    for (std::size_t begin = 0; begin < read_rows_.size() && status_.ok(); begin += kLogitRows) {
      const std::size_t end = std::min(begin + kLogitRows, read_rows_.size());
      logit_rows_.resize(end - begin);
      std::iota(logit_rows_.begin(), logit_rows_.end(), static_cast<std::uint32_t>(begin));
      forward_.logits(logit_rows_, logits_.data(), logits_stride_);
      for (std::size_t row = begin; row < end && status_.ok(); ++row) {
        code(*read_rows_[row].lane, read_rows_[row].step, logits_.data() + (row - begin) * logits_stride_);
      }
    }
  }

  void code(Lane& lane, std::uint64_t step, const float* logits) {
    status_ = coder_.code(ports_[lane.strip], step, logits, lane.predictor.get(), 0, lane.strip);
    if (!status_.ok()) return;
    if (lane.predictor != nullptr) lane.predictor->learn(step);
    lane.step = step + 1;
    ++symbols_done_;
  }

  // Lanes that have ended their strips are free.
  void leave_strips() {
    const auto has_ended = [&](const Lane& lane) { return lane.step == ports_[lane.strip].symbol_count(); };
    const auto busy = busy_lanes();
    const auto ended = std::stable_partition(busy.begin(), busy.end(), [&](const Lane& lane) { return !has_ended(lane); });
    free_lanes_ += static_cast<std::size_t>(busy.end() - ended);
  }

  const CodingContext& context_;
  std::span<Port> ports_;  // of all strips
  StripQueue<Port>& queue_;
  std::vector<Lane> lanes_;
  std::size_t free_lanes_ = 0;
  Forward forward_;
  SymbolCoder coder_;
  std::vector<Row> rows_;
  std::vector<ReadRow> read_rows_;
  std::vector<std::uint32_t> logit_rows_;
  std::size_t logits_stride_;
  std::vector<float> logits_;
  std::uint64_t symbols_done_ = 0;
  Status status_;
};

template <class Port>
std::uint64_t sum_of_symbols(std::span<const Port> ports) {
  std::uint64_t count = 0;
  for (const Port& port : ports) count += port.symbol_count();
  return count;
}

template <class Port>
CodingState state_of(std::span<const Port> ports, std::uint64_t symbols_done, std::uint64_t symbol_count) {
  CodingState state;
  state.symbols_done = symbols_done;
  for (const Port& port : ports) state.code_bytes += port.code_bytes();
  state.share_done = static_cast<double>(symbols_done) / static_cast<double>(symbol_count);
  return state;
}

}  // namespace

template <class Port>
Status Apart::run(std::vector<Port>& ports, const CodingObserver& observer) {
  const std::span<const Port> all(ports);
  const std::uint64_t symbol_count = sum_of_symbols(all);
  TACIT_TRY(Lockstep::check_history(context_, symbol_count, Port::kExcess));
  std::uint64_t longest = 0;
  for (const Port& port : ports) longest = std::max(longest, port.symbol_count());
  const std::size_t thread_count = context_.pool.thread_count();
  const std::size_t lane_count = std::min<std::size_t>({std::max<std::size_t>(lane_count_, thread_count), ports.size(),
                                                        LaneCaches::lanes_max(context_.model.config, context_.window)});
  TACIT_ASSIGN(const std::span<LaneCache> caches, caches_.reserve(lane_count, longest, Port::kExcess));
  if (context_.traces != nullptr) context_.traces->assign(ports.size(), {});
  StripQueue<Port> queue(all);
  std::vector<std::unique_ptr<Crew<Port>>> crews;
  for (std::size_t i = 0; i < thread_count; ++i) {
    const std::size_t begin = lane_count * i / thread_count;
    const std::size_t end = lane_count * (i + 1) / thread_count;
    crews.push_back(std::make_unique<Crew<Port>>(context_, std::span(ports), caches.subspan(begin, end - begin), queue));
  }
  std::uint64_t done = 0;
  while (done < symbol_count) {
    context_.pool.run(static_cast<std::uint32_t>(crews.size()),
                      [&](std::uint32_t i) { crews[i]->advance(kSymbolsBetweenLooks); });
    done = 0;
    for (const auto& crew : crews) {
      TACIT_TRY(crew->status());
      done += crew->symbols_done();
    }
    TACIT_TRY(observer(state_of(all, done, symbol_count)));
  }
  return {};
}

// One strip after another, each by all threads. work(strip, observer) codes one.
Status Apart::one_by_one(std::span<const std::uint64_t> symbol_counts, const CodingObserver& observer,
                         const std::function<Status(std::size_t, const CodingObserver&)>& work) {
  const std::uint64_t symbol_count = std::accumulate(symbol_counts.begin(), symbol_counts.end(), std::uint64_t{0});
  LaneTraces traces;
  CodingState done;
  for (std::size_t strip = 0; strip < symbol_counts.size(); ++strip) {
    CodingState all = done;
    TACIT_TRY(work(strip, [&](const CodingState& state) {
      all.symbols_done = done.symbols_done + state.symbols_done;
      all.code_bytes = done.code_bytes + state.code_bytes;
      all.share_done = static_cast<double>(all.symbols_done) / static_cast<double>(symbol_count);
      return observer(all);
    }));
    done = all;
    if (context_.traces != nullptr) traces.push_back(std::move(context_.traces->front()));
  }
  if (context_.traces != nullptr) *context_.traces = std::move(traces);
  return {};
}

// Side by side they would leave half of the threads without work.
bool Apart::are_few(std::size_t strip_count) const {
  return strip_count == 1 || 2 * strip_count <= context_.pool.thread_count();
}

Result<std::vector<ByteVector>> Apart::encode(std::span<const std::span<const TokenId>> strips,
                                              const CodingObserver& observer) {
  std::vector<ByteVector> codes;
  if (are_few(strips.size())) {
    std::vector<std::uint64_t> symbol_counts;
    for (const auto& strip : strips) symbol_counts.push_back(strip.size());
    TACIT_TRY(one_by_one(symbol_counts, observer, [&](std::size_t i, const CodingObserver& part) -> Status {
      TACIT_ASSIGN(std::vector<ByteVector> code, alone_.encode(strips.subspan(i, 1), part));
      codes.push_back(std::move(code.front()));
      return {};
    }));
    return codes;
  }
  std::vector<EncodePort> ports;
  for (const std::span<const TokenId> strip : strips) ports.push_back({strip, {}});
  TACIT_TRY(run(ports, observer));
  for (EncodePort& port : ports) codes.push_back(port.encoder.finish());
  return codes;
}

Result<std::vector<std::vector<TokenId>>> Apart::decode(std::span<const CodedStrip> strips,
                                                        const CodingObserver& observer) {
  std::vector<std::vector<TokenId>> symbols;
  if (are_few(strips.size())) {
    std::vector<std::uint64_t> symbol_counts;
    for (const CodedStrip& strip : strips) symbol_counts.push_back(strip.symbol_count);
    TACIT_TRY(one_by_one(symbol_counts, observer, [&](std::size_t i, const CodingObserver& part) -> Status {
      TACIT_ASSIGN(std::vector<std::vector<TokenId>> strip, alone_.decode(strips.subspan(i, 1), part));
      symbols.push_back(std::move(strip.front()));
      return {};
    }));
    return symbols;
  }
  std::vector<DecodePort> ports;
  for (const CodedStrip& strip : strips) ports.push_back({RangeDecoder(strip.code), strip.symbol_count, {}});
  TACIT_TRY(run(ports, observer));
  for (DecodePort& port : ports) {
    TACIT_TRY(port.check_end());
    symbols.push_back(std::move(port.symbols));
  }
  return symbols;
}

}  // namespace tacit
