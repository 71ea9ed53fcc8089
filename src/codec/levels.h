// SPDX-License-Identifier: MIT
// What the levels 1 to 9 stand for, size against time (docs/decisions/0009 has the figures), the lanes of a model, and
// the segments of records.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/config.h"
#include "store/loaded_model.h"

namespace tacit {

inline constexpr std::uint32_t kLevelMin = 1;
inline constexpr std::uint32_t kLevelMax = 9;
inline constexpr std::uint32_t kLevelDefault = 5;

// Text of the segments of an archive of records: a second or so of one lane of the built-in model
// (docs/decisions/0016-records.md).
inline constexpr std::uint32_t kSegmentBytesDefault = 16 * 1024;
inline constexpr std::uint32_t kSegmentBytesMax = 1024 * 1024;  // the smallest block

struct Level {
  bool adaptive = true;              // experts that learn from the text
  std::uint32_t window_quarters = 4;  // of the model's default window
  std::size_t block_bytes = 0;       // experts learn within a block, and a block decodes by itself
};

// `level`: kLevelMin to kLevelMax.
Level level_settings(std::uint32_t level);

// Tokens of context of a level.
std::uint32_t level_window(const Level& level, const Config& config);

// Strips that a block is cut into unless told otherwise: so many that the caches of their lanes take as much memory as
// the weights, from 8 to 32, and no more than limits::kCacheBytesMax in all. With fewer, weights are read too often;
// with more, caches are (docs/decisions/0003).
std::uint32_t default_lane_count(const LoadedModel& model, std::uint32_t window);

}  // namespace tacit
