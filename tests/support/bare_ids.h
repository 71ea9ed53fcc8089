// SPDX-License-Identifier: MIT
// A vocabulary of numbers that spell nothing, for coding token ids of models that come without one.
#pragma once

#include "tokenizer/tokenizer.h"

namespace tacit::test {

class BareIds final : public Tokenizer {
 public:
  explicit BareIds(std::uint32_t count) { vocabulary_size_ = count; }

 private:
  void append_tokens(std::span<const Fragment>, std::vector<TokenId>&) const override {}
  [[nodiscard]] std::vector<TokenId> encode_exactly(ByteSpan) const override { return {}; }
};

}  // namespace tacit::test
