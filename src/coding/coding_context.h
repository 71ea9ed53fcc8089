// SPDX-License-Identifier: MIT
// What coding needs, in either direction, and what its caller sees of it meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "coding/trace.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "sampling/sampler_settings.h"
#include "tokenizer/tokenizer.h"

namespace tacit {

// The objects outlive whoever holds this.
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
struct CodingState {
  std::uint64_t symbols_done = 0;  // of all strips
  double share_done = 0;           // of the symbols
  std::uint64_t code_bytes = 0;    // encoding: of all strips so far
};
using CodingObserver = std::function<Status(const CodingState&)>;

struct CodedStrip {
  ByteSpan code;
  std::uint64_t symbol_count = 0;
};

}  // namespace tacit
