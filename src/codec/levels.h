// SPDX-License-Identifier: MIT
// What the levels 1 to 9 stand for: size against time (docs/decisions/0009 has the figures).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/limits.h"
#include "model/config.h"

namespace tacit {

inline constexpr std::uint32_t kLevelMin = 1;
inline constexpr std::uint32_t kLevelMax = 9;
inline constexpr std::uint32_t kLevelDefault = 5;

struct Level {
  bool adaptive = true;              // experts that learn from the text
  std::uint32_t window_quarters = 4;  // of the model's default window
  std::size_t block_bytes = 0;       // experts learn within a block, and a block decodes alone
};

// `level`: kLevelMin to kLevelMax.
inline Level level_settings(std::uint32_t level) {
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

inline std::uint32_t level_window(const Level& level, const Config& config) {
  const std::uint32_t window = config.default_window() * level.window_quarters / 4;
  return std::clamp(window, limits::kWindowMin, std::max(config.window_max(), limits::kWindowMin));
}

}  // namespace tacit
