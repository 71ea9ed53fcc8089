// SPDX-License-Identifier: MIT
// Codes one symbol after another, of any lane: logits to the distribution that the contract asks for, decisions and
// interval to the lane's port, and the trace of it where someone looks on. A thread needs one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "coding/coding_context.h"
#include "coding/symbol_stream.h"
#include "mixing/adaptive.h"

namespace tacit {

// Rows whose logits are found at once: enough for the output matrix to be read seldom where lanes are few.
inline constexpr std::size_t kLogitRows = 16;

class SymbolCoder {
 public:
  explicit SymbolCoder(const CodingContext& context)
      : traces_(context.traces),
        scratch_(context.kernels, context.tokenizer.vocabulary_size(), context.tokenizer.symbol_count(),
                 context.sampler) {
    if (traces_ == nullptr) return;
    tracer_.emplace(context.kernels, context.tokenizer.vocabulary_size(), context.tokenizer.symbol_count());
  }

  // Floats from a row of logits to the next. One tile more than the logits take: vocabularies tend to be multiples of a page,
  // and rows that are whole pages apart get in each other's way in the first-level cache.
  static std::size_t logits_stride(std::uint32_t vocabulary_size) {
    return kernels::round_up(vocabulary_size, kernels::kTile) + kernels::kTile;
  }

  // The symbol that the port has, or finds, at `step`. `predictor` knows it as its `lane`, the traces as their `strip`;
  // null: contract 1. Errors: kModel where a logit is not finite; kDamaged.
  template <class Port>
  Status code(Port& port, std::uint64_t step, const float* logits, AdaptivePredictor* predictor, std::size_t lane,
              std::size_t strip) {
    return predictor == nullptr ? code_plain(port, step, logits, strip)
                                : code_adaptive(port, step, logits, *predictor, lane, strip);
  }

 private:
  template <class Port>
  static std::uint32_t symbol_at(const Port& port, std::uint64_t step) {
    return static_cast<std::uint32_t>(port.symbols[step]);
  }

  template <class Port>
  Status code_plain(Port& port, std::uint64_t step, const float* logits, std::size_t strip) {
    const Frequencies& frequencies = scratch_.frequencies;
    TACIT_TRY(scratch_.frequencies.set_softmax(logits));
    if (tracer_.has_value()) tracer_->begin_plain(frequencies);
    TACIT_ASSIGN(const Interval interval, port.code(step, frequencies));
    if (tracer_.has_value()) {
      tracer_->coded(interval);
      (*traces_)[strip].push_back(tracer_->finish_plain(symbol_at(port, step), frequencies));
    }
    return {};
  }

  template <class Port>
  Status code_adaptive(Port& port, std::uint64_t step, const float* logits, AdaptivePredictor& predictor,
                       std::size_t lane, std::size_t strip) {
    TACIT_ASSIGN(LanePrediction* const predicted, predictor.predict(lane, step, logits, scratch_));
    LanePrediction& prediction = *predicted;
    if (tracer_.has_value()) {
      TACIT_TRY(tracer_->begin(prediction, predictor.sampler_shares(lane), logits, scratch_.frequencies));
    }
    while (prediction.has_decision()) {
      const bool bit = port.code_decision(step, prediction);
      if (tracer_.has_value()) tracer_->decided(prediction, bit);
      prediction.update(bit);
    }
    if (prediction.is_found()) {
      port.found(prediction.found());
    } else {
      TACIT_ASSIGN(const Interval interval, port.code(step, prediction));
      if (tracer_.has_value()) tracer_->coded(interval);
    }
    const std::uint32_t symbol = symbol_at(port, step);
    predictor.finish(lane, step, symbol, scratch_);
    if (tracer_.has_value()) (*traces_)[strip].push_back(tracer_->finish(symbol, prediction));
    return {};
  }

  LaneTraces* traces_;            // null where nobody looks on
  std::optional<Tracer> tracer_;  // likewise
  PredictScratch scratch_;
};

}  // namespace tacit
