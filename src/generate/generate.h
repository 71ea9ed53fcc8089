// SPDX-License-Identifier: MIT
// One lane, one text: logits of a given sequence, and text that the model writes itself.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/engine.h"
#include "sampling/sampler.h"
#include "store/loaded_model.h"

namespace tacit {

// Calls `receive` with the logits of every position; it returns false to stop. `window` 0: all positions attend to all
// before them. Errors: kUsage for an id outside the vocabulary.
Status sequence_logits(const LoadedModel& model, const Engine& engine, std::uint32_t window,
                       std::span<const TokenId> ids, const std::function<bool(std::size_t, const float*)>& receive);

struct GenerateOptions {
  SamplerSettings sampler;
  std::uint64_t seed = 0;
  std::uint64_t token_count = 0;
  std::uint32_t window = 0;
  bool stop_at_eos = false;  // false: where a text ends, another begins with a fresh context
};

// Draws `token_count` tokens. With `stop_at_eos` EOS ends it, otherwise EOS and BOS, which count, end a text. Calls
// `receive` with the bytes of each token after the prompt, and with a blank line ("\n\n") between two texts; it returns
// false to stop. Errors: kModel, kUsage.
Status generate(const LoadedModel& model, const Engine& engine, const GenerateOptions& options, ByteSpan prompt,
                const std::function<bool(ByteSpan)>& receive);

}  // namespace tacit
