// SPDX-License-Identifier: MIT
// What coding needs, in either direction, and what its caller sees of it meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "coding/trace.h"
#include "engine/engine.h"
#include "sampling/sampler_settings.h"
#include "tokenizer/tokenizer.h"

namespace tacit {

// The objects outlive whoever holds this.
struct CodingContext {
  const Engine& engine;
  const Tokenizer& tokenizer;
  ThreadPool& pool;  // whose threads drive the engine's passes
  std::uint32_t window = 0;
  bool adaptive = true;  // experts that learn from what was coded; false: the model's softmax only
  std::optional<SamplerSettings> sampler;  // that the text is said to have been drawn with; adaptive only
  LaneTraces* traces = nullptr;  // not null: filled by each call with what every symbol cost
};

struct CodingState {
  std::uint64_t symbols_done = 0;  // of all strips
  std::uint64_t steps_done = 0;    // of every strip, or all that it has; 0 where strips are independent
  double share_done = 0;           // of the symbols
  std::uint64_t code_bytes = 0;    // encoding: of all strips so far
  std::vector<std::uint64_t> strip_code_bytes;  // encoding: of each
};

// Called by the calling thread now and then. kStop ends the work without a result; an error ends it with that error.
enum class Proceed : std::uint8_t { kContinue, kStop };
using CodingObserver = std::function<Result<Proceed>(const CodingState&)>;

}  // namespace tacit
