// SPDX-License-Identifier: MIT
// Symbols to code streams and back, many strips of text side by side. Every strip is coded by a lane, which starts
// with a fresh context. Lanes advance in lockstep: step t of every lane comes before step t + 1 of any, so that what is
// learnt from all lanes' past (spec/numeric.md, section 8) is the same for encoder and decoder. Encoding knows the text
// and runs the model over a chunk of steps at once; decoding runs it step by step, or for a single lane over a draft of
// its text (codec/drafter.h); the bits are the same.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "codec/trace.h"
#include "coder/range_coder.h"
#include "kernels/kernels.h"
#include "model/forward.h"
#include "predict/adaptive.h"
#include "predict/frequencies.h"
#include "tokenizer/tokenizer.h"

namespace tacit {

// What coding needs. The objects outlive whoever holds this.
struct CodingContext {
  const Model& model;
  const Tokenizer& tokenizer;
  const kernels::Kernels& kernels;
  ThreadPool& pool;
  std::uint32_t window = 0;
  bool adaptive = true;  // numeric contract 2: experts that learn from what was coded; false: contract 1, plain softmax
  std::optional<SamplerSettings> sampler;  // that the text is said to have been drawn with; contract 2 only
  LaneTraces* traces = nullptr;  // not null: filled by each call with what every symbol cost
};

// Called by the calling thread between chunks of steps; an error ends the work with that error.
struct LockstepState {
  std::uint64_t symbols_done = 0;  // of all lanes
  double share_done = 0;           // of the symbols
  std::uint64_t code_bytes = 0;    // encoding: of all lanes so far
};
using LockstepObserver = std::function<Status(const LockstepState&)>;

struct CodedStrip {
  ByteSpan code;
  std::uint64_t symbol_count = 0;
};

class Lockstep {
 public:
  explicit Lockstep(const CodingContext& context) : context_(context) {}

  // Memory of the keys and values of one lane.
  static std::uint64_t lane_bytes(const Config& config, std::uint32_t window);

  // One code stream for each strip. Errors: kModel where a logit is not finite; kUsage where the lanes' caches exceed
  // limits::kCacheBytesMax, or experts would have to remember more than limits::kHistorySymbolsMax; the observer's.
  Result<std::vector<ByteVector>> encode(std::span<const std::span<const TokenId>> strips,
                                         const LockstepObserver& observer);

  // The inverse. Errors: kModel as above; kDamaged where a code stream is longer than its symbols need, or where
  // one of the limits is exceeded; the observer's.
  Result<std::vector<std::vector<TokenId>>> decode(std::span<const CodedStrip> strips,
                                                   const LockstepObserver& observer);

 private:
  template <class Port>
  Status run(std::vector<Port>& ports, std::uint32_t chunk, const LockstepObserver& observer);

  Status reserve_caches(std::size_t lane_count, std::uint64_t step_count, ErrorCode excess_code);

  CodingContext context_;
  std::vector<LaneCache> caches_;  // kept from call to call
  std::uint32_t cache_positions_ = 0;
};

}  // namespace tacit
