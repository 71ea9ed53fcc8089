// SPDX-License-Identifier: MIT
// The text of the progress line: numbers in, one line out. Draws nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tacit::cli {

struct ProgressView {
  std::string name;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  // 0: not known
  double ratio = 0;               // 0: not known
  double tokens_per_second = 0;
  double seconds_left = -1;  // negative: not known
  bool is_verifying = false;
};

// At most `columns` characters. Where they are few, the name is cut, then the bar goes, then the name, then the end.
std::string progress_line(const ProgressView& view, std::size_t columns);

}  // namespace tacit::cli
