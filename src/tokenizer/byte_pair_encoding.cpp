// SPDX-License-Identifier: MIT
// Reading the list of merges, which may be hostile, and merging word by word. Parts are places in the text itself, so
// that nothing is spelled out but what is looked up.
#include "tokenizer/byte_pair_encoding.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"
#include "base/printable.h"
#include "tokenizer/merge_chain.h"
#include "tokenizer/pieces.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_memory.h"

namespace tacit {
namespace {

constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
constexpr std::string_view kPreTokenizerKey = "tokenizer.ggml.pre";
constexpr std::uint64_t kHashFactor = 0x9e3779b97f4a7c15;

// GPT-2's alphabet: bytes that are printable in Latin-1 stand for themselves, the others, in order, for the characters
// from U+0100 on. https://github.com/openai/gpt-2/blob/master/src/encoder.py (bytes_to_unicode)
std::array<std::uint32_t, 256> byte_alphabet() {
  std::array<std::uint32_t, 256> alphabet{};
  std::uint32_t next = 256;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const bool is_printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    alphabet[byte] = is_printable ? byte : next++;
  }
  return alphabet;
}

// The bytes that a piece spells; the piece itself where some character of it is none of the alphabet.
std::string with_bytes(std::string_view piece, const std::array<std::uint32_t, 256>& alphabet) {
  std::string bytes;
  for (std::size_t offset = 0; offset < piece.size();) {
    const DecodedCharacter character = decode_character(piece, offset);
    const auto found = std::find(alphabet.begin(), alphabet.end(), character.code_point);
    if (found == alphabet.end()) return std::string(piece);
    bytes += static_cast<char>(found - alphabet.begin());
    offset += character.size;
  }
  return bytes;
}

}  // namespace

void PairRanks::reserve(std::size_t count) {
  slots_.assign(std::bit_ceil(2 * count + 2), Slot{});
  shift_ = 64 - std::countr_zero(slots_.size());
}

std::size_t PairRanks::slot(std::uint64_t key) const {
  std::uint64_t hash = key * kHashFactor;
  hash = (hash ^ hash >> 32) * kHashFactor;
  auto index = static_cast<std::size_t>(hash >> shift_);
  while (slots_[index].rank != kNone && slots_[index].key != key) index = (index + 1) & (slots_.size() - 1);
  return index;
}

void PairRanks::insert(std::int32_t left, std::int32_t right, std::uint32_t rank) {
  Slot& place = slots_[slot(key(left, right))];
  if (place.rank == kNone) place = {key(left, right), rank};
}

// One call's worth of merging: scratch memory, and what became of the words met so far.
class BytePairEncoding::Merger {
 public:
  enum class Mode {
    kPlain,    // as llama.cpp does
    kKeeping,  // symbols that decode to the text
  };

  Merger(const BytePairEncoding& tokenizer, Mode mode, std::size_t text_bytes)
      : tokenizer_(tokenizer), mode_(mode), memory_(text_bytes) {}

  // Appends what becomes of `text` to `symbols`, always the same vector. Differs from llama.cpp in one thing: words of
  // more than 2^24 bytes are cut after as many, which bounds memory (at some 600 MB).
  void append(std::string_view text, std::vector<TokenId>& symbols) {
    constexpr std::size_t kWordBytesMax = std::size_t{1} << 24;
    for (std::size_t size : tokenizer_.pre_tokenizer_.split(text)) {
      for (; size > 0; size -= std::min(size, kWordBytesMax)) {
        const std::string_view word = text.substr(0, std::min(size, kWordBytesMax));
        memory_.append(word, WordMemory::hash(word), symbols, [&] { append_word(word, symbols); });
        text.remove_prefix(word.size());
      }
    }
  }

 private:
  struct Rule {
    const BytePairEncoding& tokenizer;

    [[nodiscard]] std::uint32_t rank(std::string_view, std::int32_t left, std::int32_t right) const {
      static_assert(PairRanks::kNone == MergeChain::kNoRank);
      return left == kNoPart || right == kNoPart ? MergeChain::kNoRank : tokenizer.ranks_.find(left, right);
    }
    [[nodiscard]] std::int32_t join(std::uint32_t rank) const { return tokenizer.joined_[rank]; }
  };

  void append_word(std::string_view word, std::vector<TokenId>& symbols) {
    if (const TokenId token = whole_word(word); token != kNoToken) return append_part(word, token, symbols);
    chain_.clear();
    for (std::size_t offset = 0; offset < word.size(); offset += append_first_part(word, offset)) {
    }
    chain_.merge(word, Rule{tokenizer_});
    chain_.for_each(word, [&](std::string_view text, std::int32_t part) { append_part(text, part, symbols); });
  }

