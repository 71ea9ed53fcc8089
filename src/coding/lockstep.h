// SPDX-License-Identifier: MIT
// Symbols to code streams and back, many strips of text side by side. Every strip is coded by a lane, which starts
// with a fresh context. Lanes advance in lockstep: step t of every lane comes before step t + 1 of any, so that what is
// learnt from all lanes' past (spec/numeric.md, section 8) is the same for encoder and decoder. Encoding knows the text
// and runs the model over a chunk of steps at once; decoding runs it step by step, or for a single lane over a draft of
// its text (coding/drafter.h); the bits are the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "coding/coding_context.h"
#include "coding/lane_caches.h"

namespace tacit {

class Lockstep {
 public:
  explicit Lockstep(const CodingContext& context) : context_(context), caches_(context.model.config, context.window) {}

  // One code stream for each strip. Errors: kModel where a logit is not finite; kUsage where the lanes' caches exceed
  // limits::kCacheBytesMax, or experts would have to remember more than limits::kHistorySymbolsMax; the observer's.
  Result<std::vector<ByteVector>> encode(std::span<const std::span<const TokenId>> strips,
                                         const CodingObserver& observer);

  // The inverse. Errors: kModel as above; kDamaged where a code stream is longer than its symbols need, or where
  // one of the limits is exceeded; the observer's.
  Result<std::vector<std::vector<TokenId>>> decode(std::span<const CodedStrip> strips,
                                                   const CodingObserver& observer);

  // Whether experts can remember so many symbols of a block: else the error, with that code.
  static Status check_history(const CodingContext& context, std::uint64_t symbol_count, ErrorCode excess_code);

 private:
  template <class Port>
  Status run(std::vector<Port>& ports, std::uint32_t chunk, const CodingObserver& observer);

  CodingContext context_;
  LaneCaches caches_;
};

}  // namespace tacit
