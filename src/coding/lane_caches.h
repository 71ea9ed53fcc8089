// SPDX-License-Identifier: MIT
// The caches of the lanes that are coded side by side, kept from block to block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "model/cache.h"

namespace tacit {

class LaneCaches {
 public:
  // New positions that a lane may read at once.
  static constexpr std::uint32_t kChunkMax = 64;

  // `window`: tokens of context.
  LaneCaches(const Config& config, std::uint32_t window) : config_(config), window_(window) {}

  // Memory of one lane.
  static std::uint64_t lane_bytes(const Config& config, std::uint32_t window) {
    return LaneCache::bytes_needed(config, window, kChunkMax);
  }

  // Lanes of that window that limits::kCacheBytesMax has room for; 1 at least, whether it has or not.
  static std::size_t lanes_max(const Config& config, std::uint32_t window) {
    return std::max<std::uint64_t>(limits::kCacheBytesMax / lane_bytes(config, window), 1);
  }

  // Of lanes of up to `step_count` positions: a text shorter than the window needs less than one of the window. Errors:
  // `excess_code` where all of them would take more than limits::kCacheBytesMax.
  Result<std::span<LaneCache>> reserve(std::size_t lane_count, std::uint64_t step_count, ErrorCode excess_code);

 private:
  const Config& config_;
  std::uint32_t window_;
  std::vector<LaneCache> caches_;
  std::uint32_t positions_ = 0;  // that each has room for
};

}  // namespace tacit
