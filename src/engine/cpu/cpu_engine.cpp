// SPDX-License-Identifier: MIT
#include "engine/cpu/cpu_engine.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "engine/cpu/cache.h"
#include "engine/cpu/forward.h"

namespace tacit {
namespace {

// Positions of a lane that its cache has room for beside the window. More rows of a lane in one run would gain nothing:
// a lane's keys and values, once in the processor's cache, serve all of them (docs/decisions/0017).
constexpr std::uint32_t kChunkMax = 64;
// Rows of a run: enough for a product to read its weights seldom.
constexpr std::uint32_t kRows = 256;
// Rows whose logits are found at once: enough for the output matrix to be read seldom where lanes are few.
constexpr std::uint32_t kLogitRows = 16;

// What one more row costs where runs have one (docs/decisions/0013). Weights that no cache holds are read for all rows
// together, unless each row has its own ffn experts.
double row_cost(const Model& model) {
  constexpr std::uint64_t kCachedWeights = 12'000'000;
  const bool shares_memory = model.config.expert_count == 0 && model.multiply_adds_per_token() > kCachedWeights;
  return shares_memory ? 0.2 : 0.5;
}

struct Parts {
  const Model& model;
  const PackedWeights& weights;
  const kernels::Kernels& kernels;
  ThreadPool& pool;

  // One tile more than the logits take: vocabularies tend to be multiples of a page, and rows that are whole pages
  // apart get in each other's way in the first-level cache.
  [[nodiscard]] std::size_t logit_stride() const {
    return kernels::round_up(model.config.vocabulary_size, kernels::kTile) + kernels::kTile;
  }
};

class CpuPass : public Pass {
 public:
  CpuPass(const Parts& parts, std::span<LaneCache> lanes, std::uint32_t window, ThreadPool* pool)
      : lanes_(lanes),
        stride_(parts.logit_stride()),
        forward_(parts.model, parts.weights, parts.kernels, window, pool) {}

  void run(std::span<const Row> rows) override { forward_.run(lanes_, rows); }
  void logits(std::span<const std::uint32_t> rows, float* out) override { forward_.logits(rows, out, stride_); }

 private:
  std::span<LaneCache> lanes_;
  std::size_t stride_;
  Forward forward_;
};

class CpuLanes : public Lanes {
 public:
  CpuLanes(const Parts& parts, std::uint32_t window) : parts_(parts), window_(window) {}

  // A text shorter than the window needs less than one of the window.
  Status reserve(std::size_t lane_count, std::uint64_t step_count, ErrorCode excess_code) override {
    const Config& config = parts_.model.config;
    const auto positions = static_cast<std::uint32_t>(std::min<std::uint64_t>(window_, step_count));
    if (std::string excess = LaneCache::excess(config, positions, kChunkMax, lane_count); !excess.empty()) {
      return Error{excess_code, std::move(excess)};
    }
    // Caches of uses before may be too small for this one, or larger than it needs and too large for all its lanes.
    if (positions > positions_ || !LaneCache::excess(config, positions_, kChunkMax, lane_count).empty()) {
      caches_.clear();
      positions_ = positions;
    }
    while (caches_.size() < lane_count) caches_.emplace_back(config, positions_, kChunkMax);
    return {};
  }

  std::unique_ptr<Pass> make_pass(bool uses_all_threads) override {
    const bool shares = uses_all_threads && parts_.pool.thread_count() > 1;
    return std::make_unique<CpuPass>(parts_, caches_, window_, shares ? &parts_.pool : nullptr);
  }

 private:
  const Parts parts_;
  std::uint32_t window_;
  std::vector<LaneCache> caches_;
  std::uint32_t positions_ = 0;  // that each has room for
};

class CpuEngine : public Engine {
 public:
  explicit CpuEngine(const Parts& parts) : parts_(parts), row_cost_(row_cost(parts.model)) {}

  [[nodiscard]] std::unique_ptr<Lanes> make_lanes(std::uint32_t window) const override {
    return std::make_unique<CpuLanes>(parts_, window);
  }
  [[nodiscard]] std::size_t lanes_max(std::uint32_t window) const override {
    return cpu_lanes_max(parts_.model.config, window);
  }
  // As many passes as threads; where lanes are fewer than threads one pass whose operations all threads share.
  [[nodiscard]] BatchShape batch_shape(std::size_t lane_count) const override {
    const std::uint32_t thread_count = parts_.pool.thread_count();
    return {.pass_count = lane_count < thread_count ? 1 : thread_count,
            .row_count = kRows,
            .chunk_max = kChunkMax,
            .logit_rows = kLogitRows,
            .row_cost = row_cost_};
  }
  [[nodiscard]] bool can_rerun() const override { return !parts_.model.config.is_recurrent(); }
  [[nodiscard]] std::size_t logit_stride() const override { return parts_.logit_stride(); }
  [[nodiscard]] const kernels::DistributionKernels& distribution_kernels() const override {
    return parts_.kernels;
  }

 private:
  Parts parts_;
  double row_cost_;
};

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const Model& model, const PackedWeights& weights,
                                        const kernels::Kernels& kernels, ThreadPool& pool) {
  return std::make_unique<CpuEngine>(Parts{model, weights, kernels, pool});
}

std::uint64_t cpu_lane_bytes(const Config& config, std::uint32_t window) {
  return LaneCache::bytes_needed(config, window, kChunkMax);
}

std::size_t cpu_lanes_max(const Config& config, std::uint32_t window) {
  return std::max<std::uint64_t>(limits::kCacheBytesMax / cpu_lane_bytes(config, window), 1);
}

}  // namespace tacit
