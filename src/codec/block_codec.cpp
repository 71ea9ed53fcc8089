// SPDX-License-Identifier: MIT
#include "codec/block_codec.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "archive/writer.h"

namespace tacit {
namespace {

std::uint32_t short_hash(ByteSpan bytes) { return static_cast<std::uint32_t>(xxh3_64(bytes)); }

Status check_content(const archive::Block& block, ByteSpan bytes) {
  if (bytes.size() != block.original_bytes) {
    return damaged("decoded size: found " + std::to_string(bytes.size()) + ", expected " +
                   std::to_string(block.original_bytes));
  }
  if (xxh3_64(bytes) != block.content_hash) return damaged("content hash: the decoded bytes do not have it");
  return {};
}

archive::Segment segment_of(const Strip& strip) {
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
  }
  return segment;
}

// The block of strips that have been coded, or that of a fallback for all of them where it is smaller: a block that is
// one zstd or brotli stream decodes in a moment.
EncodedBlock finish_block(ByteSpan bytes, std::span<const Strip> strips, BlockChoice& choice,
                          std::uint64_t model_overhead, std::optional<std::uint64_t> record_count) {
  EncodedBlock result;
  result.original_bytes = bytes.size();
  result.record_count = record_count.value_or(0);
  archive::Block block;
  block.has_records = record_count.has_value();
  block.original_bytes = bytes.size();
  block.content_hash = xxh3_64(bytes);
  for (const Strip& strip : strips) {
    block.segments.push_back(segment_of(strip));
    result.model_token_count += block.segments.back().token_count;
  }
  result.serialized = archive::serialize_block(block);
  const Fallback* const fallback = choice.better_block(result.serialized.size());
  if (fallback == nullptr) return result;
  EncodedBlock alternative = BlockCodec::encode_fallback(bytes, *fallback, record_count);
  const std::uint64_t overhead = result.model_token_count > 0 ? model_overhead : 0;
  return alternative.serialized.size() < result.serialized.size() + overhead ? alternative : result;
}

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

Result<EncodedBlock> BlockCodec::encode(FallbackSearch& block, std::uint64_t model_overhead,
                                        const CodingObserver& observer) {
  const ByteSpan bytes = block.bytes();
  if (is_noise(bytes)) return encode_fallback(bytes, block.smallest(), std::nullopt);  // no model shrinks it
  const std::vector<TokenId> symbols = context_.tokenizer.encode(bytes);
  std::vector<Strip> strips = cut_strips(context_.tokenizer, symbols, block, lane_max_);
  BlockChoice choice(block, context_.tokenizer, strips, model_overhead, strips.size());
  TACIT_ASSIGN(const Proceed proceed, encode_strips(strips, [&](const CodingState& state) -> Result<Proceed> {
                 return choice.judge_lockstep(state) == Proceed::kStop ? Proceed::kStop : observer(state);
               }));
  if (proceed == Proceed::kStop) return encode_fallback(bytes, block.smallest(), std::nullopt);
  // A decoder has no lanes for strips that the model does not store, so the others must not have learnt from them.
  if (choice.choose_strips() && context_.adaptive) TACIT_TRY(encode_strips(strips, observer));
  return finish_block(bytes, strips, choice, model_overhead, std::nullopt);
}

Result<EncodedBlock> BlockCodec::encode_records(FallbackSearch& block, std::span<const RecordSpan> spans,
                                                std::uint64_t model_overhead, const CodingObserver& observer) {
  const ByteSpan bytes = block.bytes();
  const std::uint64_t record_count = count_records(spans);
  if (is_noise(bytes)) return encode_fallback(bytes, block.smallest(), record_count);
  std::vector<std::vector<TokenId>> symbols;
  std::vector<Strip> strips;
  for (std::size_t begin = 0; const RecordSpan& span : spans) {
    const ByteSpan text = bytes.subspan(begin, span.bytes);
    symbols.push_back(context_.tokenizer.encode(text));
    strips.push_back({symbols.back(), text, {}, {}, span.record_count});
    begin += span.bytes;
  }
  std::vector<std::span<const TokenId>> views(symbols.begin(), symbols.end());
  const std::size_t lane_count = std::min<std::size_t>(lane_max_, strips.size());
  BlockChoice choice(block, context_.tokenizer, strips, model_overhead, lane_count);
  TACIT_ASSIGN(EncodedStrips encoded, independent_.encode(views, [&](const CodingState& state) -> Result<Proceed> {
                 return choice.judge_records(state) == Proceed::kStop ? Proceed::kStop : observer(state);
               }));
  if (encoded.stopped) return encode_fallback(bytes, block.smallest(), record_count);
  for (std::size_t i = 0; i < strips.size(); ++i) strips[i].code = std::move(encoded.codes[i]);
  choice.choose_strips();
  return finish_block(bytes, strips, choice, model_overhead, record_count);
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

// The texts of segments; model_text(i) is that of segment i, which the model stores. `bytes_max`: of all; where there
// are more, some are left out.
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
Status check_segments(std::span<const archive::Segment> segments, std::size_t first,
                      std::span<const ByteVector> texts) {
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
