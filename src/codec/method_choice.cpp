// SPDX-License-Identifier: MIT
#include "codec/method_choice.h"

#include <algorithm>
#include <array>

#include "codec/noise_runs.h"

namespace tacit {
namespace {

// Every strip starts with an empty context, which costs some ten bytes of code; with so many tokens at least in each
// that is about 0.3 % of them (docs/decisions/0003).
constexpr std::size_t kStripTokensMin = 8192;

// The model is judged when each lane has coded so many symbols, by what the fallback makes of the same bytes: both have
// then learnt from the same text, so that their ratio hardly changes any more, however many lanes there are. Given up
// where it takes so many times as much (docs/decisions/0018).
struct Judgement {
  std::uint64_t step;
  double limit;
};
constexpr std::array<Judgement, 2> kJudgements = {{{1024, 1.08}, {4096, 1.04}}};
// The same bytes say little of the block if the fallback needs so many times more for a byte of them than of the block.
constexpr double kPrefixDensityMax = 2.0;

// A strip whose code is so many times its own fallback is worth going on for.
constexpr double kStripGain = 0.85;
// The block is lost where so many times its fast fallback has been coded.
constexpr double kSureLoss = 1.25;

// Segments of records learn nothing from each other, so that their fallback is no measure; the block's is, once most
// lanes have ended a segment of the usual size. Before that only what loses by far is given up.
struct RecordJudgement {
  std::uint64_t symbols_per_lane;
  double limit;  // of the projected code, against the block's fallback
};
constexpr std::array<RecordJudgement, 2> kRecordJudgements = {{{1024, 2.0}, {4096, 1.25}}};

// Symbols [begin, end) of a block.
struct Part {
  std::size_t begin;
  std::size_t end;
  bool is_noise;
};

// The byte behind each symbol.
std::vector<std::size_t> symbol_ends(const Tokenizer& tokenizer, std::span<const TokenId> symbols) {
  std::vector<std::size_t> ends(symbols.size());
  std::size_t end = 0;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    end += i == 0 ? tokenizer.decode(symbols.first(1), true).value().size() : tokenizer.symbol_bytes(symbols[i]).size();
    ends[i] = end;
  }
  return ends;
}

// Noise is the symbols that lie inside of a run.
std::vector<Part> parts_of(std::span<const std::size_t> ends, std::span<const NoiseRun> runs) {
  std::vector<Part> parts;
  std::size_t next = 0;
  const auto symbols_before = [&](std::size_t byte) {  // that end there or before
    return static_cast<std::size_t>(std::ranges::upper_bound(ends, byte) - ends.begin());
  };
  for (const NoiseRun& run : runs) {
    const std::size_t before = symbols_before(run.begin);
    const bool straddles = run.begin > 0 && (before == 0 || ends[before - 1] != run.begin);
    const std::size_t begin = before + (straddles ? 1 : 0);
    const std::size_t end = symbols_before(run.end);
    if (end <= begin) continue;
    if (begin > next) parts.push_back({next, begin, false});
    parts.push_back({begin, end, true});
    next = end;
  }
  if (next < ends.size() || parts.empty()) parts.push_back({next, ends.size(), false});
  return parts;
}

}  // namespace

std::vector<Strip> cut_strips(const Tokenizer& tokenizer, std::span<const TokenId> symbols, FallbackSearch& block,
                              std::uint32_t lane_max) {
  const ByteSpan bytes = block.bytes();
  const std::vector<std::size_t> ends = symbol_ends(tokenizer, symbols);
  const auto byte_at = [&](std::size_t symbol) { return symbol == 0 ? 0 : ends[symbol - 1]; };
  // Each run may part the text once more, and each part of the text takes a lane.
  const std::vector<Part> parts = parts_of(ends, find_noise_runs(bytes, lane_max - 1));
  const auto is_text = [](const Part& part) { return !part.is_noise; };
  const auto text_count = static_cast<std::size_t>(std::ranges::count_if(parts, is_text));
  std::size_t text_symbols = 0;
  for (const Part& part : parts) text_symbols += part.is_noise ? 0 : part.end - part.begin;
  std::vector<Strip> strips;
  const auto add = [&](std::size_t begin, std::size_t end) {
    strips.push_back({symbols.subspan(begin, end - begin), bytes.subspan(byte_at(begin), byte_at(end) - byte_at(begin)),
                      {}, {}, 0});
  };
  for (const Part& part : parts) {
    if (part.is_noise) {
      add(part.begin, part.end);
      FallbackSearch own(strips.back().bytes);
      strips.back().fallback = (parts.size() == 1 ? block : own).smallest();
      continue;
    }
    const std::size_t size = part.end - part.begin;
    const std::size_t share = text_symbols == 0 ? 0 : (lane_max - text_count) * size / text_symbols;
    const std::size_t count = std::clamp<std::size_t>(size / kStripTokensMin, 1, 1 + share);
    for (std::size_t i = 0; i < count; ++i) add(part.begin + size * i / count, part.begin + size * (i + 1) / count);
  }
  return strips;
}

