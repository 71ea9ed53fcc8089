// SPDX-License-Identifier: MIT
// The merges of sentencepiece-BPE, word by word with a small memory, and the careful variant that keeps every byte.
#include "tokenizer/sentencepiece_bpe.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <string>

namespace tacit {
namespace {

constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";
constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581, a space in a piece

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

// The text that a piece stands for.
std::string with_spaces(std::string_view piece) {
  std::string text;
  for (std::size_t begin = 0; begin < piece.size();) {
    const std::size_t end = std::min(piece.find(kBlank, begin), piece.size());
    text += piece.substr(begin, end - begin);
    if (end < piece.size()) text += ' ';
    begin = end + kBlank.size();
  }
  return text;
}

// The byte that "<0x41>" stands for; nothing for any other piece.
std::optional<std::uint8_t> parse_byte_piece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  std::uint8_t byte = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  if (error != std::errc() || end != piece.data() + 5) return std::nullopt;
  return byte;
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
      : tokenizer_(tokenizer),
        mode_(mode),
        remembered_(std::bit_ceil(std::clamp<std::size_t>(text_bytes / 8, 16, kRememberedMax))),
        remembered_shift_(64 - std::countr_zero(remembered_.size())) {}

  // Appends what becomes of `text`, whose spaces are U+2581, to `symbols`, always the same vector.
  void append(std::string_view text, std::vector<TokenId>& symbols) {
    while (!text.empty()) {
      const Word word = first_word(text);
      append_word(word, symbols);
      text.remove_prefix(word.text.size());
    }
  }

 private:
  static constexpr std::size_t kRememberedMax = 16384;
  static constexpr std::size_t kRememberedBytesMax = 36;
  static constexpr std::size_t kWordCharactersMax = std::size_t{1} << 24;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Word {
    std::string_view text;
    std::uint64_t hash;
  };

  // A word and where its symbols stand in the output. `size` 0: empty.
  struct Remembered {
    std::uint64_t begin = 0;
    std::uint16_t count = 0;
    std::uint16_t size = 0;
    std::array<char, kRememberedBytesMax> text{};
  };

  // A stretch of the word that has become one. The node after the last stands for the end.
  struct Node {
    std::uint32_t begin;     // offset in the word
    std::uint32_t previous;  // kNone: the first
    std::uint32_t next;
    TokenId merged;  // the piece that this and the next make; kNoToken: none, or joined to an earlier one
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

  void append_word(const Word& word, std::vector<TokenId>& symbols) {
    if (word.text.size() > kRememberedBytesMax) return merge_and_append(word.text, symbols);
    Remembered& place = remembered_[static_cast<std::size_t>(word.hash >> remembered_shift_)];
    if (place.size == word.text.size() && std::memcmp(place.text.data(), word.text.data(), place.size) == 0) {
      for (std::uint64_t i = place.begin; i < place.begin + place.count; ++i) symbols.push_back(symbols[i]);
      return;
    }
    place.begin = symbols.size();
    merge_and_append(word.text, symbols);
    place.count = static_cast<std::uint16_t>(symbols.size() - place.begin);
    place.size = static_cast<std::uint16_t>(word.text.size());
    std::memcpy(place.text.data(), word.text.data(), word.text.size());
  }

  void merge_and_append(std::string_view word, std::vector<TokenId>& symbols) {
    merge(word, false);
    if (mode_ == Mode::kKeeping && ends_in_inexact_piece(word)) merge(word, true);
    for (std::uint32_t i = 0; nodes_[i].begin < word.size(); i = nodes_[i].next) append_node(text_of(i, word), symbols);
  }

  [[nodiscard]] std::string_view text_of(std::uint32_t index, std::string_view word) const {
    return word.substr(nodes_[index].begin, nodes_[nodes_[index].next].begin - nodes_[index].begin);
  }

  [[nodiscard]] bool ends_in_inexact_piece(std::string_view word) const {
    for (std::uint32_t i = 0; nodes_[i].begin < word.size(); i = nodes_[i].next) {
      const TokenId token = tokenizer_.find_piece(text_of(i, word));
      if (token != kNoToken && !tokenizer_.is_exact(token)) return true;
    }
    return false;
  }

  void append_node(std::string_view text, std::vector<TokenId>& symbols) const {
    const TokenId token = tokenizer_.find_piece(text);
    if (token != kNoToken && (mode_ == Mode::kPlain || tokenizer_.is_exact(token))) {
      symbols.push_back(token);
    } else if (mode_ == Mode::kPlain) {
      for (const char c : text) symbols.push_back(tokenizer_.byte_tokens_[static_cast<std::uint8_t>(c)]);
    } else {
      for (const char c : with_spaces(text)) symbols.push_back(tokenizer_.byte_symbol(static_cast<std::uint8_t>(c)));
    }
  }

