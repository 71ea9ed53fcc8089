// SPDX-License-Identifier: MIT
#include "codec/fallback.h"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <new>

namespace tacit {
namespace {

constexpr int kStrongLevel = 22;
constexpr int kFastLevel = 9;
constexpr int kWindowLogMax = 27;  // the window of zstd --long

ByteVector zstd_compress(ByteSpan bytes, int level) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (context == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  // The block has its size and its hash already.
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0);
  int window_log = 17;
  while (window_log < kWindowLogMax && (std::size_t{1} << window_log) < bytes.size()) ++window_log;
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log);
  ByteVector out(ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size)) throw std::bad_alloc();  // with a large enough buffer only memory can fail
  out.resize(size);
  return out;
}

}  // namespace

Fallback smallest_fallback(ByteSpan bytes) {
  ByteVector compressed = zstd_compress(bytes, kStrongLevel);
  if (compressed.size() < bytes.size()) return {archive::Method::kZstd, std::move(compressed)};
  return {archive::Method::kRaw, ByteVector(bytes.begin(), bytes.end())};
}

std::optional<Fallback> better_fallback(ByteSpan bytes, std::uint64_t model_bytes) {
  const std::size_t fast = std::min(zstd_compress(bytes, kFastLevel).size(), bytes.size());
  if (fast / 2 > model_bytes) return std::nullopt;
  Fallback fallback = smallest_fallback(bytes);
  if (fallback.payload.size() >= model_bytes) return std::nullopt;
  return fallback;
}

Status decode_fallback(const archive::Segment& segment, ByteVector& out) {
  if (segment.method == archive::Method::kRaw) {
    if (segment.payload.size() != segment.original_bytes) {
      return damaged("raw segment: found " + std::to_string(segment.payload.size()) + " bytes, expected " +
                     std::to_string(segment.original_bytes));
    }
    append_bytes(out, segment.payload);
    return {};
  }
  const std::size_t begin = out.size();
  out.resize(begin + segment.original_bytes);
  const std::size_t size =
      ZSTD_decompress(out.data() + begin, segment.original_bytes, segment.payload.data(), segment.payload.size());
  if (ZSTD_isError(size)) return damaged(std::string("zstd segment: ") + ZSTD_getErrorName(size));
  if (size != segment.original_bytes) {
    return damaged("zstd segment: found " + std::to_string(size) + " bytes, expected " +
                   std::to_string(segment.original_bytes));
  }
  return {};
}

}  // namespace tacit
