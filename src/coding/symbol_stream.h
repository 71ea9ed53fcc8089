// SPDX-License-Identifier: MIT
// One strip's symbols and code stream, in either direction: encoder and decoder run the same loop; the encoder knows
// the next symbol, the decoder reads it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "coder/range_coder.h"
#include "mixing/adaptive.h"
#include "tokenizer/tokenizer.h"

namespace tacit {

// A distribution is Frequencies or a LanePrediction.
struct SymbolEncoder {
  static constexpr ErrorCode kLimitError = ErrorCode::kUsage;  // the caller asked for too long a window, too many lanes
  static constexpr bool kIsEncoder = true;
  std::span<const TokenId> symbols;
  RangeEncoder encoder;

  [[nodiscard]] std::uint64_t symbol_count() const { return symbols.size(); }
  [[nodiscard]] std::uint64_t code_bytes() const { return encoder.byte_count(); }

  bool code_decision(std::uint64_t step, const LanePrediction& prediction) {
    const bool bit = prediction.decision_for(static_cast<std::uint32_t>(symbols[step]));
    const std::uint64_t probability = prediction.bit_probability();
    encoder.encode(bit ? 0 : probability, bit ? probability : kDecisionTotal - probability, kDecisionTotal);
    return bit;
  }
  void found(std::uint32_t) {}
  template <class Distribution>
  Result<Interval> code(std::uint64_t step, const Distribution& distribution) {
    const Interval interval = distribution.interval_of(static_cast<std::uint32_t>(symbols[step]));
    encoder.encode(interval.low, interval.size, interval.total);
    return interval;
  }
};

struct SymbolDecoder {
  static constexpr ErrorCode kLimitError = ErrorCode::kDamaged;  // the archive asks for it, and no encoder wrote that
  static constexpr bool kIsEncoder = false;
  RangeDecoder decoder;
  std::uint64_t count;
  std::vector<TokenId> symbols;

  [[nodiscard]] std::uint64_t symbol_count() const { return count; }
  [[nodiscard]] std::uint64_t code_bytes() const { return 0; }
  // After the last symbol. Errors: kDamaged.
  [[nodiscard]] Status check_end() const {
    return decoder.exhausted() ? Status() : damaged("code stream: found more bytes than its symbols need");
  }

  bool code_decision(std::uint64_t, const LanePrediction& prediction) {
    const std::uint64_t probability = prediction.bit_probability();
    const bool bit = decoder.value(kDecisionTotal) < probability;
    decoder.consume(bit ? 0 : probability, bit ? probability : kDecisionTotal - probability, kDecisionTotal);
    return bit;
  }
  void found(std::uint32_t symbol) { symbols.push_back(static_cast<TokenId>(symbol)); }
  template <class Distribution>
  Result<Interval> code(std::uint64_t, const Distribution& distribution) {
    // Where every symbol is a candidate a damaged stream may say that it is none of them.
    if (distribution.total() == 0) {
      return damaged("code stream: found a choice among no symbols, expected one at least");
    }
    Interval interval;
    const std::uint64_t value = decoder.value(distribution.total());
    symbols.push_back(static_cast<TokenId>(distribution.symbol_at(value, interval)));
    decoder.consume(interval.low, interval.size, interval.total);
    return interval;
  }
};

// What the model reads at `step` of a strip whose symbols before it are known: the last of these.
template <class Stream>
TokenId input_token(const Tokenizer& tokenizer, const Stream& stream, std::uint64_t step) {
  return step == 0 ? tokenizer.context_start_token() : tokenizer.model_token(stream.symbols[step - 1]);
}

}  // namespace tacit
