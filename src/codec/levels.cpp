// SPDX-License-Identifier: MIT
#include "codec/levels.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "store/engines.h"

namespace tacit {

Level level_settings(std::uint32_t level) {
  constexpr std::size_t kMiB = 1024 * 1024;
  constexpr std::array<Level, kLevelMax> kLevels = {{
      {false, 1, kMiB},
      {false, 2, kMiB},
      {true, 1, kMiB},
      {true, 2, kMiB},
      {true, 4, kMiB},
      {true, 4, 2 * kMiB},
      {true, 4, 4 * kMiB},
      {true, 4, 8 * kMiB},
      {true, 8, 8 * kMiB},
  }};
  return kLevels[level - 1];
}

std::uint32_t level_window(const Level& level, const Config& config) {
  const std::uint32_t window = config.default_window() * level.window_quarters / 4;
  return std::clamp(window, limits::kWindowMin, std::max(config.window_max(), limits::kWindowMin));
}

std::uint32_t default_lane_count(const LoadedModel& model, std::uint32_t window) {
  constexpr std::uint64_t kLanesMin = 8;
  constexpr std::uint64_t kLanesMax = 32;
  const std::uint64_t count = std::clamp(model.file_bytes / lane_bytes(model, window), kLanesMin, kLanesMax);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(lanes_max(model, window), count));
}

}  // namespace tacit
