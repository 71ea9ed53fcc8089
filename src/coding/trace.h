// SPDX-License-Identifier: MIT
// What coding a symbol cost, and why, for `tacit inspect`. The coder fills it beside its work where tracing is on, and
// does the same work whether or not it is.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mixing/adaptive.h"
#include "sampling/frequencies.h"

namespace tacit {

// How a symbol was found.
enum class Coding : std::uint8_t {
  kSoftmax = 0,  // contract 1: by the model's distribution as it is
  kRank1 = 1,    // by a binary decision, as the likeliest candidate; the ranks after it follow
  kCandidate = 1 + static_cast<std::uint8_t>(kRankedMax),  // as one of the other symbols that experts have seen
  kEscape                                                  // as one that none of them has, by the model's distribution
};

struct TracedAlternative {
  std::uint32_t symbol = 0;
  float probability = 0;  // that it would have been coded with
};
inline constexpr std::size_t kTracedAlternatives = 5;

struct SymbolTrace {
  std::uint32_t symbol = 0;
  Coding coding = Coding::kSoftmax;
  double bits = 0;
  double probability = 1;        // that it was coded with
  double model_probability = 0;  // of the plain softmax
  float model_weight = 1;        // of the lane, before: the posterior of the model-only predictor
  std::uint32_t alternative_count = 0;
  std::array<TracedAlternative, kTracedAlternatives> alternatives;  // the likeliest other symbols, likeliest first
  std::array<float, std::tuple_size_v<ExpertShares>> experts{};     // parts in the probability; contract 1: the model's
  std::array<float, kSamplersMax> samplers{};  // the lane's posterior, before; contract 1: the plain softmax's
};

// A block's symbols, lane by lane. Threads may fill different lanes at a time.
using LaneTraces = std::vector<std::vector<SymbolTrace>>;

// "model", "context of 3 tokens": of an index into ExpertShares.
const std::string& expert_name(std::size_t index);

// Traces one symbol after another. One per thread.
class Tracer {
 public:
  Tracer(const kernels::DistributionKernels& kernels, std::uint32_t vocabulary_size, std::uint32_t symbol_count)
      : plain_(kernels, vocabulary_size, symbol_count) {}

  // Contract 1: before the symbol is coded with these frequencies.
  void begin_plain(const Frequencies& frequencies);
  // Contract 2: before the first decision. `base`: those of the prediction's scratch, left as they were. Errors: kModel
  // where a logit is not finite.
  Status begin(const LanePrediction& prediction, const SamplerShares& samplers, const float* logits, Frequencies& base);

  void decided(const LanePrediction& prediction, bool bit);  // before the prediction's update()
  void coded(const Interval& interval);
  // The symbol, once it is known, of whose coding all else is noted.
  SymbolTrace finish_plain(std::uint32_t symbol, const Frequencies& frequencies);
  SymbolTrace finish(std::uint32_t symbol, const LanePrediction& prediction);

 private:
  void offer(std::uint32_t symbol, double probability);
  void offer_left(const LanePrediction& prediction, double probability);
  void take_symbol(std::uint32_t symbol, const Frequencies& plain);

  Frequencies plain_;
  SymbolTrace trace_;
  std::size_t rank_ = 0;  // ranked candidates decided so far
  // One more than are kept: the symbol itself is among them, if anything.
  std::array<TracedAlternative, kTracedAlternatives + 1> likeliest_;
  std::size_t likeliest_count_ = 0;
};

}  // namespace tacit
