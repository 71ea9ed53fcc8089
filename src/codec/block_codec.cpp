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
    strips.push_back({part, bytes.subspan(byte, size), {}, {}});
    byte += size;
  }
  return strips;
}

Status check_content(const archive::Block& block, ByteSpan bytes) {
  if (bytes.size() != block.original_bytes) {
    return damaged("decoded size: found " + std::to_string(bytes.size()) + ", expected " +
                   std::to_string(block.original_bytes));
  }
  if (xxh3_64(bytes) != block.content_hash) return damaged("content hash: the decoded bytes do not have it");
  return {};
}

// Stops the encoder, as an error that encode() recognises, once the model projects to lose by far.
class Trial {
 public:
  Trial(ByteSpan bytes, std::size_t symbol_count, std::size_t lane_count)
      : bytes_(bytes), symbol_count_(symbol_count), lane_count_(lane_count) {}

  [[nodiscard]] bool hopeless(const LockstepState& state) {
    if (judged_ || state.symbols_done < kTrialSymbols * lane_count_) return gave_up_;
    judged_ = true;
    const double projected = static_cast<double>(state.code_bytes) * static_cast<double>(symbol_count_) /
                             static_cast<double>(state.symbols_done);
    gave_up_ = projected > static_cast<double>(bytes_.size()) ||
               better_fallback(bytes_, static_cast<std::uint64_t>(projected / kHopeless)).has_value();
    return gave_up_;
  }
  [[nodiscard]] bool gave_up() const { return gave_up_; }

 private:
  ByteSpan bytes_;
  std::size_t symbol_count_;
  std::size_t lane_count_;
  bool judged_ = false;
  bool gave_up_ = false;
};

}  // namespace

EncodedBlock BlockCodec::encode_fallback(ByteSpan bytes, const Fallback& fallback) {
  archive::Block block;
  block.original_bytes = bytes.size();
  block.content_hash = xxh3_64(bytes);
  block.segments.push_back({fallback.method, bytes.size(), 0, fallback.payload});
  return {archive::serialize_block(block), bytes.size(), 0};
}

Result<EncodedBlock> BlockCodec::encode(ByteSpan bytes, const LockstepObserver& observer) {
  if (is_noise(bytes)) return encode_fallback(bytes, smallest_fallback(bytes));  // no model shrinks it
  const std::vector<TokenId> symbols = context_.tokenizer.encode(bytes);
  std::vector<Strip> strips = cut_strips(context_.tokenizer, symbols, bytes, lane_max_);

  Trial trial(bytes, symbols.size(), strips.size());
  const Status coded = encode_strips(strips, [&](const LockstepState& state) -> Status {
    if (trial.hopeless(state)) return usage_error("given up");
    return observer(state);
  });
  if (trial.gave_up()) return encode_fallback(bytes, smallest_fallback(bytes));
  TACIT_TRY(coded);
  bool any = false;
  for (Strip& strip : strips) {
    strip.fallback = better_fallback(strip.bytes, strip.code.size());
    any = any || strip.fallback.has_value();
  }
  // A decoder has no lanes for strips that the model does not store, so the others must not have learnt from them.
  if (any && context_.adaptive) TACIT_TRY(encode_strips(strips, observer));

  EncodedBlock result;
  result.original_bytes = bytes.size();
  archive::Block block;
  block.original_bytes = bytes.size();
  block.content_hash = xxh3_64(bytes);
  for (const Strip& strip : strips) {
    if (strip.fallback.has_value()) {
      block.segments.push_back({strip.fallback->method, strip.bytes.size(), 0, strip.fallback->payload});
    } else {
      block.segments.push_back({archive::Method::kModel, 0, strip.symbols.size(), strip.code});
      result.model_token_count += strip.symbols.size();
    }
  }
  result.serialized = archive::serialize_block(block);
  if (const std::optional<Fallback> fallback = better_fallback(bytes, result.serialized.size()); fallback.has_value()) {
    EncodedBlock alternative = encode_fallback(bytes, *fallback);
    if (alternative.serialized.size() < result.serialized.size()) return alternative;
  }
  return result;
}

// Codes the strips that have no fallback.
Status BlockCodec::encode_strips(std::span<Strip> strips, const LockstepObserver& observer) {
  std::vector<std::span<const TokenId>> symbols;
  for (const Strip& strip : strips) {
    if (!strip.fallback.has_value()) symbols.push_back(strip.symbols);
  }
  if (symbols.empty()) return {};
  TACIT_ASSIGN(std::vector<ByteVector> codes, lockstep_.encode(symbols, observer));
  std::size_t next = 0;
  for (Strip& strip : strips) {
    if (!strip.fallback.has_value()) strip.code = std::move(codes[next++]);
  }
  return {};
}

Result<ByteVector> BlockCodec::decode(const archive::Block& block, const LockstepObserver& observer) {
  std::vector<CodedStrip> strips;
  for (const archive::Segment& segment : block.segments) {
    if (segment.method == archive::Method::kModel) strips.push_back({segment.payload, segment.token_count});
  }
  std::vector<std::vector<TokenId>> symbols;
  if (!strips.empty()) {
    TACIT_ASSIGN(symbols, lockstep_.decode(strips, observer));
  }
  ByteVector bytes;
  std::size_t strip = 0;
  for (std::size_t i = 0; i < block.segments.size(); ++i) {
    if (block.segments[i].method == archive::Method::kModel) {
      TACIT_ASSIGN(const ByteVector text, context_.tokenizer.decode(symbols[strip++], i == 0));
      append_bytes(bytes, text);
    } else {
      TACIT_TRY(decode_fallback(block.segments[i], bytes));
    }
    if (bytes.size() > block.original_bytes) break;  // check_content says so
  }
  TACIT_TRY(check_content(block, bytes));
  return bytes;
}

Result<ByteVector> decode_without_model(const archive::Block& block) {
  ByteVector bytes;
  for (const archive::Segment& segment : block.segments) TACIT_TRY(decode_fallback(segment, bytes));
  TACIT_TRY(check_content(block, bytes));
  return bytes;
}

bool needs_model(const archive::Block& block) {
  return std::any_of(block.segments.begin(), block.segments.end(),
                     [](const archive::Segment& segment) { return segment.method == archive::Method::kModel; });
}

}  // namespace tacit
