// SPDX-License-Identifier: MIT
#include "coding/strip_coder.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <numeric>
#include <optional>
#include <string>

#include "base/limits.h"
#include "coding/lane_batch.h"
#include "coding/symbol_stream.h"

namespace tacit {
namespace {

// Steps between two calls of the observer, and between two barriers of the threads where lanes learn nothing from each
// other: each barrier costs a wait for the slowest.
constexpr std::uint64_t kStepsPerReport = 64;
// Symbols of each thread between two calls of the observer where strips are independent.
constexpr std::uint64_t kSymbolsPerReport = 2048;

template <class Stream>
using Batches = std::vector<std::unique_ptr<LaneBatch<Stream>>>;

// `lane_count` lanes in as many batches as the engine has passes for.
template <class Stream>
Batches<Stream> make_batches(const CodingContext& context, std::span<Stream> streams, Lanes& lanes,
                             std::size_t lane_count, CodingOrder order) {
  const BatchShape shape = context.engine.batch_shape(lane_count);
  const std::size_t count = std::clamp<std::size_t>(shape.pass_count, 1, lane_count);
  const bool drafts = !Stream::kIsEncoder && lane_count == 1 && context.engine.can_rerun();
  const BatchPlan plan{shape, (lane_count + count - 1) / count, order, drafts};
  Batches<Stream> batches;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = lane_count * i / count;
    const std::size_t end = lane_count * (i + 1) / count;
    batches.push_back(std::make_unique<LaneBatch<Stream>>(context, streams, lanes.make_pass(count == 1), plan, begin,
                                                          end - begin));
  }
  return batches;
}

// advance(batch) for each of them, by a thread each. Errors: the batches'.
template <class Stream, class Advance>
Status run_batches(ThreadPool& pool, Batches<Stream>& batches, const Advance& advance) {
  if (batches.size() == 1) {
    advance(*batches[0]);
  } else {
    pool.run(static_cast<std::uint32_t>(batches.size()), [&](std::uint32_t i) { advance(*batches[i]); });
  }
  for (const auto& batch : batches) TACIT_TRY(batch->status());
  return {};
}

template <class Stream>
std::vector<std::uint64_t> symbol_counts(std::span<Stream> streams) {
  std::vector<std::uint64_t> counts;
  for (const Stream& stream : streams) counts.push_back(stream.symbol_count());
  return counts;
}

std::uint64_t sum_of(std::span<const std::uint64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

template <class Stream>
CodingState state_of(std::span<Stream> streams, const Batches<Stream>& batches, std::uint64_t symbol_count) {
  CodingState state;
  for (const auto& batch : batches) state.symbols_done += batch->symbols_done();
  for (const Stream& stream : streams) state.strip_code_bytes.push_back(stream.code_bytes());
  state.code_bytes = sum_of(state.strip_code_bytes);
  state.share_done = static_cast<double>(state.symbols_done) / static_cast<double>(symbol_count);
  return state;
}

// Whether experts can remember so many symbols of a block: else the error, with that code.
Status check_history(const CodingContext& context, std::uint64_t symbol_count, ErrorCode limit_error) {
  if (!context.adaptive || symbol_count <= limits::kHistorySymbolsMax) return {};
  return Error{limit_error, "block: found " + std::to_string(symbol_count) + " symbols, expected at most " +
                                std::to_string(limits::kHistorySymbolsMax)};
}

// The strips that no lane has taken yet, the longest first: what is left at the end, when lanes run out of strips, is
// short. Any thread may take.
class StripQueue {
 public:
  explicit StripQueue(std::span<const std::uint64_t> symbol_counts) : order_(symbol_counts.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::stable_sort(order_, std::greater<>(), [&](std::size_t i) { return symbol_counts[i]; });
    while (!order_.empty() && symbol_counts[order_.back()] == 0) order_.pop_back();  // done already
  }

  std::optional<std::size_t> take() {
    const std::size_t next = next_.fetch_add(1, std::memory_order_relaxed);
    if (next >= order_.size()) return std::nullopt;
    return order_[next];
  }

 private:
  std::vector<std::size_t> order_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace

AdaptivePredictor* StripCoder::predictor(std::size_t index, std::span<const std::uint64_t> strip_sizes) {
  if (!context_.adaptive) return nullptr;
  std::unique_ptr<AdaptivePredictor>& predictor = predictors_[index];
  if (predictor != nullptr) {
    predictor->reset(strip_sizes);
  } else {
    predictor = std::make_unique<AdaptivePredictor>(strip_sizes, context_.tokenizer.vocabulary_size(),
                                                    context_.tokenizer.symbol_count(), context_.sampler);
  }
  return predictor.get();
}

template <class Stream>
Result<Proceed> StripCoder::run_lockstep(std::span<Stream> streams, const CodingObserver& observer) {
  const std::vector<std::uint64_t> counts = symbol_counts(streams);
  const std::uint64_t symbol_count = sum_of(counts);
  const std::uint64_t step_count = *std::ranges::max_element(counts);
  TACIT_TRY(lanes_->reserve(streams.size(), step_count, Stream::kLimitError));
  predictors_.resize(1);
  AdaptivePredictor* const shared = predictor(0, counts);
  Batches<Stream> batches = make_batches(context_, streams, *lanes_, streams.size(), CodingOrder::kByStep);
  for (std::size_t strip = 0, batch = 0; strip < streams.size(); ++strip) {
    while (!batches[batch]->has_free_lane()) ++batch;
    if (counts[strip] > 0) batches[batch]->begin(strip, shared, strip);
  }
  const std::uint64_t steps_per_barrier = shared == nullptr ? kStepsPerReport : 1;
  for (std::uint64_t step = 0; step < step_count;) {
    const std::uint64_t end = std::min(step + steps_per_barrier, step_count);
    TACIT_TRY(run_batches(context_.pool, batches, [end](LaneBatch<Stream>& batch) {
      while (batch.status().ok() && batch.has_work() && batch.next_step() < end) batch.code_next();
    }));
    if (shared != nullptr) shared->learn(step);
    step = end;
    if (step % kStepsPerReport != 0 && step < step_count) continue;
    CodingState state = state_of(streams, batches, symbol_count);
    state.steps_done = step;
    TACIT_ASSIGN(const Proceed proceed, observer(state));
    if (proceed == Proceed::kStop) return proceed;
  }
  return Proceed::kContinue;
}

template <class Stream>
Result<Proceed> StripCoder::run_independent(std::span<Stream> streams, const CodingObserver& observer) {
  const std::vector<std::uint64_t> counts = symbol_counts(streams);
  const std::uint64_t symbol_count = sum_of(counts);
  const std::uint64_t longest = *std::ranges::max_element(counts);
  // Few strips side by side would leave half of the threads without work: one after another, each by all threads.
  const std::size_t thread_count = context_.pool.thread_count();
  const bool are_few = streams.size() == 1 || 2 * streams.size() <= thread_count;
  const std::size_t lane_count =
      are_few ? 1
              : std::min<std::size_t>({std::max<std::size_t>(schedule_.lane_max, thread_count), streams.size(),
                                       context_.engine.lanes_max(context_.window)});
  TACIT_TRY(lanes_->reserve(lane_count, longest, Stream::kLimitError));
  predictors_.resize(std::max(predictors_.size(), lane_count));
  Batches<Stream> batches = make_batches(context_, streams, *lanes_, lane_count, CodingOrder::kByLane);
  StripQueue queue(counts);
  const auto advance = [&](LaneBatch<Stream>& batch) {
    const std::uint64_t end = batch.symbols_done() + kSymbolsPerReport;
    while (batch.status().ok() && batch.symbols_done() < end) {
      while (batch.has_free_lane()) {
        const std::optional<std::size_t> strip = queue.take();
        if (!strip.has_value()) break;
        batch.begin(*strip, predictor(batch.next_free_lane(), std::span(&counts[*strip], 1)), 0);
      }
      if (!batch.has_work()) return;
      const auto coded = batch.code_next();
      if (batch.status().ok() && coded.predictor != nullptr) coded.predictor->learn(coded.step);
    }
  };
  for (std::uint64_t done = 0; done < symbol_count;) {
    TACIT_TRY(run_batches(context_.pool, batches, advance));
    const CodingState state = state_of(streams, batches, symbol_count);
    done = state.symbols_done;
    TACIT_ASSIGN(const Proceed proceed, observer(state));
    if (proceed == Proceed::kStop) return proceed;
  }
  return Proceed::kContinue;
}

template <class Stream>
Result<Proceed> StripCoder::run(std::vector<Stream>& streams, const CodingObserver& observer) {
  if (context_.traces != nullptr) context_.traces->assign(streams.size(), {});
  if (streams.empty()) return Proceed::kContinue;
  TACIT_TRY(check_history(context_, sum_of(symbol_counts(std::span(streams))), Stream::kLimitError));
  return schedule_.kind == Schedule::Kind::kLockstep ? run_lockstep(std::span(streams), observer)
                                                     : run_independent(std::span(streams), observer);
}

Result<EncodedStrips> StripCoder::encode(std::span<const std::span<const TokenId>> strips,
                                         const CodingObserver& observer) {
  std::vector<SymbolEncoder> streams;
  for (const std::span<const TokenId> strip : strips) streams.push_back({strip, {}});
  TACIT_ASSIGN(const Proceed proceed, run(streams, observer));
  EncodedStrips result;
  result.stopped = proceed == Proceed::kStop;
  if (result.stopped) return result;
  for (SymbolEncoder& stream : streams) result.codes.push_back(stream.encoder.finish());
  return result;
}

Result<std::vector<std::vector<TokenId>>> StripCoder::decode(std::span<const CodedStrip> strips,
                                                             const CodingObserver& observer) {
  std::vector<SymbolDecoder> streams;
  for (const CodedStrip& strip : strips) streams.push_back({RangeDecoder(strip.code), strip.symbol_count, {}});
  TACIT_TRY(run(streams, observer));
  std::vector<std::vector<TokenId>> symbols;
  for (SymbolDecoder& stream : streams) {
    TACIT_TRY(stream.check_end());
    symbols.push_back(std::move(stream.symbols));
  }
  return symbols;
}

}  // namespace tacit
