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

std::uint64_t count_records(std::span<const RecordSpan> spans) {
  std::uint64_t count = 0;
  for (const RecordSpan& span : spans) count += span.record_count;
  return count;
}

std::vector<RecordSpan> LineCutter::cut(ByteSpan text) {
  const std::size_t piece_max = std::max(target_, kRecordPartBytes);
  std::vector<RecordSpan> spans;
  RecordSpan open;
  const auto close = [&] {
    if (open.bytes > 0) spans.push_back(open);
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
  return spans;
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
