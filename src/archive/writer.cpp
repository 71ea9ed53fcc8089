// SPDX-License-Identifier: MIT
#include "archive/writer.h"

#include <cassert>

#include "base/limits.h"

namespace tacit::archive {

namespace {

void append_sampler(ByteVector& out, const SamplerSettings& sampler) {
  append_value(out, static_cast<std::uint8_t>(sampler.order));
  append_value(out, sampler.top_k);
  append_value(out, sampler.penalty_window);
  for (const float value : {sampler.temperature, sampler.top_p, sampler.min_p, sampler.typical_p,
                            sampler.repetition_penalty, sampler.presence_penalty, sampler.frequency_penalty}) {
    append_value(out, value);
  }
}

}  // namespace

ByteVector serialize_header(const Header& header) {
  assert(header.model_name.size() <= limits::kModelNameBytesMax);
  ByteVector out(kMagic.begin(), kMagic.end());
  append_value(out, header.format_version);
  append_value(out, header.contract);
  const bool has_sampler = header.has_model && header.sampler.has_value();
  append_value(out, static_cast<std::uint8_t>((header.has_model ? kModelFlag : 0) | (has_sampler ? kSamplerFlag : 0) |
                                              (header.has_records ? kRecordsFlag : 0)));
  if (header.has_model) {
    append_value(out, header.window);
    append_bytes(out, header.model_fingerprint);
    append_value(out, static_cast<std::uint8_t>(header.model_name.size()));
    append_bytes(out, as_bytes(header.model_name));
  }
  if (has_sampler) append_sampler(out, *header.sampler);
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
    if (block.has_records) {
      append_varint(out, segment.record_count);
      append_value(out, segment.content_hash);
    }
    append_varint(out, segment.payload.size());
  }
  append_value(out, block.content_hash);
  for (const Segment& segment : block.segments) append_bytes(out, segment.payload);
  append_value(out, xxh3_64(out));
  return out;
}

ByteVector serialize_index_and_footer(std::span<const BlockEntry> entries, bool has_records) {
  ByteVector out{kIndexTag};
  append_varint(out, entries.size());
  for (const BlockEntry& entry : entries) {
    append_varint(out, entry.stored_bytes);
    append_varint(out, entry.original_bytes);
    if (has_records) append_varint(out, entry.record_count);
  }
  append_value(out, static_cast<std::uint32_t>(out.size()));
  append_value(out, xxh3_64(out));
  return out;
}

}  // namespace tacit::archive
