// SPDX-License-Identifier: MIT
// Byte-pair encoding by merges: the ids of its definition, read off word for word, on vocabularies that nobody would
// make; every byte kept; defaults and refusals. And WordPiece, which has few rules of its own.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/limits.h"
#include "support/byte_vocabulary.h"
#include "support/gguf_writer.h"
#include "support/tokenizer_support.h"
#include "tokenizer/pre_tokenizer.h"

namespace tacit {
namespace {

using namespace test;

constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4;

struct MergeVocabulary {
  std::string model = "gpt2", pre = "gpt-2";
  std::vector<std::string> pieces;
  std::vector<std::int32_t> types;
  std::vector<std::string> merges;

  MergeVocabulary& add(std::string piece, std::int32_t type = kNormal) {
    pieces.push_back(std::move(piece));
    types.push_back(type);
    return *this;
  }
  MergeVocabulary& add_bytes() {
    for (int byte = 0; byte < 256; ++byte) add(spelled(std::string(1, static_cast<char>(byte))));
    return *this;
  }
  // The merge and the token that it makes.
  MergeVocabulary& merge(const std::string& left, const std::string& right) {
    merges.push_back(left + " " + right);
    if (std::ranges::find(pieces, left + right) == pieces.end()) add(left + right);
    return *this;
  }
  [[nodiscard]] TokenId id(std::string_view piece) const {
    return static_cast<TokenId>(std::ranges::find(pieces, piece) - pieces.begin());
  }
  [[nodiscard]] GgufWriter writer() const {
    GgufWriter writer;
    writer.add("tokenizer.ggml.model", model).add("tokenizer.ggml.pre", pre);
    writer.add_array("tokenizer.ggml.tokens", pieces).add_array("tokenizer.ggml.token_type", types);
    writer.add_array("tokenizer.ggml.merges", merges);
    return writer;
  }
  [[nodiscard]] std::unique_ptr<Tokenizer> load() const { return loaded(load_bytes(writer().bytes())); }
};

// The definition as llama.cpp runs it: strings, and the first merge of the list that any two neighbours make.
class SlowTokenizer {
 public:
  explicit SlowTokenizer(const MergeVocabulary& vocabulary)
      : rule_(*PreTokenizer::find(vocabulary.pre)), pre_tokenizer_(rule_) {
    for (std::size_t i = 0; i < vocabulary.pieces.size(); ++i) {
      ids_[vocabulary.pieces[i]] = static_cast<TokenId>(i);
    }
    for (const std::string& merge : vocabulary.merges) {
      const std::size_t space = merge.find(' ', 1);
      ranks_.emplace(std::pair(merge.substr(0, space), merge.substr(space + 1)), ranks_.size());
    }
  }

  [[nodiscard]] Ids tokenize(std::string_view text) const {
    const std::string repaired = repaired_utf8(text);
    std::string_view rest = repaired;
    Ids ids;
    for (const std::uint32_t size : pre_tokenizer_.split(repaired)) {
      append_word(rest.substr(0, size), ids);
      rest.remove_prefix(size);
    }
    return ids;
  }

 private:
  [[nodiscard]] std::string piece_of(std::string_view word) const {
    if (rule_.flags.is_byte_level) return spelled(word);
    std::string piece;
    for (const char c : word) piece += c == ' ' ? std::string(kBlank) : std::string(1, c);
    return piece;
  }

  void append_word(std::string_view word, Ids& ids) const {
    const std::string piece = piece_of(word);
    const bool is_blank_lines = rule_.flags.keeps_blank_lines && word.find_first_not_of('\n') == word.npos;
    if ((rule_.flags.ignores_merges || is_blank_lines) && ids_.contains(piece)) return ids.push_back(ids_.at(piece));
    std::vector<std::string> parts;
    for (std::size_t offset = 0; offset < piece.size(); offset += parts.back().size()) {
      parts.push_back(piece.substr(offset, decode_character(piece, offset).size));
    }
    while (merge_best(parts)) {
    }
    for (const std::string& part : parts) append_part(part, ids);
  }

  bool merge_best(std::vector<std::string>& parts) const {
    std::size_t best = parts.size(), best_rank = ranks_.size();
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks_.find({parts[i], parts[i + 1]});
      if (found == ranks_.end() || found->second >= best_rank) continue;
      best = i;
      best_rank = found->second;
    }
    if (best == parts.size()) return false;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    return true;
  }

