// SPDX-License-Identifier: MIT
// The engines of this machine: which there are, and one for a loaded model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "engine/engine.h"
#include "store/loaded_model.h"

namespace tacit {

struct EngineOptions {
  std::string kernel_set;  // "": the fastest here
  ThreadPool* pool = nullptr;
};

// Those that this machine can run, best first, with commas between them: "avx512,avx2,reference".
const std::string& kernel_sets();
// Whether it is one of them, or "".
bool is_kernel_set(const std::string& name);

// Model and pool must outlive the engine; the kernel set is one. Loads the weights where that is not done.
// Errors: kModel.
Result<std::unique_ptr<Engine>> make_engine(const LoadedModel& model, const EngineOptions& options);

// Memory of one lane of that window, and the most lanes of it that fit into limits::kCacheBytesMax, at least 1. Those
// of the processor's engine, whatever engine is used: archives depend on them.
std::uint64_t lane_bytes(const LoadedModel& model, std::uint32_t window);
std::size_t lanes_max(const LoadedModel& model, std::uint32_t window);

}  // namespace tacit