  // The token that a word is without any merging, or kNoToken.
  TokenId whole_word(std::string_view word) {
    const bool is_blank_lines =
        tokenizer_.flags_.keeps_blank_lines && word.find_first_not_of('\n') == std::string_view::npos;
    if (!tokenizer_.flags_.ignores_merges && !is_blank_lines) return kNoToken;
    if (word.size() > limits::kPieceBytesMax) return kNoToken;
    spelled_.clear();
    for (const char c : word) spelled_ += tokenizer_.spellings_[static_cast<std::uint8_t>(c)];
    return tokenizer_.find_piece(spelled_);
  }

  // The part at `offset` of a word that nothing is merged of yet; returns its size.
  std::size_t append_first_part(std::string_view word, std::size_t offset) {
    const auto byte = static_cast<std::uint8_t>(word[offset]);
    if (tokenizer_.flags_.is_byte_level || byte < 0x80) {
      chain_.append(offset, tokenizer_.byte_parts_[byte]);
      return 1;
    }
    const std::size_t size = decode_character(word, offset).size;
    const std::string_view character = word.substr(offset, size);
    // A U+2581 of the text would come back as a space.
    const bool is_lost = mode_ == Mode::kKeeping && character == kBlank;
    chain_.append(offset, is_lost ? kNoPart : tokenizer_.find_part(character));
    return size;
  }

  void append_part(std::string_view text, std::int32_t part, std::vector<TokenId>& symbols) const {
    const bool is_token = part != kNoPart && part < static_cast<TokenId>(tokenizer_.vocabulary_size_);
    if (is_token && (mode_ == Mode::kPlain || as_text(tokenizer_.symbol_bytes(part)) == text)) {
      symbols.push_back(part);
    } else if (mode_ == Mode::kKeeping) {
      for (const char c : text) symbols.push_back(tokenizer_.symbol_of_byte(static_cast<std::uint8_t>(c)));
    } else {
      for (const char c : text) {
        const std::vector<TokenId>& tokens = tokenizer_.fallbacks_[static_cast<std::uint8_t>(c)];
        symbols.insert(symbols.end(), tokens.begin(), tokens.end());
      }
    }
  }

  const BytePairEncoding& tokenizer_;
  Mode mode_;
  WordMemory memory_;
  MergeChain chain_;
  std::string spelled_;
};

Result<const PreTokenizer::Rule*> BytePairEncoding::find_rule(const gguf::File& file, std::string_view model) {
  TACIT_ASSIGN(std::string_view name, file.string_or(kPreTokenizerKey, "default"));
  if (name.empty()) name = "default";
  if (model == "gemma4") name = "gemma4";
  const PreTokenizer::Rule* const rule = PreTokenizer::find(name);
  if (rule != nullptr) return rule;
  return load_error(file, kPreTokenizerKey, printable_quoted(name), "one of: " + PreTokenizer::names());
}

Status BytePairEncoding::check_kind(const gguf::File& file) {
  TACIT_ASSIGN(const std::string_view model, file.string("tokenizer.ggml.model"));
  TACIT_TRY(find_rule(file, model));
  return {};
}

