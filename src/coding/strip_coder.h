// SPDX-License-Identifier: MIT
// Symbols to code streams and back, many strips of text side by side, each in a lane that starts with an empty context.
// A schedule says what strips know of each other:
//
// Lockstep: all strips have a lane from the start, and step t of every lane comes before step t + 1 of any, so that
// experts can learn from all lanes' past and encoder and decoder still know the same (spec/numeric.md, section 8).
//
// Independent: strips know nothing of each other, so that any of them decodes by itself, to the same bits. A lane that
// has ended one takes the next, the longest first, so that lanes stay full until there are no more strips.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "coding/coding_context.h"
#include "engine/engine.h"
#include "mixing/adaptive.h"

namespace tacit {

struct Schedule {
  enum class Kind : std::uint8_t { kLockstep, kIndependent };
  Kind kind = Kind::kLockstep;
  std::uint32_t lane_max = 0;  // independent: most strips that are coded side by side; changes no bit

  static Schedule lockstep() { return {}; }
  static Schedule independent(std::uint32_t lane_max) { return {Kind::kIndependent, lane_max}; }
};

struct EncodedStrips {
  std::vector<ByteVector> codes;  // one for each strip; none where the observer stopped
  bool stopped = false;
};

struct CodedStrip {
  ByteSpan code;
  std::uint64_t symbol_count = 0;
};

class StripCoder {
 public:
  StripCoder(const CodingContext& context, const Schedule& schedule)
      : context_(context), schedule_(schedule), lanes_(context.engine.make_lanes(context.window)) {}

  // Errors: kModel where a logit is not finite; kUsage where lanes take more than limits::kCacheBytesMax, or experts
  // would have to remember more than limits::kHistorySymbolsMax; the observer's.
  Result<EncodedStrips> encode(std::span<const std::span<const TokenId>> strips, const CodingObserver& observer);

  // The inverse; a decoder's observer may not stop. Errors: kModel as above; kDamaged where a code stream is longer
  // than its symbols need, or where one of the limits is exceeded; the observer's.
  Result<std::vector<std::vector<TokenId>>> decode(std::span<const CodedStrip> strips, const CodingObserver& observer);

 private:
  template <class Stream>
  Result<Proceed> run(std::vector<Stream>& streams, const CodingObserver& observer);
  template <class Stream>
  Result<Proceed> run_lockstep(std::span<Stream> streams, const CodingObserver& observer);
  template <class Stream>
  Result<Proceed> run_independent(std::span<Stream> streams, const CodingObserver& observer);

  AdaptivePredictor* predictor(std::size_t index, std::span<const std::uint64_t> strip_sizes);

  CodingContext context_;
  Schedule schedule_;
  std::unique_ptr<Lanes> lanes_;
  std::vector<std::unique_ptr<AdaptivePredictor>> predictors_;  // lockstep: one; independent: one for each lane
};

}  // namespace tacit
