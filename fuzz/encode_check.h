// SPDX-License-Identifier: MIT
// What must hold of every text and every vocabulary. Shared by the fuzzers; a violation ends the process.
#pragma once

#include <cstdlib>

#include "tokenizer/tokenizer.h"

namespace tacit::fuzz {

inline void check_encode(const Tokenizer& tokenizer, ByteSpan text) {
  (void)tokenizer.tokenize(text, true, true);  // any bytes are accepted
  const auto symbols = tokenizer.encode(text);
  for (const TokenId symbol : symbols) {
    if (tokenizer.symbol_bytes(symbol).empty()) std::abort();
  }
  const auto decoded = tokenizer.decode(symbols, true);
  if (!decoded.ok() || as_text(decoded.value()) != as_text(text)) std::abort();
}

}  // namespace tacit::fuzz
