// SPDX-License-Identifier: MIT
#include "archive/writer.h"

#include <cassert>

#include "base/limits.h"

namespace tacit::archive {

ByteVector serialize_header(const Header& header) {
  assert(header.model_name.size() <= limits::kModelNameBytesMax);
  ByteVector out(kMagic.begin(), kMagic.end());
  append_value(out, header.format_version);
  append_value(out, header.contract);
  append_value(out, static_cast<std::uint8_t>(header.has_model ? 1 : 0));
  if (header.has_model) {
    append_value(out, header.window);
    append_bytes(out, header.model_fingerprint);
    append_value(out, static_cast<std::uint8_t>(header.model_name.size()));
    append_bytes(out, as_bytes(header.model_name));
  }
  append_value(out, xxh3_64(out));
  return out;
}

ByteVector serialize_block(const Block& block) {
  ByteVector out{kBlockTag};
  append_varint(out, block.original_bytes);
  append_varint(out, block.segments.size());
  for (const Segment& segment : block.segments) {
    append_value(out, static_cast<std::uint8_t>(segment.method));
    append_varint(out, segment.method == Method::kModel ? segment.token_count : segment.original_bytes);
    append_varint(out, segment.payload.size());
  }
  append_value(out, block.content_hash);
  for (const Segment& segment : block.segments) append_bytes(out, segment.payload);
  append_value(out, xxh3_64(out));
  return out;
}

ByteVector serialize_index_and_footer(std::span<const BlockEntry> entries) {
  ByteVector out{kIndexTag};
  append_varint(out, entries.size());
  for (const BlockEntry& entry : entries) {
    append_varint(out, entry.stored_bytes);
    append_varint(out, entry.original_bytes);
  }
  append_value(out, static_cast<std::uint32_t>(out.size()));
  append_value(out, xxh3_64(out));
  return out;
}

}  // namespace tacit::archive