  void append_part(const std::string& part, Ids& ids) const {
    if (const auto found = ids_.find(part); found != ids_.end()) return ids.push_back(found->second);
    for (const char c : part) {
      char byte[7];
      std::snprintf(byte, sizeof byte, "<0x%02X>", static_cast<unsigned char>(c));
      const auto found = ids_.find(rule_.flags.is_byte_level ? std::string(1, c) : byte);
      if (found != ids_.end()) ids.push_back(found->second);
    }
  }

  const PreTokenizer::Rule& rule_;
  PreTokenizer pre_tokenizer_;
  std::map<std::string, TokenId> ids_;
  std::map<std::pair<std::string, std::string>, std::size_t> ranks_;
};

// Merges that make tokens, strings that are no token, tokens of other types, the same string in two ways.
MergeVocabulary random_vocabulary(std::mt19937& random, const std::string& pre) {
  MergeVocabulary vocabulary;
  vocabulary.pre = pre;
  const bool is_byte_level = PreTokenizer::find(pre)->flags.is_byte_level;
  vocabulary.add("<s>", kControl);
  if (is_byte_level && random() % 3 != 0) vocabulary.add_bytes();
  if (!is_byte_level && random() % 2 == 0) append_byte_tokens(vocabulary.pieces, vocabulary.types);
  std::vector<std::string> parts;
  for (const char* text :
       {"a", "b", "x", " ", "t", "h", "e", "\n", "é", "中", "<", "s", ">", "1", "\xe2", "\x96", "\x81"}) {
    if (is_byte_level) {
      for (const char c : std::string(text)) parts.push_back(spelled(std::string(1, c)));
    } else {
      parts.push_back(std::string(text) == " " ? std::string(kBlank) : text);
    }
  }
  const auto is_new = [&](const std::string& piece) {
    return std::ranges::find(vocabulary.pieces, piece) == vocabulary.pieces.end();
  };
  for (const std::string& part : parts) {
    if (random() % 4 != 0 && is_new(part)) vocabulary.add(part);
  }
  constexpr std::int32_t kTypes[] = {kNormal, kNormal, kNormal, kNormal, kNormal, kControl, kUnknown};
  for (int i = 0; i < 60; ++i) {
    const std::string left = parts[random() % parts.size()], right = parts[random() % parts.size()];
    vocabulary.merges.push_back(left + " " + right);
    parts.push_back(left + right);
    if (random() % 4 != 0 && is_new(left + right)) vocabulary.add(left + right, kTypes[random() % std::size(kTypes)]);
  }
  return vocabulary;
}

class MergesOfAPreTokenizer : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(All, MergesOfAPreTokenizer,
                         testing::Values("gpt-2", "llama-bpe", "deepseek-llm", "gemma4", "sarvam-moe"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST_P(MergesOfAPreTokenizer, KeepTextsAndTokenizeThemAsTheDefinitionSays) {
  std::mt19937 random(30);
  for (int round = 0; round < 100; ++round) {
    const MergeVocabulary vocabulary = random_vocabulary(random, GetParam());
    GgufWriter writer = vocabulary.writer();
    writer.add("tokenizer.ggml.bos_token_id", std::uint32_t{0});
    const auto tokenizer = loaded(load_bytes(writer.bytes()));
    const SlowTokenizer slow(vocabulary);
    for (int i = 0; i < 50; ++i) {
      const std::string text = i % 5 == 0 ? random_bytes(random, 30) : random_text(random, 25);
      expect_kept(*tokenizer, text);
      ASSERT_EQ(tokenize(*tokenizer, text), slow.tokenize(text)) << "round " << round << ": " << readable(text);
    }
  }
}

TEST(BytePairEncoding, MergesTheFirstOfTheListAndOfEqualsTheLeftmost) {
  MergeVocabulary vocabulary;
  vocabulary.add_bytes().merge("b", "c").merge("a", "b").merge("a", "a").merge("aa", "a");
  const auto tokenizer = vocabulary.load();
  EXPECT_EQ(tokenize(*tokenizer, "abc"), (Ids{vocabulary.id("a"), vocabulary.id("bc")}));
  EXPECT_EQ(tokenize(*tokenizer, "aaaa"), (Ids{vocabulary.id("aa"), vocabulary.id("aa")}));
  EXPECT_EQ(tokenize(*tokenizer, "aaaaa"), (Ids{vocabulary.id("aa"), vocabulary.id("aaa")}));
}

TEST(BytePairEncoding, TakesAWholeWordAtOnceOnlyWhereThePreTokenizerSaysSo) {
  MergeVocabulary vocabulary;
  vocabulary.add_bytes().merge("b", "c").add("abc");
  EXPECT_EQ(tokenize(*vocabulary.load(), "abc"), (Ids{vocabulary.id("a"), vocabulary.id("bc")}));
  for (const std::string pre : {"llama-bpe", "tekken"}) {
    vocabulary.pre = pre;
    EXPECT_EQ(tokenize(*vocabulary.load(), "abc"), (Ids{vocabulary.id("abc")})) << pre;
  }
}

TEST(BytePairEncoding, SpellsBytesThatAreNoUtf8ByTheirOwnTokensWhenItEncodes) {
  const MergeVocabulary vocabulary = MergeVocabulary().add_bytes().merge("a", "b");
  const auto tokenizer = vocabulary.load();
  EXPECT_EQ(tokenize(*tokenizer, "ab\xff"), (Ids{vocabulary.id("ab"), 0xef, 0xbf, 0xbd}));
  EXPECT_EQ(encode(*tokenizer,
                   "ab\xff"
                   "ab"),
            (Ids{vocabulary.id("ab"), 0xff, vocabulary.id("ab")}));
  EXPECT_EQ(tokenizer->symbol_count(), tokenizer->vocabulary_size());
}

TEST(BytePairEncoding, DropsWhatTheVocabularyCannotSpellAndKeepsItWhenItEncodes) {
  const auto tokenizer = MergeVocabulary().add("a").load();
  EXPECT_EQ(tokenize(*tokenizer, "aba"), (Ids{0, 0}));
  EXPECT_EQ(encode(*tokenizer, "aba"), (Ids{0, 1 + 'b' - 1, 0}));  // escapes are all bytes but "a"
  EXPECT_EQ(tokenizer->model_token(5), 0);
}

TEST(BytePairEncoding, FindsSpecialTokensInTheTextWhereItIsToldTo) {
  MergeVocabulary vocabulary;
  vocabulary.add_bytes().add("<|x|>", kControl).add("<u>", kUserDefined).add("?", kUnknown);
  vocabulary.pieces.back() = "[UNK]";
  const auto tokenizer = vocabulary.load();
  const Ids plain = tokenize(*tokenizer, "a<|x|>");
  EXPECT_EQ(plain.size(), 6u);
  EXPECT_EQ(tokenizer->tokenize(as_bytes("a<|x|>[UNK]<u>"), false, true),
            (Ids{'a' - '!' + vocabulary.id("!"), 256, 258, 257}));
  EXPECT_EQ(tokenize(*tokenizer, "<u>"), (Ids{257}));
  EXPECT_EQ(decode(*tokenizer, encode(*tokenizer, "a<|x|>[UNK]<u>")), "a<|x|>[UNK]<u>");
}

TEST(BytePairEncoding, StripsWhiteSpaceBeforeTheMaskOfJinaOnly) {
  MergeVocabulary vocabulary;
  vocabulary.add_bytes().add("<mask>", kControl);
  const TokenId space = vocabulary.id(spelled(" "));
  EXPECT_EQ(vocabulary.load()->tokenize(as_bytes("  <mask> "), false, true), (Ids{space, space, 256, space}));
  vocabulary.pre = "jina-v2-code";
  EXPECT_EQ(vocabulary.load()->tokenize(as_bytes("  <mask> "), false, true), (Ids{256, space}));
}

TEST(BytePairEncoding, AddsBosWhereThePreTokenizerOrTheFileSays) {
  MergeVocabulary vocabulary = MergeVocabulary().add_bytes();
  const auto first = [&](const std::string& pre, const std::string& key = "", bool value = false) {
    vocabulary.pre = pre;
    GgufWriter writer = vocabulary.writer();
    writer.add("tokenizer.ggml.bos_token_id", std::uint32_t{200});
    if (!key.empty()) writer.add("tokenizer.ggml." + key, value);
    return loaded(load_bytes(writer.bytes()))->tokenize(as_bytes("a"), true).front();
  };
  const TokenId a = vocabulary.id("a");
  for (const std::string pre : {"llama-bpe", "tekken", "chameleon", "falcon3"}) EXPECT_EQ(first(pre), 200) << pre;
  for (const std::string pre : {"qwen2", "gpt-2", "default", "deepseek-v3"}) EXPECT_EQ(first(pre), a) << pre;
  EXPECT_EQ(first("llama-bpe", "add_bos_token", false), a);
  EXPECT_EQ(first("qwen2", "add_bos_token", true), 200);
  EXPECT_EQ(first("gemma4", "add_bos_token", false), 200);
}

TEST(BytePairEncoding, HasTheDefaultsOfItsPreTokenizer) {
  MergeVocabulary vocabulary = MergeVocabulary().add_bytes();
  EXPECT_EQ(vocabulary.load()->bos_token(), 11);
  EXPECT_EQ(vocabulary.load()->eos_token(), 11);
  vocabulary.pre = "glm4";
  EXPECT_EQ(vocabulary.load()->bos_token(), -1);
  EXPECT_EQ(vocabulary.load()->context_start_token(), 11);
}

TEST(BytePairEncoding, IgnoresTheSpacePrefixThatAFileAsksFor) {
  GgufWriter writer = MergeVocabulary().add_bytes().writer();
  const auto tokenizer = loaded(load_bytes(writer.add("tokenizer.ggml.add_space_prefix", true).bytes()));
  EXPECT_EQ(decode(*tokenizer, tokenize(*tokenizer, " a")), " a");
}

TEST(BytePairEncoding, Gemma4SpellsSpacesAsU2581AndRareBytesByByteTokens) {
  MergeVocabulary vocabulary;
  vocabulary.model = "gemma4";
  vocabulary.pre = "";
  append_byte_tokens(vocabulary.pieces, vocabulary.types);
  const std::string blank(kBlank);
  vocabulary.add("a").add(blank).merge(blank, "a").add("\n\n").add("<bos>", kControl);
  GgufWriter writer = vocabulary.writer();
  writer.add("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(vocabulary.id("<bos>")));
  const auto tokenizer = loaded(load_bytes(writer.bytes()));
  EXPECT_EQ(tokenize(*tokenizer, " a\n\né"), (Ids{vocabulary.id(blank + "a"), vocabulary.id("\n\n"), 0xc3, 0xa9}));
  EXPECT_EQ(tokenize(*tokenizer, blank + "a"), (Ids{vocabulary.id(blank + "a")}));
  EXPECT_EQ(encode(*tokenizer, blank + "a"), (Ids{0xe2, 0x96, 0x81, vocabulary.id("a")}));
}

// Quadratic time would take hours.
TEST(BytePairEncoding, EncodesAMillionEqualBytesWithoutQuadraticTime) {
  MergeVocabulary vocabulary = MergeVocabulary().add_bytes();
  for (std::string run = "a"; run.size() < 64; run += run) vocabulary.merge(run, run);
  for (const std::string pre : {"gpt-2", "deepseek-llm", "gemma4"}) {
    vocabulary.pre = pre;
    const auto tokenizer = vocabulary.load();
    for (const std::string part : {"a", " ", "\n", "ab", "\xff", "1"}) {
      std::string text;
      while (text.size() < 1'000'000) text += part;
      EXPECT_TRUE(decode(*tokenizer, encode(*tokenizer, text)) == text) << pre << readable(part);
    }
  }
}

void expect_refused(const GgufWriter& writer, const std::string& why) {
  const auto tokenizer = load_bytes(writer.bytes());
  ASSERT_FALSE(tokenizer.ok()) << why;
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kModel);
  EXPECT_TRUE(tokenizer.error().message.starts_with("t.gguf: metadata \"tokenizer.ggml." + why))
      << tokenizer.error().message;
}

TEST(BytePairEncodingLoad, RefusesAPreTokenizerThatIsNotKnownAndNamesThoseThatAre) {
  MergeVocabulary vocabulary = MergeVocabulary().add_bytes();
  for (const std::string pre : {"llama-bpe2", "hybriddna"}) {
    vocabulary.pre = pre;
    expect_refused(vocabulary.writer(), "pre\": found \"" + pre + "\", expected one of: default llama3 llama-v3 ");
  }
}

TEST(BytePairEncodingLoad, TakesTheDefaultPreTokenizerWhereTheFileNamesNone) {
  MergeVocabulary vocabulary = MergeVocabulary().add_bytes().merge("=", "a");
  EXPECT_EQ(tokenize(*vocabulary.load(), "=a").size(), 2u);
  vocabulary.pre = "";
  EXPECT_EQ(tokenize(*vocabulary.load(), "=a").size(), 2u);
  vocabulary.merge("=", "=").merge("1", "1").merge("11", "1").merge("111", "1");
  EXPECT_EQ(tokenize(*vocabulary.load(), "1111").size(), 2u);
}

TEST(BytePairEncodingLoad, RefusesMergesThatMakeNoSense) {
  const MergeVocabulary vocabulary = MergeVocabulary().add_bytes();
  const auto with = [&](const std::vector<std::string>& merges) {
    MergeVocabulary other = vocabulary;
    other.merges = merges;
    return other.writer();
  };
  expect_refused(with({"a b", "ab"}), R"(merges": found no space in merge 1, expected two parts with a space between)");
  expect_refused(with({""}), R"(merges": found no space in merge 0, expected two parts with a space between)");
  expect_refused(with({std::string(2 * limits::kPieceBytesMax, 'a') + " "}),
                 R"(merges": found 8193 bytes in merge 0, expected at most 8192)");
  expect_refused(with(std::vector<std::string>(limits::kMergesMax + 1, "a b")),
                 R"(merges": found 2097153 merges, expected at most 2097152)");
  EXPECT_TRUE(load_bytes(with({"a b", "a b", "  ", "zz yy"}).bytes()).ok());
}

TEST(BytePairEncodingLoad, NeedsMergesButForKimiK2) {
  GgufWriter writer;
  writer.add("tokenizer.ggml.model", "gpt2").add_array<std::string>("tokenizer.ggml.tokens", {"a", "b"});
  expect_refused(writer, R"(merges": found no such key, expected an array of string)");
  writer.add("tokenizer.ggml.pre", "kimi-k2");
  EXPECT_TRUE(load_bytes(writer.bytes()).ok());
}

// Vocabularies of which the kit has no file, but texts and their ids: words of texts must have the same ids wherever
// they stand. The ids of a word are known once all others of some text are.
class TextsWithoutVocabulary : public testing::TestWithParam<std::pair<const char*, const char*>> {};

INSTANTIATE_TEST_SUITE_P(All, TextsWithoutVocabulary,
                         testing::Values(std::pair("llama-bpe", "llama-bpe"), std::pair("qwen2", "qwen2"),
                                         std::pair("qwen35", "qwen35"), std::pair("gemma-4", "gemma4"),
                                         std::pair("command-r", "command-r")),
                         [](const auto& tested) {
                           std::string name = tested.param.first;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// One text: what is left of its words and ids once known words are taken off both ends.
struct Puzzle {
  std::vector<std::string> words;
  Ids ids;
};

bool take_known(Puzzle& puzzle, const std::map<std::string, Ids>& known, bool from_end) {
  if (puzzle.words.empty()) return false;
  const auto word = from_end ? puzzle.words.end() - 1 : puzzle.words.begin();
  const auto found = known.find(*word);
  if (found == known.end()) return false;
  const Ids& ids = found->second;
  EXPECT_LE(ids.size(), puzzle.ids.size()) << *word;
  if (ids.size() > puzzle.ids.size()) return false;
  const auto begin = from_end ? puzzle.ids.end() - static_cast<std::ptrdiff_t>(ids.size()) : puzzle.ids.begin();
  EXPECT_EQ(Ids(begin, begin + static_cast<std::ptrdiff_t>(ids.size())), ids) << *word;
  puzzle.ids.erase(begin, begin + static_cast<std::ptrdiff_t>(ids.size()));
  puzzle.words.erase(word);
  return true;
}

TEST_P(TextsWithoutVocabulary, GiveEqualWordsEqualIds) {
  TACIT_NEEDS_SHARED("conformance/vocab");
  const PreTokenizer pre_tokenizer(*PreTokenizer::find(GetParam().second));
  std::vector<Puzzle> puzzles;
  for (const auto& [text, ids] : llama_cpp_pairs(GetParam().first)) {
    Puzzle puzzle = {{}, ids};
    std::string_view rest = text;
    for (const std::uint32_t size : pre_tokenizer.split(text)) {
      puzzle.words.emplace_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    EXPECT_GE(puzzle.ids.size(), puzzle.words.size()) << readable(text);
    puzzles.push_back(std::move(puzzle));
  }
  EXPECT_GE(puzzles.size(), 46u);
  std::map<std::string, Ids> known;
  for (bool learned = true; learned;) {
    learned = false;
    for (Puzzle& puzzle : puzzles) {
      while (take_known(puzzle, known, false) || take_known(puzzle, known, true)) {
      }
      // A word for an id each: all words are known.
      const bool is_one_each = puzzle.words.size() == puzzle.ids.size();
      if (puzzle.words.size() != 1 && !is_one_each) continue;
      for (std::size_t i = 0; i < puzzle.words.size(); ++i) {
        const Ids ids = puzzle.words.size() == 1 ? puzzle.ids : Ids{puzzle.ids[i]};
        const auto [place, is_new] = known.emplace(puzzle.words[i], ids);
        EXPECT_EQ(place->second, ids) << puzzle.words[i];
        learned |= is_new;
      }
      puzzle = {};
    }
  }
  const auto solved = std::ranges::count_if(puzzles, [](const Puzzle& puzzle) { return puzzle.words.empty(); });
  EXPECT_GE(solved, 38);
}

GgufWriter bert(const std::vector<std::string>& more, std::uint32_t separator = 2) {
  std::vector<std::string> pieces = {"[UNK]", "[CLS]", "[SEP]"};
  pieces.insert(pieces.end(), more.begin(), more.end());
  std::vector<std::int32_t> types(pieces.size(), kNormal);
  types[0] = kUnknown;
  types[1] = types[2] = kControl;
  GgufWriter writer;
  writer.add("tokenizer.ggml.model", "bert").add_array("tokenizer.ggml.tokens", pieces);
  writer.add_array("tokenizer.ggml.token_type", types).add("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
  writer.add("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  writer.add("tokenizer.ggml.seperator_token_id", separator);
  return writer;
}

TEST(WordPiece, SpellsWordsByTheLongestPiecesOrNotAtAll) {
  const std::string blank(kBlank);
  const auto tokenizer =
      loaded(load_bytes(bert({blank + "ab", blank + "a", "b", "bc", blank + ",", blank + "中"}).bytes()));
  EXPECT_EQ(tokenize(*tokenizer, "abbc a, 中a"), (Ids{3, 6, 4, 7, 8, 4}));
  EXPECT_EQ(tokenize(*tokenizer, "ab abx ab"), (Ids{3, 0, 3}));
  EXPECT_EQ(tokenize(*tokenizer, "ÀB\u0301\u200b"), (Ids{3}));
  EXPECT_EQ(tokenizer->tokenize(as_bytes("a"), true), (Ids{1, 4, 2}));
  EXPECT_EQ(tokenizer->tokenize(as_bytes("a[SEP]"), false, true), (Ids{4, 2}));
  EXPECT_EQ(tokenize(*tokenizer, "a\xff"), (Ids{4}));
}

TEST(WordPiece, ReadsWhatIsNormalised) {
  const std::string blank(kBlank);
  GgufWriter cased = bert({blank + "a", blank + "A", blank + "À"});
  cased.add("tokenizer.ggml.normalizer.lowercase", false);
  EXPECT_EQ(tokenize(*loaded(load_bytes(cased.bytes())), "A À"), (Ids{4, 5}));
  cased.add("tokenizer.ggml.normalizer.strip_accents", true);
  EXPECT_EQ(tokenize(*loaded(load_bytes(cased.bytes())), "A À"), (Ids{4, 4}));
}

TEST(WordPiece, EncodesTextsThatItCannotTokenize) {
  const std::string blank(kBlank);
  const auto tokenizer = loaded(load_bytes(bert({blank + "ab", blank + "a", "b"}).bytes()));
  EXPECT_EQ(encode(*tokenizer, "ab a"), (Ids{3, 4}));
  EXPECT_EQ(encode(*tokenizer, "abb  a").size(), 4u);
  std::mt19937 random(31);
  for (int i = 0; i < 2000; ++i) expect_kept(*tokenizer, random_text(random, 12));
  for (int i = 0; i < 1000; ++i) expect_kept(*tokenizer, random_bytes(random, 40));
}

TEST(WordPiece, RefusesToGoWithoutASeparator) {
  expect_refused(bert({}, 3), R"(seperator_token_id": found 3, expected a token of the vocabulary)");
}

}  // namespace
}  // namespace tacit
