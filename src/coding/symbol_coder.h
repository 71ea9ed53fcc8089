// SPDX-License-Identifier: MIT
// Codes one symbol after another, of any strip: logits to the distribution that the predictor asks for, the symbol's
// binary decisions and its interval to the strip's coder, and a trace of it where tracing is on. One per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "coding/coding_context.h"
#include "coding/symbol_stream.h"
#include "mixing/adaptive.h"

namespace tacit {

class SymbolCoder {
 public:
  explicit SymbolCoder(const CodingContext& context)
      : traces_(context.traces),
        scratch_(context.engine.distribution_kernels(), context.tokenizer.vocabulary_size(),
                 context.tokenizer.symbol_count(), context.sampler) {
    if (traces_ == nullptr) return;
    tracer_.emplace(context.engine.distribution_kernels(), context.tokenizer.vocabulary_size(),
                    context.tokenizer.symbol_count());
  }

  // The symbol that the stream has, or finds, at `step`. `predictor` knows it as its `lane`, the traces as their
  // `strip`; null: the plain softmax. Errors: kModel where a logit is not finite; kDamaged.
  template <class Stream>
  Status code(Stream& stream, std::uint64_t step, const float* logits, AdaptivePredictor* predictor, std::size_t lane,
              std::size_t strip) {
    return predictor == nullptr ? code_plain(stream, step, logits, strip)
                                : code_adaptive(stream, step, logits, *predictor, lane, strip);
  }

 private:
  template <class Stream>
  static std::uint32_t symbol_at(const Stream& stream, std::uint64_t step) {
    return static_cast<std::uint32_t>(stream.symbols[step]);
  }

  template <class Stream>
  Status code_plain(Stream& stream, std::uint64_t step, const float* logits, std::size_t strip) {
    const Frequencies& frequencies = scratch_.frequencies;
    TACIT_TRY(scratch_.frequencies.set_softmax(logits));
    if (tracer_.has_value()) tracer_->begin_plain(frequencies);
    TACIT_ASSIGN(const Interval interval, stream.code(step, frequencies));
    if (tracer_.has_value()) {
      tracer_->coded(interval);
      (*traces_)[strip].push_back(tracer_->finish_plain(symbol_at(stream, step), frequencies));
    }
    return {};
  }

  template <class Stream>
  Status code_adaptive(Stream& stream, std::uint64_t step, const float* logits, AdaptivePredictor& predictor,
                       std::size_t lane, std::size_t strip) {
    TACIT_ASSIGN(LanePrediction* const predicted, predictor.predict(lane, step, logits, scratch_));
    LanePrediction& prediction = *predicted;
    if (tracer_.has_value()) {
      TACIT_TRY(tracer_->begin(prediction, predictor.sampler_shares(lane), logits, scratch_.frequencies));
    }
    while (prediction.has_decision()) {
      const bool bit = stream.code_decision(step, prediction);
      if (tracer_.has_value()) tracer_->decided(prediction, bit);
      prediction.update(bit);
    }
    if (prediction.is_found()) {
      stream.found(prediction.found());
    } else {
      TACIT_ASSIGN(const Interval interval, stream.code(step, prediction));
      if (tracer_.has_value()) tracer_->coded(interval);
    }
    const std::uint32_t symbol = symbol_at(stream, step);
    predictor.finish(lane, step, symbol, scratch_);
    if (tracer_.has_value()) (*traces_)[strip].push_back(tracer_->finish(symbol, prediction));
    return {};
  }

  LaneTraces* traces_;            // null where tracing is off
  std::optional<Tracer> tracer_;  // likewise
  PredictScratch scratch_;
};

}  // namespace tacit
