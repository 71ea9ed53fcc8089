// SPDX-License-Identifier: MIT
#include "tokenizer/rwkv_world.h"

#include <unordered_map>

#include "base/printable.h"

namespace tacit {
namespace {

// -1: none. Capital digits are none: llama.cpp would read them as other numbers.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::optional<std::string> unescape_rwkv_piece(std::string_view piece) {
  std::string bytes;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (piece[i] != '\\') {
      bytes += piece[i];
      continue;
    }
    if (++i == piece.size()) return std::nullopt;
    switch (piece[i]) {
      case 't':
        bytes += '\t';
        break;
      case 'n':
        bytes += '\n';
        break;
      case 'r':
        bytes += '\r';
        break;
      case 'x': {
        if (piece.size() - i <= 2) return std::nullopt;
        const int high = hex_digit(piece[i + 1]), low = hex_digit(piece[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes += static_cast<char>(16 * high + low);
        i += 2;
        break;
      }
      default:
        bytes += piece[i];
        break;
    }
  }
  return bytes;
}

Result<std::unique_ptr<Tokenizer>> RwkvWorld::load(const gguf::File& file) {
  constexpr Defaults kDefaults = {
      .bos = kNoToken, .eos = kNoToken, .unknown = kNoToken, .reads_add_space_prefix = false};
  std::unique_ptr<RwkvWorld> tokenizer(new RwkvWorld);
  TACIT_TRY(tokenizer->read_vocabulary(file, kDefaults));
  // Nothing is put around a text, whatever the file says.
  tokenizer->opening_token_ = tokenizer->closing_token_ = kNoToken;
  TACIT_TRY(tokenizer->read_symbol_bytes(file));
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

Status RwkvWorld::read_symbol_bytes(const gguf::File& file) {
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    const std::optional<std::string> bytes = unescape_rwkv_piece(piece(token));
    if (!bytes.has_value()) {
      return load_error(file, "tokenizer.ggml.tokens",
                        "token " + std::to_string(token) + " as " + printable_quoted(piece(token)),
                        R"(\t, \n, \r, \x and two small hexadecimal digits, or another escaped character)");
    }
    unescaped_.append(as_bytes(*bytes));
    TACIT_TRY(append_symbol_bytes(file, token, *bytes));
  }
  std::array<TokenId, 256> none;
  none.fill(kNoToken);
  add_byte_symbols(none);
  by_bytes_ = index_by_bytes();
  std::unordered_map<std::string_view, TokenId> last;  // of several spellings of the same bytes
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    last[as_text(unescaped_[static_cast<std::size_t>(token)])] = token;
  }
  last.erase(std::string_view());
  std::vector<TokenFinder::Entry> entries;
  for (const auto& [bytes, token] : last) entries.push_back({token, as_bytes(bytes)});
  by_unescaped_ = TokenFinder(std::move(entries));
  return {};
}

void RwkvWorld::append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const {
  for (const Fragment& fragment : fragments) {
    if (fragment.token != kNoToken) {
      tokens.push_back(fragment.token);
      continue;
    }
    for (ByteSpan rest = fragment.text; !rest.empty();) {
      const TokenFinder::Entry* const found = by_unescaped_.longest(rest);
      tokens.push_back(found == nullptr ? unknown_token_ : found->token);
      rest = rest.subspan(found == nullptr ? 1 : found->bytes.size());
    }
  }
}

std::vector<TokenId> RwkvWorld::encode_exactly(ByteSpan text) const {
  std::vector<TokenId> symbols;
  for (const Fragment& fragment : split_to_keep(text)) {
    if (fragment.token != kNoToken) {
      symbols.push_back(fragment.token);
    } else {
      append_longest(by_bytes_, fragment.text, symbols);
    }
  }
  return symbols;
}

}  // namespace tacit
