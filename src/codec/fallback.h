// SPDX-License-Identifier: MIT
// What stands in where the model does not pay: zstd or brotli at their strongest, or the bytes themselves. Compresses
// and decompresses; when it is used is decided elsewhere (codec/method_choice.h).
#pragma once

#include <cstdint>
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

// The fallback of some bytes, found as far as an answer needs it: no compressor sees the bytes twice. The strong ones
// take a second a megabyte and more, so that a fast one is asked first. The bytes must outlive it.
class FallbackSearch {
 public:
  explicit FallbackSearch(ByteSpan bytes) : bytes_(bytes) {}

  [[nodiscard]] ByteSpan bytes() const { return bytes_; }

  // The smallest of zstd -22, brotli -11 and raw; for noise raw, unless zstd -1 finds repeats in it.
  const Fallback& smallest();
  // That if it takes less than `model_bytes`, else null. Where the fast one takes 1.5 times model_bytes the strong ones
  // would not win, and are not asked (docs/decisions/0004).
  const Fallback* smaller_than(std::uint64_t model_bytes);
  // No more than this can be lost by giving the model up: the smaller of the fast one and raw.
  std::uint64_t fast_bytes();

 private:
  ByteSpan bytes_;
  std::optional<std::uint64_t> fast_bytes_;
  std::optional<Fallback> smallest_;
};

// Appends the original_bytes of a segment that is not kModel to out. Errors: kDamaged.
Status decode_fallback(const archive::Segment& segment, ByteVector& out);

}  // namespace tacit
