// SPDX-License-Identifier: MIT
#include "archive/reader.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"

namespace tacit::archive {
namespace {

Error bad_field(std::uint64_t offset, const char* field, const std::string& found, const std::string& expected) {
  return damaged("offset " + std::to_string(offset) + ": " + field + ": found " + found + ", expected " + expected);
}

// `base`: where the reader's bytes start.
Error too_short(const ByteReader& reader, const char* field, std::uint64_t base = 0) {
  return bad_field(base + reader.offset(), field,
                   "the end of the data after " + std::to_string(reader.remaining()) + " bytes", "more");
}

// Reads the XXH3-64 that follows `hashed` bytes from the start of `bytes`.
Status check_hash(ByteSpan bytes, std::size_t hashed, const char* field) {
  const auto stored = load_unaligned<std::uint64_t>(bytes.data() + hashed);
  const std::uint64_t computed = xxh3_64(bytes.first(hashed));
  if (stored != computed) return bad_field(hashed, field, "0x" + to_hex(computed), "0x" + to_hex(stored));
  return {};
}

struct ParsedHeader {
  Header header;
  std::size_t size = 0;
};

// The fields that name the model.
Status parse_model_fields(ByteReader& reader, Header& header) {
  ByteSpan fingerprint;
  ByteSpan name;
  std::uint8_t name_bytes = 0;
  if (!reader.read(header.window) || !reader.read_span(header.model_fingerprint.size(), fingerprint) ||
      !reader.read(name_bytes) || !reader.read_span(name_bytes, name)) {
    return too_short(reader, "header");
  }
  std::copy(fingerprint.begin(), fingerprint.end(), header.model_fingerprint.begin());
  header.model_name = as_text(name);
  return {};
}

Status parse_sampler(ByteReader& reader, SamplerSettings& sampler) {
  std::uint8_t order = 0;
  bool complete = reader.read(order) && reader.read(sampler.top_k) && reader.read(sampler.penalty_window);
  for (float* value : {&sampler.temperature, &sampler.top_p, &sampler.min_p, &sampler.typical_p,
                       &sampler.repetition_penalty, &sampler.presence_penalty, &sampler.frequency_penalty}) {
    complete = complete && reader.read(*value);
  }
  if (!complete) return too_short(reader, "sampler");
  sampler.order = static_cast<SamplerSettings::Order>(order);
  return {};
}

// `end`: of the sampler's fields.
Status check_sampler(const Header& header, std::size_t end) {
  constexpr std::size_t kBytes = 1 + 2 * sizeof(std::uint32_t) + 7 * sizeof(float);
  const auto order = static_cast<std::uint8_t>(header.sampler->order);
  if (order > static_cast<std::uint8_t>(SamplerSettings::Order::kTemperatureLast)) {
    return bad_field(end - kBytes, "sampler order", std::to_string(order), "0 or 1");
  }
  if (header.contract != kContractAdaptive) {
    return bad_field(12, "flags", "a sampler with contract " + std::to_string(header.contract), "none");
  }
  const Status status = header.sampler->check();
  if (!status.ok()) return damaged("offset " + std::to_string(end - kBytes) + ": sampler: " + status.error().message);
  return {};
}

Status check_header(const Header& header, std::uint8_t flags) {
  if (header.format_version != kFormatVersion) {
    return bad_field(8, "format version", std::to_string(header.format_version), std::to_string(kFormatVersion));
  }
  if (header.contract < kContractSoftmax || header.contract > kContractAdaptive) {
    return bad_field(10, "numeric contract", std::to_string(header.contract),
                     std::to_string(kContractSoftmax) + " or " + std::to_string(kContractAdaptive));
  }
  const std::uint8_t model_flags = flags & (kModelFlag | kSamplerFlag);
  if (flags > (kModelFlag | kSamplerFlag | kRecordsFlag) || model_flags == kSamplerFlag) {
    return bad_field(12, "flags", std::to_string(flags), "0, 1, 3, 4, 5 or 7");
  }
  if (header.has_model && (header.window < limits::kWindowMin || header.window > limits::kWindowMax)) {
    return bad_field(13, "window", std::to_string(header.window),
                     std::to_string(limits::kWindowMin) + " to " + std::to_string(limits::kWindowMax));
  }
  return {};
}

Result<ParsedHeader> parse_header(ByteSpan archive) {
  if (!begins_as_archive(archive)) {
    return damaged("offset 0: magic: found " + std::string(archive.empty() ? "an empty file" : "other bytes") +
                   ", expected those of a tacit archive");
  }
  ByteReader reader(archive);
  ByteSpan magic;
  Header header;
  std::uint8_t flags = 0;
  std::uint64_t hash = 0;
  if (!reader.read_span(kMagic.size(), magic) || !reader.read(header.format_version) || !reader.read(header.contract) ||
      !reader.read(flags)) {
    return too_short(reader, "header");
  }
  header.has_model = (flags & kModelFlag) != 0;
  header.has_records = (flags & kRecordsFlag) != 0;
  if (header.has_model) TACIT_TRY(parse_model_fields(reader, header));
  if (header.has_model && (flags & kSamplerFlag) != 0) TACIT_TRY(parse_sampler(reader, header.sampler.emplace()));
  if (!reader.read(hash)) return too_short(reader, "header hash");
  TACIT_TRY(check_hash(archive, reader.offset() - sizeof(hash), "header hash"));
  TACIT_TRY(check_header(header, flags));
  if (header.sampler.has_value()) TACIT_TRY(check_sampler(header, reader.offset() - sizeof(hash)));
  return ParsedHeader{header, reader.offset()};
}

// Records that begin in so many original bytes: each has a byte at least.
Status check_record_count(std::uint64_t offset, const char* field, std::uint64_t count, std::uint64_t original_bytes) {
  if (count <= original_bytes) return {};
  return bad_field(offset, field, std::to_string(count), "at most " + std::to_string(original_bytes));
}

Result<std::vector<BlockEntry>> parse_index(ByteSpan index, std::uint64_t index_offset, std::uint64_t first_block,
                                            bool has_records) {
  ByteReader reader(index);
  std::uint8_t tag = 0;
  std::uint64_t count = 0;
  if (!reader.read(tag) || !reader.read_varint(count)) return too_short(reader, "index", index_offset);
  if (tag != kIndexTag) return bad_field(index_offset, "index tag", std::to_string(tag), std::to_string(kIndexTag));
  if (count > reader.remaining() / 2) {  // an entry takes two bytes or more
    return bad_field(index_offset + 1, "block count", std::to_string(count),
                     "at most " + std::to_string(reader.remaining() / 2));
  }
  std::vector<BlockEntry> entries(count);
  std::uint64_t offset = first_block;
  for (BlockEntry& entry : entries) {
    const std::uint64_t at = index_offset + reader.offset();
    if (!reader.read_varint(entry.stored_bytes) || !reader.read_varint(entry.original_bytes)) {
      return too_short(reader, "index entry", index_offset);
    }
    const std::uint64_t records_at = index_offset + reader.offset();
    if (has_records && !reader.read_varint(entry.record_count)) return too_short(reader, "index entry", index_offset);
    if (entry.stored_bytes > index_offset - offset) {
      return bad_field(at, "stored size of a block", std::to_string(entry.stored_bytes),
                       "at most " + std::to_string(index_offset - offset));
    }
    if (entry.original_bytes > limits::kBlockBytesMax) {
      return bad_field(at, "original size of a block", std::to_string(entry.original_bytes),
                       "at most " + std::to_string(limits::kBlockBytesMax));
    }
    TACIT_TRY(check_record_count(records_at, "records of a block", entry.record_count, entry.original_bytes));
    entry.offset = offset;
    offset += entry.stored_bytes;
  }
  if (offset != index_offset) {
    return bad_field(index_offset, "end of the blocks", std::to_string(offset), std::to_string(index_offset));
  }
  if (reader.remaining() != 0) {
    return bad_field(index_offset + reader.offset(), "end of the index",
                     std::to_string(reader.remaining()) + " more bytes", "none");
  }
  return entries;
}

Result<Segment> parse_segment(ByteReader& reader, std::uint64_t block_bytes, bool has_records,
                              std::uint64_t& payload_bytes) {
  const std::size_t offset = reader.offset();
  std::uint8_t method = 0;
  std::uint64_t size = 0;
  if (!reader.read(method) || !reader.read_varint(size)) return too_short(reader, "segment");
  Segment segment;
  const std::size_t records_at = reader.offset();
  if (has_records && (!reader.read_varint(segment.record_count) || !reader.read(segment.content_hash))) {
    return too_short(reader, "segment");
  }
  if (!reader.read_varint(payload_bytes)) return too_short(reader, "segment");
  TACIT_TRY(check_record_count(records_at, "records of a segment", segment.record_count, block_bytes));
  if (method > kMethodMax) return bad_field(offset, "segment method", std::to_string(method), "0, 1, 2 or 3");
  segment.method = static_cast<Method>(method);
  // Every symbol stands for at least one byte, but for a space prefix.
  const std::uint64_t limit = segment.method == Method::kModel ? block_bytes + 1 : block_bytes;
  if (size > limit) {
    return bad_field(offset + 1, segment.method == Method::kModel ? "token count" : "segment size",
                     std::to_string(size), "at most " + std::to_string(limit));
  }
  (segment.method == Method::kModel ? segment.token_count : segment.original_bytes) = size;
  return segment;
}

}  // namespace

bool begins_as_archive(ByteSpan bytes) {
  return bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
}

Result<Block> parse_block(ByteSpan bytes, bool has_records) {
  if (bytes.size() < 2 * sizeof(std::uint64_t)) {
    return bad_field(0, "block size", std::to_string(bytes.size()),
                     "at least " + std::to_string(2 * sizeof(std::uint64_t)));
  }
  const std::size_t hashed = bytes.size() - sizeof(std::uint64_t);
  TACIT_TRY(check_hash(bytes, hashed, "block hash"));
  ByteReader reader(bytes.first(hashed));
  Block block;
  block.has_records = has_records;
  std::uint8_t tag = 0;
  std::uint64_t segment_count = 0;
  if (!reader.read(tag) || !reader.read_varint(block.original_bytes)) return too_short(reader, "block header");
  const std::size_t count_offset = reader.offset();
  if (!reader.read_varint(segment_count)) return too_short(reader, "segment count");
  if (tag != kBlockTag) return bad_field(0, "block tag", std::to_string(tag), std::to_string(kBlockTag));
  if (block.original_bytes > limits::kBlockBytesMax) {
    return bad_field(1, "original size", std::to_string(block.original_bytes),
                     "at most " + std::to_string(limits::kBlockBytesMax));
  }
  if (segment_count > limits::kSegmentsMax) {
    return bad_field(count_offset, "segment count", std::to_string(segment_count),
                     "at most " + std::to_string(limits::kSegmentsMax));
  }
  std::vector<std::uint64_t> payload_bytes(segment_count);
  std::uint64_t known_bytes = 0;  // of all segments but the model's
  for (std::uint64_t& size : payload_bytes) {
    const std::size_t offset = reader.offset();
    TACIT_ASSIGN(const Segment segment, parse_segment(reader, block.original_bytes, has_records, size));
    block.segments.push_back(segment);
    known_bytes += segment.original_bytes;
    if (known_bytes > block.original_bytes) {
      return bad_field(offset + 1, "sum of segment sizes", std::to_string(known_bytes),
                       "at most " + std::to_string(block.original_bytes));
    }
  }
  if (!reader.read(block.content_hash)) return too_short(reader, "content hash");
  for (std::size_t i = 0; i < payload_bytes.size(); ++i) {
    if (!reader.read_span(payload_bytes[i], block.segments[i].payload)) return too_short(reader, "payload");
  }
  if (reader.remaining() != 0) {
    return bad_field(reader.offset(), "end of the block", std::to_string(reader.remaining()) + " more bytes", "none");
  }
  return block;
}

Result<Reader> Reader::open(ByteSpan archive) {
  Reader result;
  result.archive_ = archive;
  TACIT_ASSIGN(const ParsedHeader parsed, parse_header(archive));
  result.header_ = parsed.header;
  const std::size_t body = archive.size() - parsed.size;
  const auto truncated = [&] {
    return bad_field(archive.size(), "footer", "the end of the data", "an index: the archive is cut off or damaged");
  };
  if (body < kFooterBytes) return truncated();
  const std::size_t footer = archive.size() - kFooterBytes;
  const std::uint64_t index_bytes = load_unaligned<std::uint32_t>(archive.data() + footer);
  if (index_bytes > footer - parsed.size) return truncated();
  const std::size_t index_offset = footer - static_cast<std::size_t>(index_bytes);
  if (!check_hash(archive.subspan(index_offset), archive.size() - index_offset - sizeof(std::uint64_t), "index hash")
           .ok()) {
    return truncated();
  }
  TACIT_ASSIGN(result.blocks_, parse_index(archive.subspan(index_offset, index_bytes), index_offset, parsed.size,
                                              result.header_.has_records));
  for (BlockEntry& entry : result.blocks_) {
    entry.original_offset = result.original_bytes_;
    result.original_bytes_ += entry.original_bytes;
    entry.first_record = result.record_count_;
    result.record_count_ += entry.record_count;
  }
  return result;
}

Result<Block> Reader::read_block(std::size_t index) const {
  const BlockEntry& entry = blocks_[index];
  const std::string where = "block " + std::to_string(index) + " (offset " + std::to_string(entry.offset) +
                            ", original bytes " + std::to_string(entry.original_offset) + " to " +
                            std::to_string(entry.original_offset + entry.original_bytes) + ")";
  Result<Block> block = parse_block(archive_.subspan(entry.offset, entry.stored_bytes), header_.has_records);
  if (!block.ok()) return block.error().in(where);
  if (block.value().original_bytes != entry.original_bytes) {
    return damaged(where + ": original size: found " + std::to_string(block.value().original_bytes) + ", expected " +
                   std::to_string(entry.original_bytes) + " as the index says");
  }
  std::uint64_t record_count = 0;
  for (const Segment& segment : block.value().segments) record_count += segment.record_count;
  if (record_count != entry.record_count) {
    return damaged(where + ": records: found " + std::to_string(record_count) + ", expected " +
                   std::to_string(entry.record_count) + " as the index says");
  }
  return block;
}

}  // namespace tacit::archive
