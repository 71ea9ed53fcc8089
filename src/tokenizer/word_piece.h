// SPDX-License-Identifier: MIT
// WordPiece (tokenizer.ggml.model = bert), id for id as llama.cpp does it: text without accents, capitals and control
// characters is cut at white space and punctuation, and each word spelled by the longest pieces. Most texts do not come
// back from that, so that `encode` mostly spells text its own way.
#pragma once

#include "tokenizer/tokenizer.h"

namespace tacit {

class WordPiece final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> load(const gguf::File& file);

 private:
  class Speller;

  WordPiece() = default;

  Status read_options(const gguf::File& file);
  Status read_symbol_bytes(const gguf::File& file);
  void append_words(std::string_view text, Speller& speller) const;
  void append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const override;
  // The longest tokens that stand for just the bytes that come next.
  [[nodiscard]] std::vector<TokenId> encode_exactly(ByteSpan text) const override;

  bool lowers_case_ = true;
  bool strips_accents_ = true;
  TokenFinder by_piece_;
  TokenFinder by_bytes_;
};

}  // namespace tacit
