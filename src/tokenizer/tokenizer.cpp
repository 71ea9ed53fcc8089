// SPDX-License-Identifier: MIT
// What all tokenizers share: reading a vocabulary that may be hostile, special tokens, and the two ways between bytes
// and symbols. How the text between special tokens becomes tokens is for the derived classes.
#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <cassert>
#include <initializer_list>
#include <optional>
#include <string>

#include "base/limits.h"
#include "base/printable.h"
#include "tokenizer/byte_pair_encoding.h"
#include "tokenizer/pieces.h"
#include "tokenizer/rwkv_world.h"
#include "tokenizer/sentencepiece_bpe.h"
#include "tokenizer/word_piece.h"

namespace tacit {
namespace {

constexpr std::string_view kModelKey = "tokenizer.ggml.model";
constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";
constexpr std::string_view kAddBosKey = "tokenizer.ggml.add_bos_token";
constexpr std::string_view kAddEosKey = "tokenizer.ggml.add_eos_token";

// Many files call a control token normal or user-defined. llama.cpp goes by these names, and the ids would differ if
// we did not: "</s>" of phi-3 is user-defined in the file, yet not found in text.
constexpr std::string_view kControlNames[] = {"</s>",          "<eos>",
                                              "<EOT>",         "_<EOT>",
                                              "[EOT]",         "[EOS]",
                                              "<|eot_id|>",    "<|eom_id|>",
                                              "<|end|>",       "<|im_end|>",
                                              "<end_of_turn>", "<end_of_utterance>",
                                              "<|endoftext|>", "<|end_of_text|>",
                                              "<|return|>",    "<|call|>",
                                              "<|calls|>",     "<|flush|>",
                                              "<turn|>",       "<|tool_response>",
                                              "[e~[",          "<｜end▁of▁sentence｜>"};

// The same for fill-in-the-middle tokens, but only one of each kind and only where the file does not name it by key.
// llama.cpp takes one in the order of its hash table; we, the lowest id.
struct FillInMiddleToken {
  std::string_view key;
  std::string_view old_key;
  std::array<std::string_view, 8> names;
};
constexpr FillInMiddleToken kFillInMiddleTokens[] = {
    {"tokenizer.ggml.fim_pre_token_id",
     "tokenizer.ggml.prefix_token_id",
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>",
      "<|prefix|>"}},
    {"tokenizer.ggml.fim_suf_token_id",
     "tokenizer.ggml.suffix_token_id",
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>",
      "<|suffix|>"}},
    {"tokenizer.ggml.fim_mid_token_id",
     "tokenizer.ggml.middle_token_id",
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>",
      "<|middle|>"}},
    {"tokenizer.ggml.fim_pad_token_id", "", {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
    {"tokenizer.ggml.fim_rep_token_id", "", {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {"tokenizer.ggml.fim_sep_token_id", "", {"<|file_sep|>"}},
};

// User-defined whatever the file says.
constexpr std::string_view kUserDefinedNames[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::load(const gguf::File& file) {
  TACIT_ASSIGN(const std::string_view model, file.string(kModelKey));
  if (model == "llama") return SentencePieceBpe::load(file);
  if (model == "gpt2" || model == "gemma4") return BytePairEncoding::load(file);
  if (model == "bert") return WordPiece::load(file);
  if (model == "rwkv") return RwkvWorld::load(file);
  return unknown_kind(file, model);
}

Status Tokenizer::check_kind(const gguf::File& file) {
  TACIT_ASSIGN(const std::string_view model, file.string(kModelKey));
  if (model == "llama" || model == "bert" || model == "rwkv") return {};
  if (model == "gpt2" || model == "gemma4") return BytePairEncoding::check_kind(file);
  return unknown_kind(file, model);
}

Error Tokenizer::unknown_kind(const gguf::File& file, std::string_view model) {
  return load_error(file, kModelKey, printable_quoted(model), R"("llama", "gpt2", "gemma4", "bert" or "rwkv")");
}

Error Tokenizer::load_error(const gguf::File& file, std::string_view key, std::string_view found,
                            std::string_view expected) {
  std::string message = file.name() + ": metadata \"";
  message.append(key).append("\": found ").append(found).append(", expected ").append(expected);
  return model_error(std::move(message));
}

std::vector<TokenId> Tokenizer::tokenize(ByteSpan text, bool add_special, bool parse_special) const {
  std::vector<TokenId> tokens;
  if (add_special && opening_token_ != kNoToken) tokens.push_back(opening_token_);
  append_tokens(split(text, parse_special ? special_ : user_defined_, true), tokens);
  if (add_special && closing_token_ != kNoToken) tokens.push_back(closing_token_);
  return tokens;
}

std::vector<TokenId> Tokenizer::encode(ByteSpan text) const {
  std::vector<TokenId> symbols = tokenize(text, false);
  if (spells(symbols, text)) return symbols;
  symbols = encode_exactly(text);
  assert(spells(symbols, text));
  return symbols;
}

Result<ByteVector> Tokenizer::decode(std::span<const TokenId> symbols, bool at_text_start) const {
  ByteVector text;
  for (const TokenId symbol : symbols) {
    if (symbol < 0 || static_cast<std::uint32_t>(symbol) >= symbol_count()) {
      return damaged("symbol: found " + std::to_string(symbol) + ", expected less than " +
                     std::to_string(symbol_count()));
    }
    append_bytes(text, symbol_bytes(symbol));
  }
  if (at_text_start && !symbols.empty() && opens_with_space(symbols[0])) text.erase(text.begin());
  return text;
}

// Whether `symbols` decode to `text` and each of them has a part in that: a control token could hide between others.
bool Tokenizer::spells(std::span<const TokenId> symbols, ByteSpan text) const {
  bool opens = true;
  for (const TokenId symbol : symbols) {
    ByteSpan bytes = symbol_bytes(symbol);
    if (bytes.empty()) return false;
    if (opens && opens_with_space(symbol)) bytes = bytes.subspan(1);
    opens = false;
    if (bytes.size() > text.size() || !std::equal(bytes.begin(), bytes.end(), text.begin())) return false;
    text = text.subspan(bytes.size());
  }
  return text.empty();
}

// Whether a text that starts with `symbol` starts with the space prefix: no prefix comes before a user-defined token.
bool Tokenizer::opens_with_space(TokenId symbol) const {
  const ByteSpan bytes = symbol_bytes(symbol);
  const bool is_user_defined =
      symbol < static_cast<TokenId>(vocabulary_size_) && type(symbol) == TokenType::kUserDefined;
  return add_space_prefix_ && !is_user_defined && !bytes.empty() && bytes[0] == ' ';
}

Status Tokenizer::read_vocabulary(const gguf::File& file, const Defaults& defaults) {
  TACIT_TRY(read_pieces(file));
  TACIT_TRY(read_types(file));
  TACIT_TRY(read_special_tokens(file, defaults));
  correct_types(file);
  return index_special_tokens(file);
}

Status Tokenizer::read_pieces(const gguf::File& file) {
  TACIT_ASSIGN(const gguf::Array* const tokens, file.array(kTokensKey, gguf::ValueType::kString));
  const std::uint64_t count = tokens == nullptr ? 0 : tokens->count;
  if (count == 0 || count > limits::kVocabularyMax) {
    return load_error(file, kTokensKey, std::to_string(count) + " tokens",
                      "1 to " + std::to_string(limits::kVocabularyMax));
  }
  vocabulary_size_ = static_cast<std::uint32_t>(count);
  for (const std::string_view text : tokens->strings) {
    if (text.size() > limits::kPieceBytesMax) {
      return load_error(file, kTokensKey,
                        std::to_string(text.size()) + " bytes in token " + std::to_string(pieces_.size()),
                        "at most " + std::to_string(limits::kPieceBytesMax));
    }
    piece_bytes_max_ = std::max(piece_bytes_max_, text.size());
    pieces_.append(as_bytes(text));
  }
  ids_by_piece_.reserve(vocabulary_size_);
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    if (piece(token).empty()) continue;
    const auto [place, is_new] = ids_by_piece_.emplace(piece(token), token);
    if (!is_new) {
      return load_error(file, kTokensKey,
                        "the same piece in tokens " + std::to_string(place->second) + " and " + std::to_string(token),
                        "distinct pieces");
    }
  }
  return {};
}

Status Tokenizer::read_types(const gguf::File& file) {
  constexpr auto kLast = static_cast<std::int64_t>(TokenType::kByte);
  TACIT_ASSIGN(const gguf::Array* const types, file.array(kTypesKey, gguf::ValueType::kInt32));
  types_.assign(vocabulary_size_, TokenType::kNormal);
  if (types == nullptr) return {};
  if (types->count != vocabulary_size_) {
    return load_error(file, kTypesKey, std::to_string(types->count) + " types", std::to_string(vocabulary_size_));
  }
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const std::int64_t number = types->integer(i);
    if (number < 0 || number > kLast) {
      return load_error(file, kTypesKey, std::to_string(number) + " for token " + std::to_string(i),
                        "0 to " + std::to_string(kLast));
    }
    types_[i] = static_cast<TokenType>(number);
  }
  return {};
}

Status Tokenizer::read_special_tokens(const gguf::File& file, const Defaults& defaults) {
  const auto read = [&](std::string_view key, TokenId fallback, TokenId& token) -> Status {
    token = fallback < static_cast<TokenId>(vocabulary_size_) ? fallback : kNoToken;
    if (file.find(key) == nullptr) return {};
    TACIT_ASSIGN(const std::uint64_t number, file.integer(key, 0, vocabulary_size_ - 1));
    token = static_cast<TokenId>(number);
    return {};
  };
  TACIT_TRY(read("tokenizer.ggml.bos_token_id", defaults.bos, bos_token_));
  TACIT_TRY(read("tokenizer.ggml.eos_token_id", defaults.eos, eos_token_));
  TACIT_TRY(read("tokenizer.ggml.unknown_token_id", defaults.unknown, unknown_token_));
  if (unknown_token_ == kNoToken) unknown_token_ = 0;
  context_start_token_ = bos_token_ != kNoToken ? bos_token_ : std::max(eos_token_, TokenId{0});

  TACIT_ASSIGN(const bool add_bos, file.boolean_or(kAddBosKey, defaults.add_bos));
  TACIT_ASSIGN(const bool add_eos, file.boolean_or(kAddEosKey, defaults.add_eos));
  if (add_bos && bos_token_ == kNoToken) return load_error(file, kAddBosKey, "true", "a BOS token in the vocabulary");
  if (add_eos && eos_token_ == kNoToken) return load_error(file, kAddEosKey, "true", "an EOS token in the vocabulary");
  if (add_bos) opening_token_ = bos_token_;
  if (add_eos) closing_token_ = eos_token_;
  add_space_prefix_ = defaults.add_space_prefix;
  if (!defaults.reads_add_space_prefix) return {};
  TACIT_ASSIGN(add_space_prefix_, file.boolean_or("tokenizer.ggml.add_space_prefix", defaults.add_space_prefix));
  return {};
}

void Tokenizer::set_type(std::string_view name, TokenType type) {
  if (const TokenId token = find_piece(name); token != kNoToken) types_[static_cast<std::size_t>(token)] = type;
}

void Tokenizer::correct_types(const gguf::File& file) {
  const auto has = [this](std::string_view name) { return find_piece(name) != kNoToken; };
  for (const std::string_view name : kControlNames) set_type(name, TokenType::kControl);
  for (const FillInMiddleToken& kind : kFillInMiddleTokens) {
    if (file.find(kind.key) != nullptr || file.find(kind.old_key) != nullptr) continue;
    std::string_view first;
    for (const std::string_view name : kind.names) {
      if (has(name) && (first.empty() || find_piece(name) < find_piece(first))) first = name;
    }
    set_type(first, TokenType::kControl);
  }
  for (const std::string_view name : kUserDefinedNames) set_type(name, TokenType::kUserDefined);
  // Vocabularies with these end a turn otherwise, and the two names are ordinary there.
  const bool has_call = has("<|call|>") || has("<|calls|>");
  if ((has("<|return|>") && has_call) || (has("<|flush|>") && has_call)) set_type("<|end|>", TokenType::kUserDefined);
  if (has("<|tool_response>")) set_type("</s>", TokenType::kNormal);
}

// Which tokens take white space with them, llama.cpp tells from the names of the model, its architecture and its
// pre-tokenizer.
Status Tokenizer::index_special_tokens(const gguf::File& file) {
  TACIT_ASSIGN(const std::string_view model, file.string_or("general.name", ""));
  TACIT_ASSIGN(const std::string_view architecture, file.string_or("general.architecture", ""));
  TACIT_ASSIGN(const std::string_view pre_tokenizer, file.string_or("tokenizer.ggml.pre", ""));
  const std::string model_name = lower_ascii(model);
  const bool is_jina = contains_any(pre_tokenizer, {"jina-v2-de", "jina-v2-es", "jina-v2-code"}) ||
                       contains_any(architecture, {"nomic-bert-moe", "jina-bert-v3"});
  const bool is_phi3 = !is_jina && contains_any(model_name, {"phi-3", "phi3"});
  const bool is_modern_bert = !is_jina && !is_phi3 && contains_any(model_name, {"modern-bert"});

  std::vector<TokenFinder::Entry> user_defined, special;
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    const bool is_user_defined = type(token) == TokenType::kUserDefined;
    const bool is_special = type(token) == TokenType::kControl || type(token) == TokenType::kUnknown;
    const std::string_view name = piece(token);
    if (name.empty() || (!is_user_defined && !is_special)) continue;
    TokenFinder::Entry entry = {token, as_bytes(name)};
    entry.strips_before = (is_jina && name == "<mask>") || (is_modern_bert && name == "[MASK]");
    entry.strips_after = is_phi3 && name != "<unk>" && name != "<s>" && name != "<|endoftext|>";
    if (is_user_defined) user_defined.push_back(entry);
    special.push_back(entry);
  }
  user_defined_ = TokenFinder(std::move(user_defined));
  special_ = TokenFinder(std::move(special));
  return {};
}

std::vector<Tokenizer::Fragment> Tokenizer::split(ByteSpan text, const TokenFinder& finder, bool may_strip) {
  std::vector<Fragment> fragments;
  std::size_t done = 0;
  for (const TokenFinder::Match& match : finder.find_all(text, may_strip)) {
    if (match.begin > done) fragments.push_back({text.subspan(done, match.begin - done), kNoToken});
    fragments.push_back({text.subspan(match.begin, match.end - match.begin), match.token});
    done = match.end;
  }
  if (done < text.size()) fragments.push_back({text.subspan(done), kNoToken});
  return fragments;
}

Status Tokenizer::append_symbol_bytes(const gguf::File& file, TokenId token, std::string_view text) {
  if (type(token) == TokenType::kControl || type(token) == TokenType::kUnknown) text = {};
  if (type(token) == TokenType::kUserDefined) text = piece(token);
  char byte = 0;
  if (type(token) == TokenType::kByte) {
    const std::optional<std::uint8_t> parsed = parse_byte_piece(piece(token));
    if (!parsed.has_value()) {
      return load_error(file, kTokensKey, "token " + std::to_string(token) + " of type 6 (byte)",
                        "\"<0x00>\" to \"<0xFF>\" for its piece");
    }
    byte = static_cast<char>(*parsed);
    text = {&byte, 1};
  }
  symbol_bytes_.append(as_bytes(text));
  return {};
}

void Tokenizer::add_byte_symbols(const std::array<TokenId, 256>& preferred) {
  assert(symbol_bytes_.size() == vocabulary_size_);
  symbols_by_byte_.fill(kNoToken);
  const auto assign = [this](TokenId token) {
    if (token == kNoToken) return;
    const ByteSpan bytes = symbol_bytes(token);
    // A user-defined token says where a text starts (opens_with_space), so it is no spelling of a byte.
    if (bytes.size() != 1 || type(token) == TokenType::kUserDefined) return;
    if (symbols_by_byte_[bytes[0]] == kNoToken) symbols_by_byte_[bytes[0]] = token;
  };
  for (const TokenId token : preferred) assign(token);
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) assign(token);
  for (std::size_t i = 0; i < symbols_by_byte_.size(); ++i) {
    if (symbols_by_byte_[i] != kNoToken) continue;
    const auto byte = static_cast<std::uint8_t>(i);
    symbols_by_byte_[i] = static_cast<TokenId>(symbol_count());
    unspelled_bytes_.push_back(byte);
    symbol_bytes_.append({&byte, 1});
  }
}

TokenFinder Tokenizer::index_by_bytes() const {
  std::vector<TokenFinder::Entry> entries;
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    const ByteSpan bytes = symbol_bytes(token);
    if (!bytes.empty() && type(token) != TokenType::kUserDefined) entries.push_back({token, bytes});
  }
  return TokenFinder(std::move(entries));
}

void Tokenizer::append_longest(const TokenFinder& by_bytes, ByteSpan text, std::vector<TokenId>& symbols) const {
  while (!text.empty()) {
    const TokenFinder::Entry* const found = by_bytes.longest(text);
    symbols.push_back(found == nullptr ? symbol_of_byte(text[0]) : found->token);
    text = text.subspan(found == nullptr ? 1 : found->bytes.size());
  }
}

}  // namespace tacit
