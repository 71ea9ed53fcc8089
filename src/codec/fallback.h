// SPDX-License-Identifier: MIT
// What stands in where the model does not pay: zstd at its strongest, or the bytes themselves.
#pragma once

#include <optional>

#include "archive/format.h"
#include "base/bytes.h"
#include "base/result.h"

namespace tacit {

struct Fallback {
  archive::Method method = archive::Method::kRaw;  // kZstd or kRaw
  ByteVector payload;
};

// The smaller of zstd -22 and raw.
Fallback smallest_fallback(ByteSpan bytes);

// smallest_fallback if it is smaller than `model_bytes`. Level 22 takes a second a megabyte, so a fast level is asked
// first: where even half of its size is more than model_bytes the strong one would not win (docs/decisions/0004).
std::optional<Fallback> better_fallback(ByteSpan bytes, std::uint64_t model_bytes);

// Appends the original_bytes of a kZstd or kRaw segment to out. Errors: kDamaged.
Status decode_fallback(const archive::Segment& segment, ByteVector& out);

}  // namespace tacit
