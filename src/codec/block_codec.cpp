// SPDX-License-Identifier: MIT
#include "codec/block_codec.h"

#include <algorithm>
#include <optional>

#include "archive/writer.h"
#include "codec/fallback.h"

namespace tacit {
namespace {

// Every strip starts with an empty context, which costs some ten bytes of code; with so many tokens at least in each
// that is about 0.3 % of them (docs/decisions/0003).
constexpr std::size_t kStripTokensMin = 8192;

// The model is given up if after so many symbols a lane it projects to store the block in more bytes than it has, or in
// so much more than the fallback takes. Not closer: the first symbols of a lane cost more, and one lane is not another.
constexpr std::uint64_t kTrialSymbols = 256;
constexpr double kHopeless = 2.5;

using Strip = BlockCodec::Strip;

std::vector<Strip> cut_strips(const Tokenizer& tokenizer, std::span<const TokenId> symbols, ByteSpan bytes,
                              std::uint32_t lane_max) {
  const std::size_t count = std::clamp<std::size_t>(symbols.size() / kStripTokensMin, 1, lane_max);
  std::vector<Strip> strips;
  std::size_t byte = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = symbols.size() * i / count;
    const std::size_t end = symbols.size() * (i + 1) / count;
    const std::span<const TokenId> part = symbols.subspan(begin, end - begin);
    const std::size_t size = tokenizer.decode(part, i == 0).value().size();
    strips.push_back({part, bytes.subspan(byte, size), {}, {}, 0});
    byte += size;
  }
  return strips;
}

std::uint32_t short_hash(ByteSpan bytes) { return static_cast<std::uint32_t>(xxh3_64(bytes)); }

Status check_content(const archive::Block& block, ByteSpan bytes) {
  if (bytes.size() != block.original_bytes) {
    return damaged("decoded size: found " + std::to_string(bytes.size()) + ", expected " +
                   std::to_string(block.original_bytes));
  }
  if (xxh3_64(bytes) != block.content_hash) return damaged("content hash: the decoded bytes do not have it");
  return {};
}

// Whether the model projects to lose by far.
class Trial {
 public:
  Trial(ByteSpan bytes, std::size_t symbol_count, std::size_t lane_count)
      : bytes_(bytes), symbol_count_(symbol_count), lane_count_(lane_count) {}

  [[nodiscard]] bool hopeless(const CodingState& state) {
    if (judged_ || state.symbols_done < kTrialSymbols * lane_count_) return gave_up_;
    judged_ = true;
    const double projected = static_cast<double>(state.code_bytes) * static_cast<double>(symbol_count_) /
                             static_cast<double>(state.symbols_done);
    gave_up_ = projected > static_cast<double>(bytes_.size()) ||
               better_fallback(bytes_, static_cast<std::uint64_t>(projected / kHopeless)).has_value();
    return gave_up_;
  }

 private:
  ByteSpan bytes_;
  std::size_t symbol_count_;
  std::size_t lane_count_;
  bool judged_ = false;
  bool gave_up_ = false;
};

}  // namespace

EncodedBlock BlockCodec::encode_fallback(ByteSpan bytes, const Fallback& fallback,
                                         std::optional<std::uint64_t> record_count) {
  archive::Block block;
  block.has_records = record_count.has_value();
  block.original_bytes = bytes.size();
  block.content_hash = xxh3_64(bytes);
  const std::uint64_t records = record_count.value_or(0);
  block.segments.push_back({fallback.method, bytes.size(), 0, fallback.payload, records, short_hash(bytes)});
  return {archive::serialize_block(block), bytes.size(), 0, records};
}

Result<EncodedBlock> BlockCodec::encode(ByteSpan bytes, const CodingObserver& observer) {
  if (is_noise(bytes)) return encode_fallback(bytes, smallest_fallback(bytes), std::nullopt);  // no model shrinks it
  const std::vector<TokenId> symbols = context_.tokenizer.encode(bytes);
  std::vector<Strip> strips = cut_strips(context_.tokenizer, symbols, bytes, lane_max_);

  Trial trial(bytes, symbols.size(), strips.size());
  TACIT_ASSIGN(const Proceed proceed, encode_strips(strips, [&](const CodingState& state) -> Result<Proceed> {
                 return trial.hopeless(state) ? Proceed::kStop : observer(state);
               }));
  if (proceed == Proceed::kStop) return encode_fallback(bytes, smallest_fallback(bytes), std::nullopt);
  bool any = false;
  for (Strip& strip : strips) {
    strip.fallback = better_fallback(strip.bytes, strip.code.size());
    any = any || strip.fallback.has_value();
  }
  // A decoder has no lanes for strips that the model does not store, so the others must not have learnt from them.
  if (any && context_.adaptive) TACIT_TRY(encode_strips(strips, observer));

  return finish_block(bytes, strips, std::nullopt);
}

