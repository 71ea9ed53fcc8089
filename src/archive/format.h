// SPDX-License-Identifier: MIT
// The archive's structures as spec/archive.md has them: what the writer writes and the reader reads.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "sampling/sampler_settings.h"

namespace tacit::archive {

inline constexpr std::array<std::uint8_t, 8> kMagic = {0x89, 'T', 'C', 'T', 0x0d, 0x0a, 0x1a, 0x0a};
inline constexpr std::uint16_t kFormatVersion = 0;
// Numbers of the numeric contract: what the frequencies of a symbol are made from.
inline constexpr std::uint16_t kContractSoftmax = 1;   // the model without experts
inline constexpr std::uint16_t kContractAdaptive = 2;  // with experts that learn from the block's text
// What the header's flags say is there.
inline constexpr std::uint8_t kModelFlag = 1;
inline constexpr std::uint8_t kSamplerFlag = 2;  // only with a model
inline constexpr std::uint8_t kRecordsFlag = 4;
inline constexpr std::uint8_t kBlockTag = 'B';
inline constexpr std::uint8_t kIndexTag = 'I';
inline constexpr std::uint8_t kMethodMax = 3;
inline constexpr std::size_t kFooterBytes = 12;  // u32 size of the index, u64 its hash

struct Header {
  std::uint16_t format_version = kFormatVersion;
  std::uint16_t contract = kContractAdaptive;
  bool has_records = false;  // each line is a record, and each segment decodes independently
  bool has_model = false;    // false: no segment needs one, and the fields below are not stored
  std::uint32_t window = 0;  // tokens of context, spec/numeric.md section 6
  Sha256 model_fingerprint{};
  std::string model_name;
  std::optional<SamplerSettings> sampler;  // stated; with contract kContractAdaptive only
};

enum class Method : std::uint8_t {
  kModel = 0,   // a code stream of the model's symbols
  kZstd = 1,    // one zstd frame
  kRaw = 2,     // the bytes themselves
  kBrotli = 3,  // one brotli stream (RFC 7932)
};

// A part of a block's bytes that starts with a fresh context. All model segments of a block decode in lockstep, or, in
// an archive of records, each independently.
struct Segment {
  Method method = Method::kRaw;
  std::uint64_t original_bytes = 0;  // not stored for kModel: known when it is decoded
  std::uint64_t token_count = 0;     // kModel only
  ByteSpan payload;
  std::uint64_t record_count = 0;  // of the records that begin in it; this and the next with records only
  std::uint32_t content_hash = 0;  // low half of the XXH3-64 of the original bytes
};

struct Block {
  bool has_records = false;  // the header's; not stored
  std::uint64_t original_bytes = 0;
  std::uint64_t content_hash = 0;  // XXH3-64 of the original bytes
  std::vector<Segment> segments;

  // Whether a segment does not go on from the one before: a space prefix is dropped there (spec/archive.md, section 5).
  [[nodiscard]] bool opens_text(std::size_t segment) const { return has_records || segment == 0; }
};

// One line of the index.
struct BlockEntry {
  std::uint64_t offset = 0;  // from the start of the archive; not stored, the sum of the sizes before
  std::uint64_t stored_bytes = 0;
  std::uint64_t original_bytes = 0;
  std::uint64_t original_offset = 0;  // of the first of them; not stored either
  std::uint64_t record_count = 0;     // of the records that begin in it; 0 without records
  std::uint64_t first_record = 0;     // records that begin before; not stored
};

}  // namespace tacit::archive
