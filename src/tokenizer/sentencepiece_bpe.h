// SPDX-License-Identifier: MIT
// Sentencepiece-BPE (`tokenizer.ggml.model` = "llama"): spaces become U+2581, then the two neighbours whose union is
// the piece with the highest score are joined, the leftmost of equals first, until no union is a piece. What is no
// piece in the end is spelled by byte tokens.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace tacit {

class SentencePieceBpe final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> load(const gguf::File& file);

 private:
  class Merger;

  static constexpr int kJoinBits = 20;

  SentencePieceBpe() = default;

  Status read_ranks(const gguf::File& file);
  Status read_symbol_bytes(const gguf::File& file);
  void find_byte_tokens();
  void find_joins();
  // Differs from llama.cpp in one thing: where 2^24 characters in a row hold no place that merges cannot cross, such
  // a place is put after them, which bounds memory (by some 600 MB).
  void append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const override;
  [[nodiscard]] std::vector<TokenId> encode_exactly(ByteSpan text) const override;
  // Whether the piece, with blanks for U+2581, is what the token decodes to. Not so control tokens, byte tokens
  // (found where a text spells "<0x41>"), user-defined ones with a U+2581.
  [[nodiscard]] bool is_exact(TokenId token) const { return is_exact_[static_cast<std::size_t>(token)]; }
  [[nodiscard]] std::uint32_t rank(TokenId token) const { return ranks_[static_cast<std::size_t>(token)]; }

  std::vector<std::uint32_t> ranks_;  // 0: the highest score; equal scores have equal ranks
  std::vector<bool> is_exact_;
  std::array<TokenId, 256> byte_tokens_{};  // what a byte falls back to; the unknown token where there is none
  // By a hash of two characters: whether some piece may hold them side by side. Merges cross no other place, so the
  // words between such places can be merged one by one, and remembered.
  std::bitset<(std::size_t{1} << kJoinBits)> joins_;
};

}  // namespace tacit
