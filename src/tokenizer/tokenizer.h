// SPDX-License-Identifier: MIT
// Text to token ids and back. `tokenize` gives the ids that the model was trained to read (the same as llama.cpp's);
// `encode` gives symbols that decode to exactly the input bytes, whatever they are, and equals `tokenize` wherever
// that already holds. Knows vocabularies, not models.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/token.h"
#include "gguf/gguf.h"
#include "tokenizer/token_finder.h"

namespace tacit {

// Byte strings by index, in one allocation. Spans are valid until the next append.
class ByteStrings {
 public:
  void append(ByteSpan bytes) {
    append_bytes(bytes_, bytes);
    ends_.push_back(bytes_.size());
  }
  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  [[nodiscard]] ByteSpan operator[](std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return ByteSpan(bytes_).subspan(begin, ends_[index] - begin);
  }

 private:
  ByteVector bytes_;
  std::vector<std::size_t> ends_;
};

// The symbols that an archive codes: ids 0 to vocabulary_size - 1 are tokens; where the vocabulary has no token for
// some single byte, symbol vocabulary_size + k stands for the k-th such byte (a byte symbol), ascending.
// Immutable once loaded: all methods may be called from several threads at once.
class Tokenizer {
 public:
  // Errors: kModel, naming file, key, found and expected. The result owns all it needs; `file` may go.
  static Result<std::unique_ptr<Tokenizer>> load(const gguf::File& file);
  // Whether it is of a kind that `load` knows, without reading the vocabulary. Errors: as load.
  static Status check_kind(const gguf::File& file);
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // As llama.cpp's llama_tokenize. `add_special` puts BOS (and EOS) where the model's flags
  // (tokenizer.ggml.add_bos_token, add_eos_token) say. `parse_special`: control tokens that the text spells are such
  // tokens, not text. Any bytes are accepted; one that the vocabulary cannot spell becomes what it becomes there: the
  // unknown token, or nothing.
  [[nodiscard]] std::vector<TokenId> tokenize(ByteSpan text, bool add_special, bool parse_special = false) const;

  // Symbols for which `decode` gives exactly `text`. No BOS, no EOS. Starts with the space prefix where the model's
  // flag (tokenizer.ggml.add_space_prefix) asks for one, since that is what the model was trained to see.
  [[nodiscard]] std::vector<TokenId> encode(ByteSpan text) const;
  // The inverse, also piece by piece: the concatenation of symbol_bytes, less the space prefix where
  // `at_text_start` says that symbols[0] opens the text. Errors: kDamaged for a symbol outside [0, symbol_count()).
  [[nodiscard]] Result<ByteVector> decode(std::span<const TokenId> symbols, bool at_text_start) const;

  [[nodiscard]] std::uint32_t vocabulary_size() const { return vocabulary_size_; }
  [[nodiscard]] std::uint32_t symbol_count() const {
    return vocabulary_size_ + static_cast<std::uint32_t>(unspelled_bytes_.size());
  }
  // The token that a model reads in the place of a symbol: itself, or for a byte symbol the unknown token.
  [[nodiscard]] TokenId model_token(TokenId symbol) const {
    return symbol < static_cast<TokenId>(vocabulary_size_) ? symbol : unknown_token_;
  }
  // What a fresh context starts with: BOS, or where the model has none EOS, or else token 0.
  [[nodiscard]] TokenId context_start_token() const { return context_start_token_; }
  [[nodiscard]] TokenId bos_token() const { return bos_token_; }  // -1: none
  [[nodiscard]] TokenId eos_token() const { return eos_token_; }  // -1: none
  // The exact bytes of one symbol in [0, symbol_count()) inside a text (control and unknown tokens: empty).
  [[nodiscard]] ByteSpan symbol_bytes(TokenId symbol) const { return symbol_bytes_[static_cast<std::size_t>(symbol)]; }

 protected:
  static constexpr TokenId kNoToken = -1;

  // What a token is for. Numbers as in tokenizer.ggml.token_type.
  enum class TokenType : std::uint8_t {
    kUndefined = 0,
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,      // no part of any text
    kUserDefined = 4,  // found in the text before anything else is
    kUnused = 5,
    kByte = 6,  // "<0x41>" stands for the byte 0x41
  };

