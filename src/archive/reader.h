// SPDX-License-Identifier: MIT
// Untrusted bytes to archive structures: everything is checked against the hashes, base/limits.h and the size of the
// archive before it is used. Knows structures, not what decodes them.
#pragma once

#include <span>

#include "archive/format.h"
#include "base/result.h"

namespace tacit::archive {

// Whether the bytes start as an archive does.
bool begins_as_archive(ByteSpan bytes);

// Parses one serialised block that fills `bytes` exactly. `has_records`: the header's. Errors: kDamaged, naming offset
// (within the block), field, found and expected. Payloads are views into `bytes`.
Result<Block> parse_block(ByteSpan bytes, bool has_records = false);

// An archive in memory; the bytes must outlive the object.
class Reader {
 public:
  // Checks header, index and footer. Errors: kDamaged, naming offset, field, found and expected.
  static Result<Reader> open(ByteSpan archive);

  [[nodiscard]] const Header& header() const { return header_; }
  [[nodiscard]] std::span<const BlockEntry> blocks() const { return blocks_; }
  [[nodiscard]] std::uint64_t original_bytes() const { return original_bytes_; }
  [[nodiscard]] std::uint64_t record_count() const { return record_count_; }
  [[nodiscard]] std::uint64_t archive_bytes() const { return archive_.size(); }
  // Checks and parses block `index`. Errors: kDamaged, naming the block and the original bytes it stands for.
  [[nodiscard]] Result<Block> read_block(std::size_t index) const;

 private:
  ByteSpan archive_;
  Header header_;
  std::vector<BlockEntry> blocks_;
  std::uint64_t original_bytes_ = 0;
  std::uint64_t record_count_ = 0;
};

}  // namespace tacit::archive
