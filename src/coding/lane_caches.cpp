// SPDX-License-Identifier: MIT
#include "coding/lane_caches.h"

#include <algorithm>
#include <string>

namespace tacit {

Result<std::span<LaneCache>> LaneCaches::reserve(std::size_t lane_count, std::uint64_t step_count,
                                                 ErrorCode excess_code) {
  const auto positions = static_cast<std::uint32_t>(std::min<std::uint64_t>(window_, step_count));
  if (std::string excess = LaneCache::excess(config_, positions, kChunkMax, lane_count); !excess.empty()) {
    return Error{excess_code, std::move(excess)};
  }
  // Caches of blocks before may be too small for this one, or larger than it needs and too large for all its lanes.
  if (positions > positions_ || !LaneCache::excess(config_, positions_, kChunkMax, lane_count).empty()) {
    caches_.clear();
    positions_ = positions;
  }
  while (caches_.size() < lane_count) caches_.emplace_back(config_, positions_, kChunkMax);
  return std::span(caches_).first(lane_count);
}

}  // namespace tacit
