// SPDX-License-Identifier: MIT
#include "records/lines.h"

#include <algorithm>

namespace tacit {
namespace {

// Of the line at the text's begin, with its '\n' if it has one.
std::size_t line_bytes(ByteSpan text) {
  const auto end = std::find(text.begin(), text.end(), std::uint8_t{'\n'});
  return static_cast<std::size_t>(end - text.begin()) + (end == text.end() ? 0 : 1);
}

}  // namespace

std::uint64_t count_records(std::span<const Stretch> stretches) {
  std::uint64_t count = 0;
  for (const Stretch& stretch : stretches) count += stretch.record_count;
  return count;
}

std::vector<Stretch> LineCutter::cut(ByteSpan text) {
  const std::size_t piece_max = std::max(target_, kPieceBytes);
  std::vector<Stretch> stretches;
  Stretch open;
  const auto close = [&] {
    if (open.bytes > 0) stretches.push_back(open);
    open = {};
  };
  while (!text.empty()) {
    const std::size_t line = line_bytes(text);
    const std::size_t bytes = std::min(line, piece_max);
    if (continues_ || open.bytes + bytes > target_) close();
    open.bytes += bytes;
    if (!continues_) ++open.record_count;
    if (continues_) close();  // what is left of a long record has no other beside it
    continues_ = text[bytes - 1] != '\n';
    text = text.subspan(bytes);
  }
  close();
  return stretches;
}

std::vector<ByteSpan> lines_of(ByteSpan text) {
  std::vector<ByteSpan> lines;
  while (!text.empty()) {
    lines.push_back(text.first(line_bytes(text)));
    text = text.subspan(lines.back().size());
  }
  return lines;
}

}  // namespace tacit
