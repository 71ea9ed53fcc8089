// SPDX-License-Identifier: MIT
// The engine of the processor at hand: packed weights, a kernel set, and a thread pool that passes share.
#pragma once

#include <cstdint>
#include <memory>

#include "base/thread_pool.h"
#include "engine/cpu/kernels/kernels.h"
#include "engine/cpu/packed_weights.h"
#include "engine/engine.h"
#include "model/model.h"

namespace tacit {

// The arguments must outlive the engine.
std::unique_ptr<Engine> make_cpu_engine(const Model& model, const PackedWeights& weights,
                                        const kernels::Kernels& kernels, ThreadPool& pool);

// Memory of one lane.
std::uint64_t cpu_lane_bytes(const Config& config, std::uint32_t window);
// Lanes of that window that limits::kCacheBytesMax has room for; 1 at least, whether it has or not.
std::size_t cpu_lanes_max(const Config& config, std::uint32_t window);

}  // namespace tacit