  // Leaves in nodes_ what `word` merges into. O(n log n): each merge removes a node and offers two pairs.
  void merge(std::string_view word, bool exact_only) {
    nodes_.clear();
    for (std::size_t offset = 0; offset < word.size();) {
      const auto index = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({static_cast<std::uint32_t>(offset), index - 1, index + 1, kNoToken});
      offset += character(word, offset).size;
    }
    const auto end = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({static_cast<std::uint32_t>(word.size()), end - 1, kNone, kNoToken});
    for (std::uint32_t i = 0; i + 1 < end; ++i) offer(i, word, exact_only);
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
      const auto left = static_cast<std::uint32_t>(queue_.back());
      const auto rank = static_cast<std::uint32_t>(queue_.back() >> 32);
      queue_.pop_back();
      // An entry is out of date when its pair has become another. One of the same rank stands for that other just as
      // well, and comes at the same point.
      const TokenId merged = nodes_[left].merged;
      if (merged == kNoToken || tokenizer_.rank(merged) != rank) continue;
      join_to_next(left);
      if (nodes_[left].previous != kNone) offer(nodes_[left].previous, word, exact_only);
      offer(left, word, exact_only);
    }
  }

  void join_to_next(std::uint32_t left) {
    Node& right = nodes_[nodes_[left].next];
    right.merged = kNoToken;
    nodes_[right.next].previous = left;
    nodes_[left].next = right.next;
  }

  // Queues the pair of node `left` and the next, if it makes a piece.
  void offer(std::uint32_t left, std::string_view word, bool exact_only) {
    Node& node = nodes_[left];
    node.merged = kNoToken;
    const std::uint32_t after = nodes_[node.next].next;
    if (after == kNone) return;
    const TokenId token = tokenizer_.find_piece(word.substr(node.begin, nodes_[after].begin - node.begin));
    if (token == kNoToken || (exact_only && !tokenizer_.is_exact(token))) return;
    node.merged = token;
    queue_.push_back((std::uint64_t{tokenizer_.rank(token)} << 32) | left);
    std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
  }

  const SentencePieceBpe& tokenizer_;
  Mode mode_;
  std::vector<Remembered> remembered_;  // by hash, the last word wins; a power of two
  int remembered_shift_;
  std::vector<Node> nodes_;
  std::vector<std::uint64_t> queue_;  // a heap of (rank, left node): best score first, then leftmost
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
    std::string decoded = text;
    if (type(token) == TokenType::kControl || type(token) == TokenType::kUnknown) decoded.clear();
    if (type(token) == TokenType::kUserDefined) decoded = piece(token);
    if (type(token) == TokenType::kByte) {
      const std::optional<std::uint8_t> byte = parse_byte_piece(piece(token));
      if (!byte.has_value()) {
        return load_error(file, "tokenizer.ggml.tokens", "token " + std::to_string(token) + " of type 6 (byte)",
                          "\"<0x00>\" to \"<0xFF>\" for its piece");
      }
      decoded = static_cast<char>(*byte);
    }
    symbol_bytes_.append(as_bytes(decoded));
    is_exact_.push_back(decoded == text);
  }
  return {};
}

void SentencePieceBpe::find_byte_tokens() {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (std::size_t i = 0; i < byte_tokens_.size(); ++i) {
    const char spelled[] = {'<', '0', 'x', kDigits[i >> 4], kDigits[i & 15], '>'};
    const auto byte = static_cast<char>(i);
    TokenId token = find_piece({spelled, sizeof spelled});
    if (token == kNoToken) token = find_piece({&byte, 1});
    byte_tokens_[i] = token == kNoToken ? unknown_token_ : token;
  }
  add_escapes(byte_tokens_);
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

std::vector<TokenId> SentencePieceBpe::tokenize(ByteSpan text, bool add_special) const {
  std::vector<TokenId> tokens;
  Merger merger(*this, Merger::Mode::kPlain, text.size());
  if (add_special && add_bos_) tokens.push_back(bos_token_);
  bool wants_prefix = add_space_prefix_;
  for (const Fragment& fragment : split(text, true)) {
    if (fragment.token != kNoToken) {
      tokens.push_back(fragment.token);
    } else {
      merger.append(with_blanks(as_text(fragment.text), wants_prefix), tokens);
    }
    wants_prefix = add_space_prefix_ && fragment.token != kNoToken;
  }
  if (add_special && add_eos_) tokens.push_back(eos_token_);
  return tokens;
}

// Differs from `tokenize` where that would not give the text back: no space prefix but at the start, U+2581 of the
// text spelled by bytes, and Merger::Mode::kKeeping between them.
std::vector<TokenId> SentencePieceBpe::encode_exactly(ByteSpan text) const {
  std::vector<TokenId> symbols;
  Merger merger(*this, Merger::Mode::kKeeping, text.size());
  bool wants_prefix = add_space_prefix_;
  for (const Fragment& fragment : split(text, false)) {
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
      for (const char c : kBlank) symbols.push_back(byte_symbol(static_cast<std::uint8_t>(c)));
      rest.remove_prefix(kBlank.size());
    }
  }
  return symbols;
}

}  // namespace tacit
