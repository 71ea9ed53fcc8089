// SPDX-License-Identifier: MIT
// Text as records, one a line: where it is cut into spans that can be stored, and decoded, one by one. A record ends
// behind its '\n'; the last one may have none. Knows bytes, and nothing of how they are stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace tacit {

// Whole records, or a part of one that is too long.
struct RecordSpan {
  std::size_t bytes = 0;
  std::uint64_t record_count = 0;  // of those that begin in it
};

std::uint64_t count_records(std::span<const RecordSpan> spans);

class LineCutter {
 public:
  // Records longer than this are cut, and longer than a span's target.
  static constexpr std::size_t kRecordPartBytes = 64 * 1024;

  // `target`: bytes of a span, as far as whole records allow; at least 1, which takes each record by itself.
  explicit LineCutter(std::size_t target) : target_(target) {}

  // The spans of a text that goes on from those before it, each with a byte at least.
  std::vector<RecordSpan> cut(ByteSpan text);

 private:
  std::size_t target_;
  bool continues_ = false;  // the text so far ends inside of a record
};

// The lines of a text, as views of it, each with its '\n' if it has one.
std::vector<ByteSpan> lines_of(ByteSpan text);

}  // namespace tacit