BlockChoice::BlockChoice(FallbackSearch& block, const Tokenizer& tokenizer, std::span<Strip> strips,
                         std::uint64_t model_overhead, std::size_t lane_count)
    : block_(block),
      tokenizer_(tokenizer),
      strips_(strips),
      model_overhead_(model_overhead),
      lane_count_(lane_count) {}

// Code only grows. It may exceed the block's fallback by some strips that will have one of their own.
bool BlockChoice::loses_for_sure(std::uint64_t code_bytes) {
  return static_cast<double>(code_bytes + model_overhead_) >= kSureLoss * static_cast<double>(block_.fast_bytes());
}

Proceed BlockChoice::judge_lockstep(const CodingState& state) {
  if (loses_for_sure(state.code_bytes)) return Proceed::kStop;
  if (judged_ == kJudgements.size() || state.steps_done < kJudgements[judged_].step) return Proceed::kContinue;
  const double limit = kJudgements[judged_++].limit;
  if (state.share_done == 1) return Proceed::kContinue;  // done: they are compared as they are
  return loses_on_prefix(state, limit) ? Proceed::kStop : Proceed::kContinue;
}

bool BlockChoice::loses_on_prefix(const CodingState& state, double limit) {
  const std::vector<ByteSpan> parts = prefixes(state.steps_done);
  ByteVector joined;
  for (const ByteSpan part : parts) append_bytes(joined, part);
  FallbackSearch search(joined);
  const auto code_bytes = static_cast<double>(state.code_bytes);
  const Fallback* const better = search.smaller_than(static_cast<std::uint64_t>(code_bytes / limit));
  if (better == nullptr) return false;
  const double density = static_cast<double>(better->payload.size()) / static_cast<double>(joined.size());
  const double block_density =
      static_cast<double>(block_.smallest().payload.size()) / static_cast<double>(block_.bytes().size());
  return density <= kPrefixDensityMax * block_density && !any_strip_gains(state, parts);
}

// Whether the model has coded some strip clearly better than the fallback alone would: text among what is none.
bool BlockChoice::any_strip_gains(const CodingState& state, std::span<const ByteSpan> parts) const {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto code_bytes = static_cast<double>(state.strip_code_bytes[i]);
    const auto worth = static_cast<std::uint64_t>(code_bytes / kStripGain);
    if (FallbackSearch(parts[i]).smaller_than(worth) == nullptr) return true;
  }
  return false;
}

// The bytes of the first `step` symbols of each coded strip.
std::vector<ByteSpan> BlockChoice::prefixes(std::uint64_t step) const {
  std::vector<ByteSpan> parts;
  for (const Strip& strip : strips_) {
    if (strip.fallback.has_value()) continue;
    std::size_t size = 0;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(step, strip.symbols.size()));
    for (const TokenId symbol : strip.symbols.first(count)) size += tokenizer_.symbol_bytes(symbol).size();
    parts.push_back(strip.bytes.first(std::min(size, strip.bytes.size())));  // one less with a space prefix
  }
  return parts;
}

Proceed BlockChoice::judge_records(const CodingState& state) {
  if (loses_for_sure(state.code_bytes)) return Proceed::kStop;
  if (judged_ == kRecordJudgements.size()) return Proceed::kContinue;
  const auto& [symbols_per_lane, limit] = kRecordJudgements[judged_];
  if (state.symbols_done < symbols_per_lane * lane_count_) return Proceed::kContinue;
  ++judged_;
  const double projected = static_cast<double>(state.code_bytes) / state.share_done;
  return block_.smaller_than(static_cast<std::uint64_t>(projected / limit)) != nullptr ? Proceed::kStop
                                                                                        : Proceed::kContinue;
}

bool BlockChoice::choose_strips() {
  bool any = false;
  for (Strip& strip : strips_) {
    if (strip.fallback.has_value()) continue;
    const bool is_block = strip.bytes.size() == block_.bytes().size();
    FallbackSearch own(strip.bytes);
    const Fallback* const better = (is_block ? block_ : own).smaller_than(strip.code.size());
    if (better == nullptr) continue;
    strip.fallback = *better;
    any = true;
  }
  return any;
}

const Fallback* BlockChoice::better_block(std::uint64_t block_bytes) {
  return block_.smaller_than(block_bytes + model_overhead_);
}

const Fallback* GroupChoice::better_group(std::uint64_t original_bytes, std::uint64_t stored_bytes) {
  const bool is_last = original_bytes == group_.bytes().size();
  // Asked for sure at the end, and early where the first block does badly.
  if (!is_known_ && (is_first_ || is_last)) {
    const double share = static_cast<double>(original_bytes) / static_cast<double>(group_.bytes().size());
    const double projected = static_cast<double>(stored_bytes) / share + static_cast<double>(model_overhead_);
    is_known_ = group_.smaller_than(static_cast<std::uint64_t>(projected)) != nullptr;
  }
  is_first_ = false;
  if (!is_known_ || group_.smallest().payload.size() >= stored_bytes + model_overhead_) return nullptr;
  return &group_.smallest();
}

}  // namespace tacit
