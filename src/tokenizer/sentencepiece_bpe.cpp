// SPDX-License-Identifier: MIT
// The merges of sentencepiece-BPE, word by word with a small memory, and the careful variant that keeps every byte.
#include "tokenizer/sentencepiece_bpe.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>

#include "tokenizer/merge_chain.h"
#include "tokenizer/pieces.h"
#include "tokenizer/word_memory.h"

namespace tacit {
namespace {

constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";

// A character as llama.cpp cuts them: so many bytes as the first one announces, whatever they are, fewer at the end.
struct Character {
  std::uint32_t value;  // its bytes
  std::uint32_t size;
};

Character long_character_at(std::string_view text, std::size_t offset) {
  constexpr std::array<std::uint8_t, 16> kSizeByHighBits = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
  const auto first = static_cast<std::uint8_t>(text[offset]);
  const std::size_t size = std::min<std::size_t>(kSizeByHighBits[first >> 4], text.size() - offset);
  std::uint32_t value = 0;
  std::memcpy(&value, text.data() + offset, size);
  return {value, static_cast<std::uint32_t>(size)};
}

inline Character character_at(std::string_view text, std::size_t offset) {
  const auto first = static_cast<std::uint8_t>(text[offset]);
  return first < 0x80 ? Character{first, 1} : long_character_at(text, offset);
}

// The same, but cut short before a blank that begins inside: it is a space of the original text, which would be lost.
// Happens in invalid UTF-8 only.
Character character_before_blank(std::string_view text, std::size_t offset) {
  const Character whole = character_at(text, offset);
  for (std::uint32_t size = 1; size < whole.size; ++size) {
    if (text.substr(offset + size).starts_with(kBlank)) return character_at(text.substr(0, offset + size), offset);
  }
  return whole;
}

constexpr std::uint64_t kHashFactor = 0x9e3779b97f4a7c15;

std::size_t join_index(Character left, Character right, int bits) {
  const std::uint64_t hash = (left.value * kHashFactor ^ right.value) * kHashFactor;
  return static_cast<std::size_t>(hash >> (64 - bits));
}

// The text as merges see it.
std::string with_blanks(std::string_view text, bool add_prefix) {
  const auto spaces = static_cast<std::size_t>(std::count(text.begin(), text.end(), ' ')) + (add_prefix ? 1 : 0);
  std::string escaped;
  escaped.reserve(text.size() + spaces * (kBlank.size() - 1) + 1);
  if (add_prefix) escaped += kBlank;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    escaped += text.substr(begin, end - begin);
    if (end < text.size()) escaped += kBlank;
    begin = end + 1;
  }
  return escaped;
}

}  // namespace

// One call's worth of merging: scratch memory, and what became of the words met so far.
class SentencePieceBpe::Merger {
 public:
  enum class Mode {
    kPlain,    // as llama.cpp does
    kKeeping,  // symbols that decode to the text; its U+2581 are all spaces of the original
  };

  Merger(const SentencePieceBpe& tokenizer, Mode mode, std::size_t text_bytes)
      : tokenizer_(tokenizer), mode_(mode), memory_(text_bytes) {}

  // Appends what becomes of `text`, whose spaces are U+2581, to `symbols`, always the same vector.
  void append(std::string_view text, std::vector<TokenId>& symbols) {
    while (!text.empty()) {
      const Word word = first_word(text);
      memory_.append(word.text, word.hash, symbols, [&] { merge_and_append(word.text, symbols); });
      text.remove_prefix(word.text.size());
    }
  }

 private:
  static constexpr std::size_t kWordCharactersMax = std::size_t{1} << 24;

  struct Word {
    std::string_view text;
    std::uint64_t hash;
  };

  // Two parts make a pair where their text is a piece; the better its score, the earlier.
  struct Rule {
    const SentencePieceBpe& tokenizer;
    bool exact_only;

    [[nodiscard]] std::uint32_t rank(std::string_view joined, std::int32_t, std::int32_t) const {
      const TokenId token = tokenizer.find_piece(joined);
      if (token == kNoToken || (exact_only && !tokenizer.is_exact(token))) return MergeChain::kNoRank;
      return tokenizer.rank(token);
    }
    [[nodiscard]] static std::int32_t join(std::uint32_t) { return 0; }
  };

  [[nodiscard]] Character character(std::string_view text, std::size_t offset) const {
    return mode_ == Mode::kPlain ? character_at(text, offset) : character_before_blank(text, offset);
  }

  // Up to the first place that no merge crosses.
  [[nodiscard]] Word first_word(std::string_view text) const {
    Character last = character(text, 0);
    std::size_t end = last.size;
    std::uint64_t hash = last.value * kHashFactor;
    for (std::size_t count = 1; end < text.size() && count < kWordCharactersMax; ++count) {
      const Character next = character(text, end);
      if (!tokenizer_.joins_[join_index(last, next, kJoinBits)]) break;
      hash = (hash ^ next.value) * kHashFactor;
      end += next.size;
      last = next;
    }
    return {text.substr(0, end), hash};
  }

  void merge_and_append(std::string_view word, std::vector<TokenId>& symbols) {
    merge(word, false);
    if (mode_ == Mode::kKeeping && ends_in_inexact_piece(word)) merge(word, true);
    chain_.for_each(word, [&](std::string_view text, std::int32_t) { append_part(text, symbols); });
  }

  [[nodiscard]] bool ends_in_inexact_piece(std::string_view word) const {
    bool found = false;
    chain_.for_each(word, [&](std::string_view text, std::int32_t) {
      const TokenId token = tokenizer_.find_piece(text);
      found = found || (token != kNoToken && !tokenizer_.is_exact(token));
    });
    return found;
  }