  // What holds where the file says nothing, by tokenizer model. A default id that the vocabulary does not reach is
  // none.
  struct Defaults {
    TokenId bos, eos, unknown;
    bool add_bos = false, add_eos = false, add_space_prefix = false;
    bool reads_add_space_prefix = true;  // from the file
  };

  // Text without user-defined tokens, or, where `token` is not kNoToken, one such token.
  struct Fragment {
    ByteSpan text;
    TokenId token = kNoToken;
  };

  Tokenizer() = default;

  static Error load_error(const gguf::File& file, std::string_view key, std::string_view found,
                          std::string_view expected);

  // Loading, in this order: read_vocabulary fills all members but symbol_bytes_; the derived class calls
  // append_symbol_bytes for every token; add_byte_symbols completes it. `text` is what a normal token with that piece
  // stands for. `preferred` are the tokens that `tokenize` falls back to, by
  // byte; one that does not stand for just its byte is passed over, kNoToken too.
  Status read_vocabulary(const gguf::File& file, const Defaults& defaults);
  Status append_symbol_bytes(const gguf::File& file, TokenId token, std::string_view text);
  void add_byte_symbols(const std::array<TokenId, 256>& preferred);

  // The tokens by the bytes that they stand for, less user-defined ones, which are cut out before. After
  // add_byte_symbols.
  [[nodiscard]] TokenFinder index_by_bytes() const;
  // Appends the longest of those tokens one after the other, and the symbols of bytes that begin none.
  void append_longest(const TokenFinder& by_bytes, ByteSpan text, std::vector<TokenId>& symbols) const;

  // Appends the tokens of one text, which is cut at those that are found in it before anything else is tokenized.
  virtual void append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const = 0;
  // `encode` for the texts that `tokenize` does not keep.
  [[nodiscard]] virtual std::vector<TokenId> encode_exactly(ByteSpan text) const = 0;
  // `text` cut at user-defined tokens, with all its white space. No fragment is empty.
  [[nodiscard]] std::vector<Fragment> split_to_keep(ByteSpan text) const { return split(text, user_defined_, false); }

  [[nodiscard]] TokenId find_piece(std::string_view piece) const {
    if (piece.size() > piece_bytes_max_) return kNoToken;
    const auto found = ids_by_piece_.find(piece);
    return found == ids_by_piece_.end() ? kNoToken : found->second;
  }
  [[nodiscard]] TokenType type(TokenId token) const { return types_[static_cast<std::size_t>(token)]; }
  [[nodiscard]] std::string_view piece(TokenId token) const {
    return as_text(pieces_[static_cast<std::size_t>(token)]);
  }
  // The symbol whose bytes are just `byte`.
  [[nodiscard]] TokenId symbol_of_byte(std::uint8_t byte) const { return symbols_by_byte_[byte]; }

  std::uint32_t vocabulary_size_ = 0;
  TokenId bos_token_ = kNoToken;
  TokenId eos_token_ = kNoToken;
  TokenId unknown_token_ = 0;
  TokenId opening_token_ = kNoToken;  // what `add_special` puts around a text
  TokenId closing_token_ = kNoToken;
  bool add_space_prefix_ = false;
  ByteStrings symbol_bytes_;

 private:
  static Error unknown_kind(const gguf::File& file, std::string_view model);
  Status read_pieces(const gguf::File& file);
  Status read_types(const gguf::File& file);
  Status read_special_tokens(const gguf::File& file, const Defaults& defaults);
  void correct_types(const gguf::File& file);
  void set_type(std::string_view piece, TokenType type);
  Status index_special_tokens(const gguf::File& file);
  [[nodiscard]] static std::vector<Fragment> split(ByteSpan text, const TokenFinder& finder, bool may_strip);
  [[nodiscard]] bool spells(std::span<const TokenId> symbols, ByteSpan text) const;
  [[nodiscard]] bool opens_with_space(TokenId symbol) const;

  ByteStrings pieces_;  // as in the file
  std::size_t piece_bytes_max_ = 0;
  std::vector<TokenType> types_;
  std::unordered_map<std::string_view, TokenId> ids_by_piece_;  // views into pieces_; empty pieces are left out
  TokenId context_start_token_ = 0;
  std::array<TokenId, 256> symbols_by_byte_{};
  std::vector<std::uint8_t> unspelled_bytes_;
  TokenFinder user_defined_;
  TokenFinder special_;  // user-defined, control and unknown tokens
};

}  // namespace tacit