Result<std::unique_ptr<Tokenizer>> BytePairEncoding::load(const gguf::File& file) {
  TACIT_ASSIGN(const std::string_view model, file.string("tokenizer.ggml.model"));
  TACIT_ASSIGN(const PreTokenizer::Rule* const rule, find_rule(file, model));
  const TokenId special = model == "gemma4" ? kNoToken : 11;
  const Defaults defaults = {.bos = rule->flags.has_bos ? special : kNoToken,
                             .eos = special,
                             .unknown = kNoToken,
                             .add_bos = rule->flags.adds_bos || rule->flags.always_adds_bos,
                             .reads_add_space_prefix = false};
  std::unique_ptr<BytePairEncoding> tokenizer(new BytePairEncoding(*rule));
  TACIT_TRY(tokenizer->read_vocabulary(file, defaults));
  if (rule->flags.always_adds_bos) tokenizer->opening_token_ = tokenizer->bos_token_;
  TACIT_TRY(tokenizer->read_merges(file));
  TACIT_TRY(tokenizer->read_symbol_bytes(file));
  tokenizer->index_bytes();
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

Status BytePairEncoding::read_merges(const gguf::File& file) {
  TACIT_ASSIGN(const gguf::Array* const merges, file.array(kMergesKey, gguf::ValueType::kString));
  if (merges == nullptr) {
    if (!flags_.needs_merges) return {};
    return load_error(file, kMergesKey, "no such key", "an array of string");
  }
  if (merges->count > limits::kMergesMax) {
    return load_error(file, kMergesKey, std::to_string(merges->count) + " merges",
                      "at most " + std::to_string(limits::kMergesMax));
  }
  ranks_.reserve(merges->strings.size());
  joined_.reserve(merges->strings.size());
  for (const std::string_view merge : merges->strings) {
    const auto rank = static_cast<std::uint32_t>(joined_.size());
    if (merge.size() > 2 * limits::kPieceBytesMax) {
      return load_error(file, kMergesKey, std::to_string(merge.size()) + " bytes in merge " + std::to_string(rank),
                        "at most " + std::to_string(2 * limits::kPieceBytesMax));
    }
    const std::size_t space = merge.find(' ', 1);  // the first part may start with one
    if (space == std::string_view::npos) {
      return load_error(file, kMergesKey, "no space in merge " + std::to_string(rank),
                        "two parts with a space between");
    }
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    joined_.push_back(intern(std::string(left).append(right)));
    ranks_.insert(intern(left), intern(right), rank);
  }
  return {};
}

std::int32_t BytePairEncoding::intern(std::string_view part) {
  if (const std::int32_t known = find_part(part); known != kNoPart) return known;
  const auto number = static_cast<std::int32_t>(vocabulary_size_ + more_parts_.size());
  more_parts_.emplace(part, number);
  return number;
}

std::int32_t BytePairEncoding::find_part(std::string_view part) const {
  if (const TokenId token = find_piece(part); token != kNoToken) return token;
  if (more_parts_.empty()) return kNoPart;
  const auto found = more_parts_.find(std::string(part));
  return found == more_parts_.end() ? kNoPart : found->second;
}

Status BytePairEncoding::read_symbol_bytes(const gguf::File& file) {
  const std::array<std::uint32_t, 256> alphabet = byte_alphabet();
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary_size_); ++token) {
    const std::string text = flags_.is_byte_level ? with_bytes(piece(token), alphabet) : with_spaces(piece(token));
    TACIT_TRY(append_symbol_bytes(file, token, text));
  }
  return {};
}

void BytePairEncoding::index_bytes() {
  const std::array<std::uint32_t, 256> alphabet = byte_alphabet();
  std::array<TokenId, 256> preferred{};
  for (std::size_t i = 0; i < 256; ++i) {
    const auto byte = static_cast<std::uint8_t>(i);
    std::string& spelling = spellings_[i];
    if (flags_.is_byte_level) {
      append_character(spelling, alphabet[i]);
    } else {
      spelling = byte == ' ' ? std::string(kBlank) : std::string(1, static_cast<char>(byte));
    }
    byte_parts_[i] = find_part(spelling);
    for (const char& c : spelling) {
      const std::array<char, 6> spelled = byte_piece(static_cast<std::uint8_t>(c));
      const std::string_view piece =
          flags_.is_byte_level ? std::string_view(&c, 1) : std::string_view(spelled.data(), spelled.size());
      if (const TokenId token = find_piece(piece); token != kNoToken) fallbacks_[i].push_back(token);
    }
    const std::array<char, 6> spelled = byte_piece(byte);
    const TokenId by_piece = find_piece({spelled.data(), spelled.size()});
    const TokenId by_spelling = find_piece(spelling);
    preferred[i] = flags_.is_byte_level || by_piece == kNoToken ? by_spelling : by_piece;
  }
  add_byte_symbols(preferred);
}

void BytePairEncoding::append_tokens(std::span<const Fragment> fragments, std::vector<TokenId>& tokens) const {
  std::size_t text_bytes = 0;
  for (const Fragment& fragment : fragments) text_bytes += fragment.text.size();
  Merger merger(*this, Merger::Mode::kPlain, text_bytes);
  for (const Fragment& fragment : fragments) {
    if (fragment.token != kNoToken) {
      tokens.push_back(fragment.token);
    } else {
      merger.append(repaired_utf8(as_text(fragment.text)), tokens);
    }
  }
}

// Differs from `tokenize` where that would not give the text back: bytes that are no UTF-8 stay as they are, and parts
// that are no token with just their bytes are spelled byte by byte.
std::vector<TokenId> BytePairEncoding::encode_exactly(ByteSpan text) const {
  std::vector<TokenId> symbols;
  Merger merger(*this, Merger::Mode::kKeeping, text.size());
  for (const Fragment& fragment : split_to_keep(text)) {
    if (fragment.token != kNoToken) {
      symbols.push_back(fragment.token);
    } else {
      merger.append(as_text(fragment.text), symbols);
    }
  }
  return symbols;
}

}  // namespace tacit