// A block that is one zstd or brotli stream decodes in a moment, so that it stands in for its segments where it is smaller.
Result<EncodedBlock> BlockCodec::encode_records(ByteSpan bytes, std::span<const RecordSpan> spans,
                                                const CodingObserver& observer) {
  const std::uint64_t record_count = count_records(spans);
  if (is_noise(bytes)) return encode_fallback(bytes, smallest_fallback(bytes), record_count);
  std::vector<std::vector<TokenId>> symbols;
  std::vector<Strip> strips;
  std::size_t symbol_count = 0;
  for (std::size_t begin = 0; const RecordSpan& span : spans) {
    const ByteSpan text = bytes.subspan(begin, span.bytes);
    symbols.push_back(context_.tokenizer.encode(text));
    symbol_count += symbols.back().size();
    strips.push_back({symbols.back(), text, {}, {}, span.record_count});
    begin += span.bytes;
  }
  std::vector<std::span<const TokenId>> views(symbols.begin(), symbols.end());
  Trial trial(bytes, symbol_count, std::min<std::size_t>(lane_max_, strips.size()));
  TACIT_ASSIGN(EncodedStrips encoded, independent_.encode(views, [&](const CodingState& state) -> Result<Proceed> {
                 return trial.hopeless(state) ? Proceed::kStop : observer(state);
               }));
  if (encoded.stopped) return encode_fallback(bytes, smallest_fallback(bytes), record_count);
  for (std::size_t i = 0; i < strips.size(); ++i) {
    strips[i].code = std::move(encoded.codes[i]);
    strips[i].fallback = better_fallback(strips[i].bytes, strips[i].code.size());
  }
  return finish_block(bytes, strips, record_count);
}

// The block of strips that have been coded, or that of a fallback for all of them where it is smaller.
EncodedBlock BlockCodec::finish_block(ByteSpan bytes, std::span<const Strip> strips,
                                      std::optional<std::uint64_t> record_count) {
  EncodedBlock result;
  result.original_bytes = bytes.size();
  result.record_count = record_count.value_or(0);
  archive::Block block;
  block.has_records = record_count.has_value();
  block.original_bytes = bytes.size();
  block.content_hash = xxh3_64(bytes);
  for (const Strip& strip : strips) {
    archive::Segment segment;
    segment.record_count = strip.record_count;
    segment.content_hash = short_hash(strip.bytes);
    if (strip.fallback.has_value()) {
      segment.method = strip.fallback->method;
      segment.original_bytes = strip.bytes.size();
      segment.payload = strip.fallback->payload;
    } else {
      segment.method = archive::Method::kModel;
      segment.token_count = strip.symbols.size();
      segment.payload = strip.code;
      result.model_token_count += strip.symbols.size();
    }
    block.segments.push_back(segment);
  }
  result.serialized = archive::serialize_block(block);
  if (const std::optional<Fallback> fallback = better_fallback(bytes, result.serialized.size()); fallback.has_value()) {
    EncodedBlock alternative = encode_fallback(bytes, *fallback, record_count);
    if (alternative.serialized.size() < result.serialized.size()) return alternative;
  }
  return result;
}

// Codes the strips that have no fallback.
Result<Proceed> BlockCodec::encode_strips(std::span<Strip> strips, const CodingObserver& observer) {
  std::vector<std::span<const TokenId>> symbols;
  for (const Strip& strip : strips) {
    if (!strip.fallback.has_value()) symbols.push_back(strip.symbols);
  }
  TACIT_ASSIGN(EncodedStrips encoded, lockstep_.encode(symbols, observer));
  if (encoded.stopped) return Proceed::kStop;
  std::size_t next = 0;
  for (Strip& strip : strips) {
    if (!strip.fallback.has_value()) strip.code = std::move(encoded.codes[next++]);
  }
  return Proceed::kContinue;
}

