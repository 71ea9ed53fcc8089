// SPDX-License-Identifier: MIT
#include "generate/generate.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "sampling/sampler.h"

namespace tacit {
namespace {

constexpr std::array<std::uint8_t, 2> kSeparator = {'\n', '\n'};  // between two texts that the model wrote

// One lane and the pass that feeds it.
class SingleLane {
 public:
  // Errors: kUsage where its memory would exceed the limits.
  static Result<SingleLane> create(const Engine& engine, std::uint32_t window) {
    SingleLane lane;
    lane.lanes_ = engine.make_lanes(window);
    TACIT_TRY(lane.lanes_->reserve(1, window, ErrorCode::kUsage));
    lane.pass_ = lane.lanes_->make_pass(true);
    lane.chunk_ = engine.batch_shape(1).chunk_max;
    lane.logits_.resize(engine.logit_stride());
    return lane;
  }

  // Most tokens that feed() takes.
  [[nodiscard]] std::size_t chunk() const { return chunk_; }

  void feed(std::span<const TokenId> tokens) {
    rows_.clear();
    for (const TokenId token : tokens) rows_.push_back({0, position_++, token});
    pass_->run(rows_);
  }

  // The next token begins a text of its own: no position before it is read again.
  void restart() { position_ = 0; }

  // Logits after row `row` of the last feed.
  const float* logits(std::uint32_t row) {
    pass_->logits({&row, 1}, logits_.data());
    return logits_.data();
  }

 private:
  SingleLane() = default;

  std::unique_ptr<Lanes> lanes_;
  std::unique_ptr<Pass> pass_;
  std::size_t chunk_ = 1;
  std::vector<float> logits_;
  std::vector<Row> rows_;
  std::uint32_t position_ = 0;
};

}  // namespace

Status sequence_logits(const LoadedModel& model, const Engine& engine, std::uint32_t window,
                       std::span<const TokenId> ids, const std::function<bool(std::size_t, const float*)>& receive) {
  const Config& config = model.model.config;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && static_cast<std::uint32_t>(ids[i]) < config.vocabulary_size) continue;
    return usage_error("token " + std::to_string(i) + ": found id " + std::to_string(ids[i]) + ", expected 0 to " +
                       std::to_string(config.vocabulary_size - 1));
  }
  if (window == 0) {
    window = std::max(static_cast<std::uint32_t>(ids.size()), config.default_window());
    window = std::min(window, config.window_max());
  }
  TACIT_ASSIGN(SingleLane lane, SingleLane::create(engine, window));
  for (std::size_t begin = 0; begin < ids.size(); begin += lane.chunk()) {
    const std::span<const TokenId> chunk = ids.subspan(begin, std::min(lane.chunk(), ids.size() - begin));
    lane.feed(chunk);
    for (std::uint32_t i = 0; i < chunk.size(); ++i) {
      if (!receive(begin + i, lane.logits(i))) return {};
    }
  }
  return {};
}

Status generate(const LoadedModel& model, const Engine& engine, const GenerateOptions& options, ByteSpan prompt,
                const std::function<bool(ByteSpan)>& receive) {
  TACIT_TRY(model.require_tokenizer());
  TACIT_ASSIGN(SingleLane lane, SingleLane::create(engine, options.window));
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
  TACIT_ASSIGN(Sampler sampler, Sampler::create(options.sampler, options.seed, std::move(excluded),
                                                engine.distribution_kernels()));

  std::vector<TokenId> context{tokenizer.context_start_token()};
  for (const TokenId symbol : tokenizer.encode(prompt)) {
    context.push_back(tokenizer.model_token(symbol));
    sampler.note(context.back());
  }
  std::uint32_t last_row = 0;
  for (std::size_t begin = 0; begin < context.size(); begin += lane.chunk()) {
    const std::size_t size = std::min(lane.chunk(), context.size() - begin);
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
