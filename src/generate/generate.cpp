// SPDX-License-Identifier: MIT
#include "generate/generate.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "model/forward.h"

namespace tacit {
namespace {

constexpr std::uint32_t kChunk = 64;
constexpr std::array<std::uint8_t, 2> kSeparator = {'\n', '\n'};  // between two texts that the model wrote

// One lane and the forward pass that feeds it.
class SingleLane {
 public:
  SingleLane(const Model& model, const kernels::Kernels& kernels, ThreadPool& pool, std::uint32_t window)
      : cache_(model.config, window, kChunk),
        forward_(model, kernels, window, &pool),
        logits_(kernels::round_up(model.config.vocabulary_size, kernels::kTile)) {}

  // Errors: kUsage where its cache would take too much memory.
  static Status check(const Config& config, std::uint32_t window) {
    std::string excess = LaneCache::excess(config, window, kChunk, 1);
    if (excess.empty()) return {};
    return usage_error(std::move(excess));
  }

  // Feeds at most kChunk tokens.
  void feed(std::span<const TokenId> tokens) {
    rows_.clear();
    for (const TokenId token : tokens) rows_.push_back({&cache_, position_++, token});
    forward_.run(rows_);
  }

  // The next token begins a text of its own: no position before it is read again.
  void restart() { position_ = 0; }

  // Logits after row `row` of the last feed.
  const float* logits(std::uint32_t row) {
    forward_.logits({&row, 1}, logits_.data(), logits_.size());
    return logits_.data();
  }

 private:
  LaneCache cache_;
  Forward forward_;
  std::vector<float> logits_;
  std::vector<Row> rows_;
  std::uint32_t position_ = 0;
};

}  // namespace

Status sequence_logits(const Model& model, const kernels::Kernels& kernels, ThreadPool& pool, std::uint32_t window,
                       std::span<const TokenId> ids, const std::function<bool(std::size_t, const float*)>& receive) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && static_cast<std::uint32_t>(ids[i]) < model.config.vocabulary_size) continue;
    return usage_error("token " + std::to_string(i) + ": found id " + std::to_string(ids[i]) + ", expected 0 to " +
                       std::to_string(model.config.vocabulary_size - 1));
  }
  if (window == 0) {
    window = std::max(static_cast<std::uint32_t>(ids.size()), model.config.default_window());
    window = std::min(window, model.config.window_max());
  }
  TACIT_TRY(SingleLane::check(model.config, window));
  SingleLane lane(model, kernels, pool, window);
  for (std::size_t begin = 0; begin < ids.size(); begin += kChunk) {
    const std::span<const TokenId> chunk = ids.subspan(begin, std::min<std::size_t>(kChunk, ids.size() - begin));
    lane.feed(chunk);
    for (std::uint32_t i = 0; i < chunk.size(); ++i) {
      if (!receive(begin + i, lane.logits(i))) return {};
    }
  }
  return {};
}

Status generate(const LoadedModel& model, const kernels::Kernels& kernels, ThreadPool& pool,
                const GenerateOptions& options, ByteSpan prompt, const std::function<bool(ByteSpan)>& receive) {
  TACIT_TRY(model.require_tokenizer());
  TACIT_TRY(SingleLane::check(model.model.config, options.window));
  const Tokenizer& tokenizer = *model.tokenizer;
  // EOS ends a text. BOS begins the next, and is all that stands between texts where a model was trained on them so.
  const auto is_end = [&](TokenId token) {
    return token == tokenizer.eos_token() || (token == tokenizer.bos_token() && !options.stop_at_eos);
  };
  // Other tokens that stand for no text (padding) would be lost in the output.
  std::vector<bool> excluded(tokenizer.vocabulary_size());
  for (std::size_t i = 0; i < excluded.size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    excluded[i] = tokenizer.symbol_bytes(token).empty() && !is_end(token);
  }
  TACIT_ASSIGN(Sampler sampler, Sampler::create(options.sampler, options.seed, std::move(excluded), kernels));

  std::vector<TokenId> context{tokenizer.context_start_token()};
  for (const TokenId symbol : tokenizer.encode(prompt)) {
    context.push_back(tokenizer.model_token(symbol));
    sampler.note(context.back());
  }
  SingleLane lane(model.model, kernels, pool, options.window);
  std::uint32_t last_row = 0;
  for (std::size_t begin = 0; begin < context.size(); begin += kChunk) {
    const std::size_t size = std::min<std::size_t>(kChunk, context.size() - begin);
    lane.feed(std::span(context).subspan(begin, size));
    last_row = static_cast<std::uint32_t>(size - 1);
  }
  bool text_is_empty = prompt.empty();
  bool separator_is_due = false;  // a text has ended, and the next has no bytes yet
  for (std::uint64_t i = 0; i < options.token_count; ++i) {
    TACIT_ASSIGN(const TokenId token, sampler.draw(lane.logits(last_row)));
    TokenId input = token;
    if (is_end(token)) {
      if (options.stop_at_eos) break;
      separator_is_due |= !text_is_empty;
      text_is_empty = true;
      lane.restart();
      sampler.forget();
      input = tokenizer.context_start_token();
    } else {
      TACIT_ASSIGN(const ByteVector text, tokenizer.decode({&token, 1}, text_is_empty));
      if (separator_is_due && !receive(kSeparator)) break;
      if (!receive(text)) break;
      separator_is_due = false;
      text_is_empty = false;
    }
    if (i + 1 < options.token_count) lane.feed({&input, 1});
    last_row = 0;
  }
  return {};
}

}  // namespace tacit
