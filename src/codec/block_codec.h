// SPDX-License-Identifier: MIT
// The bytes of a block to segments and back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "archive/format.h"
#include "codec/fallback.h"
#include "codec/method_choice.h"
#include "coding/strip_coder.h"
#include "records/lines.h"

namespace tacit {

struct EncodedBlock {
  ByteVector serialized;             // as archive::serialize_block gives it
  std::uint64_t original_bytes = 0;
  std::uint64_t model_token_count = 0;  // tokens in model segments
  std::uint64_t record_count = 0;       // of records that begin in it
};

class BlockCodec {
 public:
  // `lane_max`: most strips of a block, 1 to limits::kSegmentsMax; with records, strips that are coded side by side.
  BlockCodec(const CodingContext& context, std::uint32_t lane_max)
      : context_(context),
        lane_max_(lane_max),
        lockstep_(context, Schedule::lockstep()),
        independent_(context, Schedule::independent(lane_max)) {}

  // The block's bytes as strips, each by the method that stores it smallest, or as one fallback segment (see
  // codec/method_choice.h, and there `model_overhead`). Errors: kModel, the observer's.
  Result<EncodedBlock> encode(FallbackSearch& block, std::uint64_t model_overhead, const CodingObserver& observer);

  // The same for records: each span becomes a segment that decodes alone. The spans, limits::kSegmentsMax at most, make
  // up the bytes.
  Result<EncodedBlock> encode_records(FallbackSearch& block, std::span<const RecordSpan> spans,
                                      std::uint64_t model_overhead, const CodingObserver& observer);

  // The bytes as one segment without the model. `record_count`: none where the archive has no records.
  static EncodedBlock encode_fallback(ByteSpan bytes, const Fallback& fallback,
                                      std::optional<std::uint64_t> record_count);

  // The block's original bytes, checked against its content hash. Errors: kDamaged, kModel, the observer's.
  Result<ByteVector> decode(const archive::Block& block, const CodingObserver& observer);
  // Those of the segments [first, end) of a block of records, one by one, checked against theirs.
  Result<std::vector<ByteVector>> decode_segments(const archive::Block& block, std::size_t first, std::size_t end,
                                                  const CodingObserver& observer);

 private:
  Result<Proceed> encode_strips(std::span<Strip> strips, const CodingObserver& observer);

  CodingContext context_;
  std::uint32_t lane_max_;
  StripCoder lockstep_;
  StripCoder independent_;  // of records
};

// The same without a model, where no segment needs one. Errors: kDamaged.
Result<ByteVector> decode_without_model(const archive::Block& block);
Result<std::vector<ByteVector>> decode_segments_without_model(const archive::Block& block, std::size_t first,
                                                              std::size_t end);
bool needs_model(std::span<const archive::Segment> segments);

}  // namespace tacit