  void append_part(std::string_view text, std::vector<TokenId>& symbols) const {
    const TokenId token = tokenizer_.find_piece(text);
    if (token != kNoToken && (mode_ == Mode::kPlain || tokenizer_.is_exact(token))) {
      symbols.push_back(token);
    } else if (mode_ == Mode::kPlain) {
      for (const char c : text) symbols.push_back(tokenizer_.byte_tokens_[static_cast<std::uint8_t>(c)]);
    } else {
      for (const char c : with_spaces(text)) symbols.push_back(tokenizer_.symbol_of_byte(static_cast<std::uint8_t>(c)));
    }
  }

  void merge(std::string_view word, bool exact_only) {
    chain_.clear();
    for (std::size_t offset = 0; offset < word.size(); offset += character(word, offset).size) chain_.append(offset, 0);
    chain_.merge(word, Rule{tokenizer_, exact_only});
  }

  const SentencePieceBpe& tokenizer_;
  Mode mode_;
  WordMemory memory_;
  MergeChain chain_;
};

Result<std::unique_ptr<Tokenizer>> SentencePieceBpe::load(const gguf::File& file) {
  constexpr Defaults kDefaults = {
      .bos = 1, .eos = 2, .unknown = 0, .add_bos = true, .add_eos = false, .add_space_prefix = true};
  std::unique_ptr<SentencePieceBpe> tokenizer(new SentencePieceBpe);
  TACIT_TRY(tokenizer->read_vocabulary(file, kDefaults));
  TACIT_TRY(tokenizer->read_ranks(file));
  TACIT_TRY(tokenizer->read_symbol_bytes(file));
  tokenizer->find_byte_tokens();
  tokenizer->find_joins();
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

Status SentencePieceBpe::read_ranks(const gguf::File& file) {
  TACIT_ASSIGN(const gguf::Array* const values, file.array(kScoresKey, gguf::ValueType::kFloat32));
  ranks_.assign(vocabulary_size_, 0);
  if (values == nullptr) return {};
  if (values->count != vocabulary_size_) {
    return load_error(file, kScoresKey, std::to_string(values->count) + " scores", std::to_string(vocabulary_size_));
  }
  std::vector<double> scores(vocabulary_size_);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i] = values->real(i);
    if (std::isnan(scores[i])) return load_error(file, kScoresKey, "NaN for token " + std::to_string(i), "a number");
  }
  std::vector<std::uint32_t> order(vocabulary_size_);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return scores[a] > scores[b]; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    ranks_[order[i]] = ranks_[order[i - 1]] + (scores[order[i]] < scores[order[i - 1]] ? 1 : 0);
  }
  return {};
}

Status SentencePieceBpe::read_symbol_bytes(const gguf::File& file) {
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    const std::string text = with_spaces(piece(token));
    TACIT_TRY(append_symbol_bytes(file, token, text));
    is_exact_.push_back(as_text(symbol_bytes(token)) == text);
  }
  return {};
}

void SentencePieceBpe::find_byte_tokens() {
  for (std::size_t i = 0; i < byte_tokens_.size(); ++i) {
    const std::array<char, 6> spelled = byte_piece(static_cast<std::uint8_t>(i));
    const auto byte = static_cast<char>(i);
    TokenId token = find_piece({spelled.data(), spelled.size()});
    if (token == kNoToken) token = find_piece({&byte, 1});
    byte_tokens_[i] = token == kNoToken ? unknown_token_ : token;
  }
  add_byte_symbols(byte_tokens_);
}

void SentencePieceBpe::find_joins() {
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    const std::string_view text = piece(token);
    if (text.empty()) continue;
    Character last = character_at(text, 0);
    for (std::size_t offset = last.size; offset < text.size(); offset += last.size) {
      const Character next = character_at(text, offset);
      joins_.set(join_index(last, next, kJoinBits));
      last = next;
    }
  }
}

void SentencePieceBpe::append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const {
  std::size_t text_bytes = 0;
  for (const Fragment& fragment : fragments) text_bytes += fragment.text.size();
  Merger merger(*this, Merger::Mode::kPlain, text_bytes);
  bool wants_prefix = add_space_prefix_;
  for (const Fragment& fragment : fragments) {
    if (fragment.token != kNoToken) {
      tokens.push_back(fragment.token);
    } else {
      merger.append(with_blanks(as_text(fragment.text), wants_prefix), tokens);
    }
    wants_prefix = add_space_prefix_ && fragment.token != kNoToken;
  }
}

// Differs from `tokenize` where that would not give the text back: no space prefix but at the start, U+2581 of the
// text spelled by bytes, and Merger::Mode::kKeeping between them.
std::vector<TokenId> SentencePieceBpe::encode_exactly(ByteSpan text) const {
  std::vector<TokenId> symbols;
  Merger merger(*this, Merger::Mode::kKeeping, text.size());
  bool wants_prefix = add_space_prefix_;
  for (const Fragment& fragment : split_to_keep(text)) {
    if (fragment.token != kNoToken) {
      symbols.push_back(fragment.token);
      wants_prefix = false;
      continue;
    }
    for (std::string_view rest = as_text(fragment.text); !rest.empty();) {
      const std::size_t literal = std::min(rest.find(kBlank), rest.size());
      if (literal > 0) merger.append(with_blanks(rest.substr(0, literal), wants_prefix), symbols);
      wants_prefix = false;
      rest.remove_prefix(literal);
      if (rest.empty()) break;
      for (const char c : kBlank) symbols.push_back(symbol_of_byte(static_cast<std::uint8_t>(c)));
      rest.remove_prefix(kBlank.size());
    }
  }
  return symbols;
}

}  // namespace tacit
