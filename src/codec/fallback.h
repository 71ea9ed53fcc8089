// SPDX-License-Identifier: MIT
// What stands in where the model does not pay: zstd or brotli at their strongest, or the bytes themselves.
#pragma once

#include <optional>

#include "archive/format.h"
#include "base/bytes.h"
#include "base/result.h"

namespace tacit {

struct Fallback {
  archive::Method method = archive::Method::kRaw;  // any but kModel
  ByteVector payload;
};

// Whether the bytes are as good as random: no text looks so, and no model shrinks it.
bool is_noise(ByteSpan bytes);

// The smallest of zstd -22, brotli -11 and raw; for noise raw, unless zstd -1 finds repeats in it.
Fallback smallest_fallback(ByteSpan bytes);

// smallest_fallback if it is smaller than `model_bytes`. The strong levels take a second a megabyte and more, so a fast
// one is asked first: where it takes 1.5 times model_bytes they would not win (docs/decisions/0004).
std::optional<Fallback> better_fallback(ByteSpan bytes, std::uint64_t model_bytes);

// Appends the original_bytes of a segment that is not kModel to out. Errors: kDamaged.
Status decode_fallback(const archive::Segment& segment, ByteVector& out);

}  // namespace tacit
