// SPDX-License-Identifier: MIT
// The vocabulary of RWKV's models (tokenizer.ggml.model = rwkv), id for id as llama.cpp reads it: tokens are byte
// strings, a text is spelled by the longest of them, one after the other. The file's pieces are these strings escaped.
#pragma once

#include <optional>
#include <string>

#include "tokenizer/tokenizer.h"

namespace tacit {

class RwkvWorld final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> load(const gguf::File& file);

 private:
  RwkvWorld() = default;

  Status read_symbol_bytes(const gguf::File& file);
  void append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const override;
  [[nodiscard]] std::vector<TokenId> encode_exactly(ByteSpan text) const override;

  ByteStrings unescaped_;  // by token, control tokens as well
  TokenFinder by_unescaped_;
  TokenFinder by_bytes_;
};

// The bytes that an escaped piece stands for: \t \n \r and \xhh as in C, two small hexadecimal digits; any other
// character behind a backslash is itself. Nothing where an escape is cut short or has other digits.
std::optional<std::string> unescape_rwkv_piece(std::string_view piece);

}  // namespace tacit
