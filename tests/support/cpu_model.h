// SPDX-License-Identifier: MIT
// A model ready to run on the processor: what tests, benchmarks and fuzzers need beside its file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/thread_pool.h"
#include "coding/coding_context.h"
#include "engine/cpu/cpu_engine.h"
#include "engine/cpu/packed_weights.h"
#include "model/model.h"

namespace tacit::test {

inline PackedWeights pack(const Model& model) {
  ThreadPool caller(1);
  return PackedWeights::pack(model.weights, caller, {}).value();
}

// An engine with what it refers to, but for the model.
class CpuModel {
 public:
  explicit CpuModel(const Model& model, std::uint32_t thread_count = 1,
                    const kernels::Kernels& kernels = *kernels::find_kernels(""))
      : pool_(thread_count), weights_(pack(model)), engine_(make_cpu_engine(model, weights_, kernels, pool_)) {}
  CpuModel(const CpuModel&) = delete;

  [[nodiscard]] const PackedWeights& weights() const { return weights_; }
  [[nodiscard]] const Engine& engine() const { return *engine_; }
  CodingContext context(const Tokenizer& tokenizer, std::uint32_t window, bool adaptive, LaneTraces* traces = nullptr) {
    return {*engine_, tokenizer, pool_, window, adaptive, std::nullopt, traces};
  }

 private:
  ThreadPool pool_;
  PackedWeights weights_;
  std::unique_ptr<Engine> engine_;
};

inline Result<Proceed> ignore_progress(const CodingState&) { return Proceed::kContinue; }

}  // namespace tacit::test
