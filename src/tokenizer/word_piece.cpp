// SPDX-License-Identifier: MIT
// What makes words of a text, and the two ways to spell them. In the file's pieces U+2581 begins a word.
#include "tokenizer/word_piece.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "tokenizer/pieces.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_memory.h"

namespace tacit {
namespace {

// Each of them is a word. The list is llama.cpp's, and before it that of
// https://github.com/huggingface/tokenizers (BertNormalizer).
bool is_ideograph(std::uint32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

bool stands_alone(std::uint32_t c, CharacterKind kind) {
  return kind == CharacterKind::kPunctuation || (c < 0x7f && kind == CharacterKind::kSymbol) || is_ideograph(c);
}

}  // namespace

// Spells the words that `append_words` finds.
class WordPiece::Speller {
 public:
  Speller(const WordPiece& tokenizer, std::size_t text_bytes, std::vector<TokenId>& tokens)
      : tokenizer_(tokenizer), memory_(text_bytes), tokens_(tokens) {}

  void add(std::uint32_t code_point) { append_character(word_, code_point); }

  void end_word() {
    if (word_.size() == kBlank.size()) return;
    memory_.append(word_, WordMemory::hash(word_), tokens_, [this] { append_word(); });
    word_.resize(kBlank.size());
  }

 private:
  void append_word() {
    const std::size_t begin = tokens_.size();
    for (ByteSpan rest = as_bytes(word_); !rest.empty();) {
      const TokenFinder::Entry* const found = tokenizer_.by_piece_.longest(rest);
      if (found == nullptr) {
        tokens_.resize(begin);
        tokens_.push_back(tokenizer_.unknown_token_);
        return;
      }
      tokens_.push_back(found->token);
      rest = rest.subspan(found->bytes.size());
    }
  }

  const WordPiece& tokenizer_;
  WordMemory memory_;
  std::vector<TokenId>& tokens_;
  std::string word_{kBlank};
};

Result<std::unique_ptr<Tokenizer>> WordPiece::load(const gguf::File& file) {
  constexpr Defaults kDefaults = {.bos = 101,
                                  .eos = kNoToken,
                                  .unknown = 100,
                                  .add_bos = true,
                                  .add_space_prefix = true,
                                  .reads_add_space_prefix = false};
  std::unique_ptr<WordPiece> tokenizer(new WordPiece);
  TACIT_TRY(tokenizer->read_vocabulary(file, kDefaults));
  TACIT_TRY(tokenizer->read_options(file));
  TACIT_TRY(tokenizer->read_symbol_bytes(file));
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

Status WordPiece::read_options(const gguf::File& file) {
  constexpr std::string_view kSeparatorKey = "tokenizer.ggml.seperator_token_id";  // so it is spelled
  TACIT_ASSIGN(const std::uint64_t separator, file.integer_or(kSeparatorKey, 102, 0, ~std::uint64_t{0}));
  if (separator >= vocabulary_size_) {
    return load_error(file, kSeparatorKey, std::to_string(separator), "a token of the vocabulary");
  }
  opening_token_ = bos_token_;
  closing_token_ = static_cast<TokenId>(separator);
  TACIT_ASSIGN(lowers_case_, file.boolean_or("tokenizer.ggml.normalizer.lowercase", true));
  TACIT_ASSIGN(strips_accents_, file.boolean_or("tokenizer.ggml.normalizer.strip_accents", lowers_case_));
  return {};
}

Status WordPiece::read_symbol_bytes(const gguf::File& file) {
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    TACIT_TRY(append_symbol_bytes(file, token, with_spaces(piece(token))));
  }
  std::array<TokenId, 256> none;
  none.fill(kNoToken);
  add_byte_symbols(none);
  std::vector<TokenFinder::Entry> by_piece;
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    if (!piece(token).empty()) by_piece.push_back({token, as_bytes(piece(token))});
  }
  by_piece_ = TokenFinder(std::move(by_piece));
  by_bytes_ = index_by_bytes();
  return {};
}

void WordPiece::append_words(std::string_view text, Speller& speller) const {
  for (std::size_t offset = 0; offset < text.size();) {
    const DecodedCharacter decoded = decode_character(text, offset);
    offset += decoded.size;
    const std::uint32_t character = strips_accents_ ? first_decomposed(decoded.code_point) : decoded.code_point;
    const CharacterKind kind = kind_of(character);
    if (kind == CharacterKind::kWhiteSpace) {
      speller.end_word();
      continue;
    }
    if (character == 0 || character == kReplacementCharacter || kind == CharacterKind::kControl) continue;
    if (strips_accents_ && kind == CharacterKind::kMark) continue;
    const bool is_word = stands_alone(character, kind);
    if (is_word) speller.end_word();
    speller.add(lowers_case_ ? lower_case(character) : character);
    if (is_word) speller.end_word();
  }
  speller.end_word();
}

void WordPiece::append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const {
  std::size_t text_bytes = 0;
  for (const Fragment& fragment : fragments) text_bytes += fragment.text.size();
  Speller speller(*this, text_bytes, tokens);
  for (const Fragment& fragment : fragments) {
    if (fragment.token != kNoToken) {
      tokens.push_back(fragment.token);
    } else {
      append_words(as_text(fragment.text), speller);
    }
  }
}

std::vector<TokenId> WordPiece::encode_exactly(ByteSpan text) const {
  std::vector<TokenId> symbols;
  for (const Fragment& fragment : split_to_keep(text)) {
    if (fragment.token != kNoToken) {
      symbols.push_back(fragment.token);
      continue;
    }
    std::string spaced(symbols.empty() ? " " : "");
    spaced += as_text(fragment.text);
    append_longest(by_bytes_, as_bytes(spaced), symbols);
  }
  return symbols;
}

}  // namespace tacit
