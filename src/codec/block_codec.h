// SPDX-License-Identifier: MIT
// A stretch of bytes to a block of segments and back. Chooses strips, and the method of each segment.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "archive/format.h"
#include "codec/fallback.h"
#include "codec/lockstep.h"

namespace tacit {

struct EncodedBlock {
  ByteVector serialized;             // as archive::serialize_block gives it
  std::uint64_t original_bytes = 0;
  std::uint64_t model_token_count = 0;  // tokens in model segments
};

class BlockCodec {
 public:
  // `lane_max`: most strips of a block, 1 to limits::kSegmentsMax.
  BlockCodec(const CodingContext& context, std::uint32_t lane_max)
      : context_(context), lane_max_(lane_max), lockstep_(context) {}

  // Cuts the bytes into strips, codes them with the model, and replaces by zstd or raw what these store smaller:
  // single strips, or the whole block. Gives the model up early where it is clearly losing. Errors: kModel, the
  // observer's.
  Result<EncodedBlock> encode(ByteSpan bytes, const LockstepObserver& observer);

  // The bytes as one segment without the model.
  static EncodedBlock encode_fallback(ByteSpan bytes, const Fallback& fallback);

  // The block's original bytes, checked against its content hash. Errors: kDamaged, kModel, the observer's.
  Result<ByteVector> decode(const archive::Block& block, const LockstepObserver& observer);

  // A stretch of the block for one lane.
  struct Strip {
    std::span<const TokenId> symbols;
    ByteSpan bytes;
    ByteVector code;
    std::optional<Fallback> fallback;  // what stores it smaller
  };

 private:
  Status encode_strips(std::span<Strip> strips, const LockstepObserver& observer);

  CodingContext context_;
  std::uint32_t lane_max_;
  Lockstep lockstep_;
};

// The original bytes of a block without model segments, for which no model is needed. Errors: kDamaged.
Result<ByteVector> decode_without_model(const archive::Block& block);
bool needs_model(const archive::Block& block);

}  // namespace tacit
