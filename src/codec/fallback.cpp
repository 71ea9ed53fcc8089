// SPDX-License-Identifier: MIT
#include "codec/fallback.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

namespace tacit {
namespace {

constexpr int kStrongLevel = 22;
constexpr int kFastLevel = 9;
constexpr int kFastestLevel = 1;
constexpr double kStrongGainMax = 1.5;  // zstd -9 over the smaller of the strong ones: 1.12 to 1.34 seen
constexpr int kWindowLogMax = 27;  // the window of zstd --long

// The chance that two bytes are equal, at most so large in noise: 2^-7.9 (1/256 where all values are equally frequent).
// In text it is far larger, in whatever script, and in programs; compressed and encrypted data are noise.
constexpr double kNoiseCollisions = 1 / 238.9;

// `find_far_repeats`: also by zstd's long distance matcher, which the fast levels do without.
ByteVector zstd_compress(ByteSpan bytes, int level, bool find_far_repeats = false) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (context == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  // The block has its size and its hash already.
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_enableLongDistanceMatching, find_far_repeats ? 1 : 0);
  int window_log = 17;
  while (window_log < kWindowLogMax && (std::size_t{1} << window_log) < bytes.size()) ++window_log;
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log);
  ByteVector out(ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size)) throw std::bad_alloc();  // with a large enough buffer only memory can fail
  out.resize(size);
  return out;
}

// Empty where brotli cannot: inputs beyond its 16 MiB window, which long repeats make zstd's.
ByteVector brotli_compress(ByteSpan bytes) {
  if (bytes.size() > (std::size_t{1} << BROTLI_MAX_WINDOW_BITS)) return {};
  ByteVector out(BrotliEncoderMaxCompressedSize(bytes.size()));
  std::size_t size = out.size();
  const BROTLI_BOOL ok = BrotliEncoderCompress(BROTLI_MAX_QUALITY, BROTLI_MAX_WINDOW_BITS, BROTLI_MODE_TEXT,
                                               bytes.size(), bytes.data(), &size, out.data());
  if (ok == BROTLI_FALSE) throw std::bad_alloc();  // with a large enough buffer only memory can fail
  out.resize(size);
  return out;
}

// One frame that is all of the payload: zstd itself would take several, and frames that stand for nothing.
Status decode_zstd(const archive::Segment& segment, std::span<std::uint8_t> out) {
  const ByteSpan payload = segment.payload;
  constexpr std::uint32_t kFrameMagic = ZSTD_MAGICNUMBER;
  if (payload.size() < sizeof(kFrameMagic) || load_unaligned<std::uint32_t>(payload.data()) != kFrameMagic ||
      ZSTD_findFrameCompressedSize(payload.data(), payload.size()) != payload.size()) {
    return damaged("zstd segment: expected exactly one frame");
  }
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), payload.data(), payload.size());
  if (ZSTD_isError(size)) return damaged(std::string("zstd segment: ") + ZSTD_getErrorName(size));
  if (size == out.size()) return {};
  return damaged("zstd segment: found " + std::to_string(size) + " bytes, expected " + std::to_string(out.size()));
}

Status decode_brotli(const archive::Segment& segment, std::span<std::uint8_t> out) {
  const std::unique_ptr<BrotliDecoderState, decltype(&BrotliDecoderDestroyInstance)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
  if (state == nullptr) throw std::bad_alloc();
  std::size_t input_left = segment.payload.size();
  const std::uint8_t* input = segment.payload.data();
  std::size_t output_left = out.size();
  std::uint8_t* output = out.data();
  const BrotliDecoderResult result =
      BrotliDecoderDecompressStream(state.get(), &input_left, &input, &output_left, &output, nullptr);
  if (result == BROTLI_DECODER_RESULT_SUCCESS && input_left == 0 && output_left == 0) return {};
  return damaged("brotli segment: expected exactly one stream of " + std::to_string(out.size()) + " bytes");
}

Status decode_raw(const archive::Segment& segment, std::span<std::uint8_t> out) {
  if (segment.payload.size() != out.size()) {
    return damaged("raw segment: found " + std::to_string(segment.payload.size()) + " bytes, expected " +
                   std::to_string(out.size()));
  }
  std::copy(segment.payload.begin(), segment.payload.end(), out.begin());
  return {};
}

Fallback find_smallest(ByteSpan bytes) {
  Fallback best{archive::Method::kRaw, ByteVector(bytes.begin(), bytes.end())};
  // The strong level takes half a minute over 64 MiB of noise, to find nothing.
  if (is_noise(bytes) && zstd_compress(bytes, kFastestLevel, true).size() >= bytes.size()) return best;
  ByteVector zstd = zstd_compress(bytes, kStrongLevel);
  if (zstd.size() < best.payload.size()) best = {archive::Method::kZstd, std::move(zstd)};
  if (best.method == archive::Method::kRaw) return best;  // what zstd cannot shrink brotli hardly can
  ByteVector brotli = brotli_compress(bytes);
  if (!brotli.empty() && brotli.size() < best.payload.size()) best = {archive::Method::kBrotli, std::move(brotli)};
  return best;
}

}  // namespace

bool is_noise(ByteSpan bytes) {
  std::array<std::uint64_t, 256> counts{};
  for (const std::uint8_t byte : bytes) ++counts[byte];
  double squares = 0;
  for (const std::uint64_t count : counts) squares += static_cast<double>(count) * static_cast<double>(count);
  const double size = static_cast<double>(bytes.size());
  return !bytes.empty() && squares < size * size * kNoiseCollisions;
}

const Fallback& FallbackSearch::smallest() {
  if (!smallest_.has_value()) smallest_ = find_smallest(bytes_);
  return *smallest_;
}

std::uint64_t FallbackSearch::fast_bytes() {
  if (!fast_bytes_.has_value()) fast_bytes_ = std::min(zstd_compress(bytes_, kFastLevel).size(), bytes_.size());
  return *fast_bytes_;
}

const Fallback* FallbackSearch::smaller_than(std::uint64_t model_bytes) {
  if (!smallest_.has_value() &&
      static_cast<double>(fast_bytes()) > kStrongGainMax * static_cast<double>(model_bytes)) {
    return nullptr;
  }
  return smallest().payload.size() < model_bytes ? &smallest() : nullptr;
}

Status decode_fallback(const archive::Segment& segment, ByteVector& out) {
  const std::size_t begin = out.size();
  out.resize(begin + segment.original_bytes);
  const std::span<std::uint8_t> target = std::span(out).subspan(begin);
  switch (segment.method) {
    case archive::Method::kZstd: return decode_zstd(segment, target);
    case archive::Method::kBrotli: return decode_brotli(segment, target);
    default: return decode_raw(segment, target);
  }
}

}  // namespace tacit