namespace {

std::vector<CodedStrip> model_strips(std::span<const archive::Segment> segments) {
  std::vector<CodedStrip> strips;
  for (const archive::Segment& segment : segments) {
    if (segment.method == archive::Method::kModel) strips.push_back({segment.payload, segment.token_count});
  }
  return strips;
}

// The texts of segments; model_text(i) is that of segment i, which the model stores. `bytes_max`: of all; where there are
// more, some are left out.
template <class ModelText>
Result<std::vector<ByteVector>> texts_of(std::span<const archive::Segment> segments, std::uint64_t bytes_max,
                                         ModelText model_text) {
  std::vector<ByteVector> texts;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < segments.size() && bytes <= bytes_max; ++i) {
    if (segments[i].method == archive::Method::kModel) {
      TACIT_ASSIGN(ByteVector text, model_text(i));
      texts.push_back(std::move(text));
    } else {
      TACIT_TRY(decode_fallback(segments[i], texts.emplace_back()));
    }
    bytes += texts.back().size();
  }
  return texts;
}

Result<ByteVector> no_model(std::size_t) { return damaged("found a model segment, expected none"); }

Result<ByteVector> checked_block(const archive::Block& block, std::span<const ByteVector> texts) {
  ByteVector bytes;
  for (const ByteVector& text : texts) append_bytes(bytes, text);
  TACIT_TRY(check_content(block, bytes));
  return bytes;
}

// `first`: number of the first segment.
Status check_segments(std::span<const archive::Segment> segments, std::size_t first, std::span<const ByteVector> texts) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (i < texts.size() && short_hash(texts[i]) == segments[i].content_hash) continue;
    return damaged("segment " + std::to_string(first + i) + ": content hash: the decoded bytes do not have it");
  }
  return {};
}

}  // namespace

Result<ByteVector> BlockCodec::decode(const archive::Block& block, const CodingObserver& observer) {
  if (block.has_records) {
    TACIT_ASSIGN(const std::vector<ByteVector> texts, decode_segments(block, 0, block.segments.size(), observer));
    return checked_block(block, texts);
  }
  std::vector<std::vector<TokenId>> symbols;
  if (const std::vector<CodedStrip> strips = model_strips(block.segments); !strips.empty()) {
    TACIT_ASSIGN(symbols, lockstep_.decode(strips, observer));
  }
  std::size_t strip = 0;
  TACIT_ASSIGN(const std::vector<ByteVector> texts, texts_of(block.segments, block.original_bytes, [&](std::size_t i) {
                 return context_.tokenizer.decode(symbols[strip++], block.opens_text(i));
               }));
  return checked_block(block, texts);
}

Result<std::vector<ByteVector>> BlockCodec::decode_segments(const archive::Block& block, std::size_t first,
                                                            std::size_t end, const CodingObserver& observer) {
  const auto segments = std::span(block.segments).subspan(first, end - first);
  std::vector<std::vector<TokenId>> symbols;
  if (const std::vector<CodedStrip> strips = model_strips(segments); !strips.empty()) {
    TACIT_ASSIGN(symbols, independent_.decode(strips, observer));
  }
  std::size_t strip = 0;
  TACIT_ASSIGN(std::vector<ByteVector> texts, texts_of(segments, block.original_bytes, [&](std::size_t i) {
                 return context_.tokenizer.decode(symbols[strip++], block.opens_text(first + i));
               }));
  TACIT_TRY(check_segments(segments, first, texts));
  return texts;
}

Result<ByteVector> decode_without_model(const archive::Block& block) {
  if (block.has_records) {
    TACIT_ASSIGN(const std::vector<ByteVector> texts, decode_segments_without_model(block, 0, block.segments.size()));
    return checked_block(block, texts);
  }
  TACIT_ASSIGN(const std::vector<ByteVector> texts, texts_of(block.segments, block.original_bytes, no_model));
  return checked_block(block, texts);
}

Result<std::vector<ByteVector>> decode_segments_without_model(const archive::Block& block, std::size_t first,
                                                              std::size_t end) {
  const auto segments = std::span(block.segments).subspan(first, end - first);
  TACIT_ASSIGN(std::vector<ByteVector> texts, texts_of(segments, block.original_bytes, no_model));
  TACIT_TRY(check_segments(segments, first, texts));
  return texts;
}

bool needs_model(std::span<const archive::Segment> segments) {
  return std::any_of(segments.begin(), segments.end(),
                     [](const archive::Segment& segment) { return segment.method == archive::Method::kModel; });
}

}  // namespace tacit
