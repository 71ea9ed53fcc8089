// SPDX-License-Identifier: MIT
// Tokenizers: `tokenize` gives llama.cpp's ids (the kit's, and those of a slow and plain reimplementation here),
// `encode` keeps every byte of every text, and a vocabulary that makes no sense is refused with a reason.
#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "base/file.h"
#include "support/gguf_writer.h"
#include "support/tokenizer_support.h"

namespace tacit {
namespace {

using namespace test;

const std::string kBuiltinModel = TACIT_SOURCE_DIR "/models/tacit-small-q8_0.gguf";

// tokenizer.ggml.token_type
constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6;

struct Token {
  std::string piece;
  float score = 0;
  std::int32_t type = kNormal;
};

// A vocabulary as a file may hold it. The first three tokens are by default <unk>, BOS and EOS.
struct Vocabulary {
  std::vector<Token> tokens = {{"<unk>", 0, kUnknown}, {"<s>", 0, kControl}, {"</s>", 0, kControl}};
  bool add_space_prefix = true;
  std::string model_name;

  Vocabulary& add(std::string piece, float score = 0, std::int32_t type = kNormal) {
    tokens.push_back({std::move(piece), score, type});
    return *this;
  }

  Vocabulary& add_byte_tokens() {
    for (int i = 0; i < 256; ++i) {
      char piece[7];
      std::snprintf(piece, sizeof piece, "<0x%02X>", i);
      add(piece, 0, kByte);
    }
    return *this;
  }

  [[nodiscard]] TokenId id(std::string_view piece) const {
    const auto found = std::ranges::find(tokens, piece, &Token::piece);
    EXPECT_NE(found, tokens.end()) << piece;
    return static_cast<TokenId>(found - tokens.begin());
  }

  [[nodiscard]] GgufWriter writer() const {
    std::vector<std::string> pieces;
    std::vector<float> scores;
    std::vector<std::int32_t> types;
    for (const Token& token : tokens) {
      pieces.push_back(token.piece);
      scores.push_back(token.score);
      types.push_back(token.type);
    }
    GgufWriter writer;
    writer.add("tokenizer.ggml.model", "llama").add_array("tokenizer.ggml.tokens", pieces);
    writer.add_array("tokenizer.ggml.scores", scores).add_array("tokenizer.ggml.token_type", types);
    writer.add("tokenizer.ggml.add_space_prefix", add_space_prefix).add("general.name", model_name);
    return writer;
  }
};

std::unique_ptr<Tokenizer> load(const Vocabulary& vocabulary) {
  return loaded(load_bytes(vocabulary.writer().bytes()));
}

// Merges whose order matters, control tokens that text can spell by merging, user-defined tokens that overlap, pieces
// with a blank inside.
Vocabulary tricky_vocabulary() {
  Vocabulary vocabulary;
  const std::string blank(kBlank);
  for (const char* letter : {"a", "b", "x", "<", "s", ">", "t", "h", "e", ".", "0", "4", "1", "é", "中"}) {
    vocabulary.add(letter, -20);
  }
  vocabulary.add(blank, -21).add(blank + blank, -5).add(blank + "a", -3).add("ab", -4).add("ba", -4).add("aba", -2);
  vocabulary.add("<s", -6).add("x" + blank, -7).add("b" + blank + "a", -1).add("th", -8).add(blank + "the", -9);
  vocabulary.add("<0", -10).add("<0x", -10).add("<0x4", -10).add("<0x41", -10).add("/s>", -10).add("he", -7.5f);
  vocabulary.add("<ud>", 0, kUserDefined).add("ab<", 0, kUserDefined).add("\n\n", 0, kUserDefined);
  vocabulary.add("  ", 0, kUserDefined).add(blank + "x", 0, kUserDefined).add("中a", -3, kUnused);
  return vocabulary;
}

Vocabulary with_bytes(Vocabulary vocabulary) { return vocabulary.add_byte_tokens(); }

Vocabulary without_prefix(Vocabulary vocabulary) {
  vocabulary.add_space_prefix = false;
  return vocabulary;
}

std::vector<Vocabulary> tricky_vocabularies() {
  return {tricky_vocabulary(), without_prefix(tricky_vocabulary()), with_bytes(tricky_vocabulary()),
          with_bytes(without_prefix(tricky_vocabulary())), Vocabulary{}};
}

// The definition of sentencepiece-BPE as llama.cpp runs it, read off word for word and as slow as that is.
class SlowTokenizer {
 public:
  explicit SlowTokenizer(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
      ids_[vocabulary.tokens[i].piece] = static_cast<TokenId>(i);
      if (vocabulary.tokens[i].type == kUserDefined) user_defined_.push_back(static_cast<TokenId>(i));
    }
    std::ranges::stable_sort(user_defined_, [&](TokenId a, TokenId b) { return piece(a).size() > piece(b).size(); });
  }

  [[nodiscard]] Ids tokenize(std::string_view text) const {
    Ids ids;
    append_fragment(text, user_defined_, true, ids);
    return ids;
  }

 private:
  [[nodiscard]] const std::string& piece(TokenId token) const {
    return vocabulary_.tokens[static_cast<std::size_t>(token)].piece;
  }
  [[nodiscard]] float score(TokenId token) const { return vocabulary_.tokens[static_cast<std::size_t>(token)].score; }

  // Splits at the first of `tokens`, goes on with the others in between. `after_token`: at the start, or behind one.
  void append_fragment(std::string_view text, std::span<const TokenId> tokens, bool after_token, Ids& ids) const {
    if (text.empty()) return;
    if (tokens.empty()) {
      append_merged(std::string(vocabulary_.add_space_prefix && after_token ? " " : "") + std::string(text), ids);
      return;
    }
    for (std::size_t found; (found = text.find(piece(tokens[0]))) != text.npos; after_token = true) {
      append_fragment(text.substr(0, found), tokens.subspan(1), after_token, ids);
      ids.push_back(tokens[0]);
      text.remove_prefix(found + piece(tokens[0]).size());
    }
    append_fragment(text, tokens.subspan(1), after_token, ids);
  }

  void append_merged(const std::string& text, Ids& ids) const {
    std::string escaped;
    for (const char c : text) escaped += c == ' ' ? std::string(kBlank) : std::string(1, c);
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < escaped.size();) {
      const auto lead = static_cast<unsigned char>(escaped[i]);
      const std::size_t size = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      parts.push_back(escaped.substr(i, size));
      i += parts.back().size();
    }
    while (merge_best(parts)) {
    }
    for (const std::string& part : parts) append_part(part, ids);
  }

  bool merge_best(std::vector<std::string>& parts) const {
    std::size_t best = parts.size();
    float best_score = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ids_.find(parts[i] + parts[i + 1]);
      if (found == ids_.end() || (best < parts.size() && score(found->second) <= best_score)) continue;
      best = i;
      best_score = score(found->second);
    }
    if (best == parts.size()) return false;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    return true;
  }

  void append_part(const std::string& part, Ids& ids) const {
    if (const auto found = ids_.find(part); found != ids_.end()) {
      ids.push_back(found->second);
      return;
    }
    for (const char c : part) {
      char spelled[7];
      std::snprintf(spelled, sizeof spelled, "<0x%02X>", static_cast<unsigned char>(c));
      auto found = ids_.find(spelled);
      if (found == ids_.end()) found = ids_.find(std::string(1, c));
      ids.push_back(found == ids_.end() ? 0 : found->second);
    }
  }

  const Vocabulary& vocabulary_;
  std::map<std::string, TokenId> ids_;
  std::vector<TokenId> user_defined_;
};

// The vocabulary of a file whose types need no correction.
Vocabulary read_vocabulary(const std::string& path) {
  const auto bytes = MappedFile::open(path);
  const auto file = gguf::File::parse(bytes.value().bytes(), path);
  const auto& pieces = std::get<gguf::Array>(*file.value().find("tokenizer.ggml.tokens"));
  const auto& scores = std::get<gguf::Array>(*file.value().find("tokenizer.ggml.scores"));
  const auto& types = std::get<gguf::Array>(*file.value().find("tokenizer.ggml.token_type"));
  Vocabulary vocabulary;
  vocabulary.tokens.clear();
  for (std::size_t i = 0; i < pieces.count; ++i) {
    vocabulary.add(std::string(pieces.strings[i]), static_cast<float>(scores.real(i)),
                   static_cast<std::int32_t>(types.integer(i)));
  }
  vocabulary.add_space_prefix = file.value().boolean_or("tokenizer.ggml.add_space_prefix", true).value();
  return vocabulary;
}

// A vocabulary of random pieces, types and scores, many of them equal.
Vocabulary random_vocabulary(std::mt19937& random) {
  Vocabulary vocabulary;
  if (random() % 2 == 0) vocabulary.add_byte_tokens();
  std::map<std::string, bool> used;
  for (const Token& token : vocabulary.tokens) used[token.piece] = true;
  const std::int32_t types[] = {kNormal, kNormal, kNormal, kNormal, kControl, kUserDefined, kUnused, kUnknown};
  for (int i = 0; i < 60; ++i) {
    std::string piece = random_text(random, 3);
    if (random() % 2 == 0) std::ranges::replace(piece, ' ', 'a');
    if (random() % 3 == 0) piece = std::string(kBlank) + piece;
    if (piece.empty() || used[piece]) continue;
    used[piece] = true;
    vocabulary.add(piece, -static_cast<float>(random() % 8), types[random() % std::size(types)]);
  }
  vocabulary.add_space_prefix = random() % 2 == 0;
  return vocabulary;
}

class TokenizerKit : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { TACIT_NEEDS_SHARED("conformance/tokenizers"); }

  [[nodiscard]] static std::filesystem::path vocabulary_path() {
    return test::shared_data_path("conformance/vocab/ggml-vocab-" + GetParam() + ".gguf");
  }
  [[nodiscard]] static std::unique_ptr<Tokenizer> tokenizer() { return load_file(vocabulary_path().string()); }
};

INSTANTIATE_TEST_SUITE_P(All, TokenizerKit,
                         testing::Values("llama-spm", "phi-3", "baichuan", "gpt-2", "gpt-neox", "deepseek-llm",
                                         "deepseek-coder", "falcon", "mpt", "refact", "starcoder", "bert-bge"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST_P(TokenizerKit, TokenizesEveryTextAsLlamaCppDoes) {
  const auto tokenizer = TokenizerKit::tokenizer();
  const auto lines = kit_lines(GetParam() + ".jsonl");
  EXPECT_EQ(lines.size(), 203u);
  for (const KitLine& line : lines) EXPECT_EQ(tokenize(*tokenizer, line.text), line.ids) << readable(line.text);
}

TEST_P(TokenizerKit, AddsAndParsesSpecialTokensAsLlamaCppDoes) {
  const auto tokenizer = TokenizerKit::tokenizer();
  const auto lines = kit_lines(GetParam() + ".special.jsonl");
  EXPECT_EQ(lines.size(), 26u);
  for (const KitLine& line : lines) {
    EXPECT_EQ(tokenizer->tokenize(as_bytes(line.text), line.add_special, line.parse_special), line.ids)
        << readable(line.text) << (line.parse_special ? " parsed" : "");
  }
}

TEST_P(TokenizerKit, TokenizesLlamaCppsOwnTestPairs) {
  if (!std::filesystem::exists(vocabulary_path().string() + ".inp")) {
    GTEST_SKIP() << "the kit has no pairs for " << GetParam();
  }
  const auto tokenizer = TokenizerKit::tokenizer();
  const auto pairs = llama_cpp_pairs(GetParam());
  EXPECT_EQ(pairs.size(), 46u);
  for (const auto& [text, ids] : pairs) EXPECT_EQ(tokenize(*tokenizer, text), ids) << readable(text);
}

TEST_P(TokenizerKit, KeepsEveryTextOfTheKit) {
  const auto tokenizer = TokenizerKit::tokenizer();
  for (const KitLine& line : kit_lines(GetParam() + ".jsonl")) expect_kept(*tokenizer, line.text);
  for (const KitLine& line : kit_lines(GetParam() + ".special.jsonl")) expect_kept(*tokenizer, line.text);
}

TEST_P(TokenizerKit, KeepsRandomBytesAndRandomTexts) {
  const auto tokenizer = TokenizerKit::tokenizer();
  std::mt19937 random(7);
  for (int i = 0; i < 1000; ++i) {
    expect_kept(*tokenizer, random_bytes(random, 64));
    expect_kept(*tokenizer, random_text(random, 12));
  }
}

TEST(Tokenizer, KeepsRandomBytesAndRandomTexts) {
  const auto tokenizer = load_file(kBuiltinModel);
  std::mt19937 random(8);
  for (int i = 0; i < 1000; ++i) {
    expect_kept(*tokenizer, random_bytes(random, 64));
    expect_kept(*tokenizer, random_text(random, 12));
  }
}

TEST(Tokenizer, KeepsEveryByteAndEveryPairOfBytes) {
  const auto seed = load_file(kBuiltinModel);
  const auto no_bytes = load(tricky_vocabulary());
  for (int first = 0; first < 256; ++first) {
    expect_kept(*seed, std::string(1, static_cast<char>(first)));
    expect_kept(*no_bytes, std::string(1, static_cast<char>(first)));
    for (int second = 0; second < 256; ++second) {
      const std::string pair = {static_cast<char>(first), static_cast<char>(second)};
      expect_kept(*seed, pair);
      expect_kept(*no_bytes, pair);
    }
  }
}

TEST(Tokenizer, KeepsHostileTextsWithHostileVocabularies) {
  std::mt19937 random(9);
  for (const Vocabulary& vocabulary : tricky_vocabularies()) {
    const auto tokenizer = load(vocabulary);
    for (const std::string& first : kTextParts) {
      for (const std::string& second : kTextParts) {
        expect_kept(*tokenizer, first + second);
        expect_kept(*tokenizer, " " + first + " " + second);
      }
    }
    for (int i = 0; i < 1000; ++i) expect_kept(*tokenizer, random_text(random, 20));
    for (int i = 0; i < 1000; ++i) expect_kept(*tokenizer, random_bytes(random, 40));
  }
}

TEST(Tokenizer, KeepsTextsWithRandomVocabulariesAndTokenizesThemAsTheDefinitionSays) {
  std::mt19937 random(10);
  for (int round = 0; round < 200; ++round) {
    const Vocabulary vocabulary = random_vocabulary(random);
    const auto tokenizer = load(vocabulary);
    const SlowTokenizer slow(vocabulary);
    for (int i = 0; i < 50; ++i) {
      const std::string text = random_text(random, 25);
      expect_kept(*tokenizer, text);
      ASSERT_EQ(tokenize(*tokenizer, text), slow.tokenize(text)) << "round " << round << ": " << readable(text);
    }
  }
}

TEST(Tokenizer, WordByWordEqualsTheDefinitionOnWholeTexts) {
  std::mt19937 random(11);
  for (const Vocabulary& vocabulary : tricky_vocabularies()) {
    const auto tokenizer = load(vocabulary);
    const SlowTokenizer slow(vocabulary);
    for (int i = 0; i < 300; ++i) {
      const std::string text = random_text(random, 60);
      ASSERT_EQ(tokenize(*tokenizer, text), slow.tokenize(text)) << readable(text);
    }
  }
}

TEST(Tokenizer, WordByWordEqualsTheDefinitionWithTheSeedVocabulary) {
  const Vocabulary vocabulary = read_vocabulary(kBuiltinModel);
  const auto tokenizer = load_file(kBuiltinModel);
  const SlowTokenizer slow(vocabulary);
  const std::string text = read_text(TACIT_SOURCE_DIR "/src/tokenizer/tokenizer.h").substr(0, 3000);
  EXPECT_EQ(tokenize(*tokenizer, text), slow.tokenize(text));
  std::mt19937 random(12);
  for (int i = 0; i < 300; ++i) {
    const std::string random_one = random_text(random, 60);
    ASSERT_EQ(tokenize(*tokenizer, random_one), slow.tokenize(random_one)) << readable(random_one);
  }
}

TEST(Tokenizer, MergesTheBestScoreFirstAndOfEqualsTheLeftmost) {
  Vocabulary vocabulary = without_prefix(Vocabulary{});
  vocabulary.add("a", -9).add("b", -9).add("c", -9).add("ab", -2).add("bc", -1).add("aa", -3).add("aaa", -4);
  const auto tokenizer = load(vocabulary);
  EXPECT_EQ(tokenize(*tokenizer, "abc"), (Ids{vocabulary.id("a"), vocabulary.id("bc")}));
  EXPECT_EQ(tokenize(*tokenizer, "aaa"), (Ids{vocabulary.id("aaa")}));
  EXPECT_EQ(tokenize(*tokenizer, "aaaa"), (Ids{vocabulary.id("aa"), vocabulary.id("aa")}));
  EXPECT_EQ(tokenize(*tokenizer, "aaaaa"), (Ids{vocabulary.id("aa"), vocabulary.id("aaa")}));
}

TEST(Tokenizer, FindsUserDefinedTokensLongestFirstAndPrefixesTheTextBehindThem) {
  const std::string blank(kBlank);
  Vocabulary vocabulary;
  vocabulary.add("x", -9).add("y", -9).add(blank, -9).add(blank + "y", -1);
  vocabulary.add("[u]", 0, kUserDefined).add("x[u", 0, kUserDefined).add("u]xx", 0, kUserDefined);
  const auto tokenizer = load(vocabulary);
  const TokenId x = vocabulary.id("x"), y = vocabulary.id("y"), space = vocabulary.id(blank);
  const TokenId u = vocabulary.id("[u]");
  EXPECT_EQ(tokenize(*tokenizer, "[u]y"), (Ids{u, vocabulary.id(blank + "y")}));
  EXPECT_EQ(encode(*tokenizer, "[u]y"), (Ids{u, y}));
  EXPECT_EQ(tokenize(*tokenizer, "y[u]"), (Ids{vocabulary.id(blank + "y"), u}));
  EXPECT_EQ(tokenize(*tokenizer, "x[u]x"), (Ids{space, x, u, space, x}));  // of equal lengths the lower id
  EXPECT_EQ(tokenize(*tokenizer, "x[u]xx"), (Ids{space, x, 0, vocabulary.id("u]xx")}));
}

TEST(Tokenizer, FindsAShorterUserDefinedTokenWhereALongerOneIsInTheWay) {
  Vocabulary vocabulary;
  vocabulary.add("ab", 0, kUserDefined).add("abcd", 0, kUserDefined).add("cdefg", 0, kUserDefined);
  const auto tokenizer = load(vocabulary);
  EXPECT_EQ(tokenize(*tokenizer, "abcdefg"), (Ids{vocabulary.id("ab"), vocabulary.id("cdefg")}));
  EXPECT_EQ(tokenize(*tokenizer, "abcdab"), (Ids{vocabulary.id("abcd"), vocabulary.id("ab")}));
}

TEST(Tokenizer, StripsWhiteSpaceBehindUserDefinedTokensOfPhi3Only) {
  Vocabulary vocabulary = without_prefix(Vocabulary{});
  vocabulary.add("y", -9).add(std::string(kBlank), -9).add("[u]", 0, kUserDefined);
  const Ids stripped = {vocabulary.id("[u]"), vocabulary.id("y")};
  const Ids kept = {vocabulary.id("[u]"), vocabulary.id(std::string(kBlank)), vocabulary.id("y")};
  EXPECT_EQ(tokenize(*load(vocabulary), "[u] y"), kept);
  vocabulary.model_name = "My Phi-3 mini";
  EXPECT_EQ(tokenize(*load(vocabulary), "[u] y"), stripped);
  EXPECT_EQ(encode(*load(vocabulary), "[u] y"), kept);
}

TEST(Tokenizer, NeverFindsTokensThatLlamaCppTakesForControlTokensByName) {
  Vocabulary vocabulary = without_prefix(Vocabulary{});
  vocabulary.tokens[2].type = kUserDefined;  // "</s>", as in phi-3
  vocabulary.add("<PRE>", 0, kUserDefined).add("<|im_end|>", 0, kUserDefined).add_byte_tokens();
  const auto tokenizer = load(vocabulary);
  for (const std::string text : {"</s>", "<PRE>", "<|im_end|>"}) {
    EXPECT_EQ(encode(*tokenizer, text).size(), text.size()) << text;
    EXPECT_TRUE(tokenizer->symbol_bytes(vocabulary.id(text)).empty()) << text;
  }
}

// Whether the text that spells a token becomes that token.
bool is_found(const Vocabulary& vocabulary, std::string_view piece) {
  return encode(*load(vocabulary), piece) == Ids{vocabulary.id(piece)};
}

TEST(Tokenizer, TakesOneFillInMiddleTokenOfAKindByNameWhereNoKeyNamesOne) {
  Vocabulary vocabulary;
  vocabulary.add("<PRE>", 0, kUserDefined).add("<fim_prefix>", 0, kUserDefined).add("<SUF>", 0, kUserDefined);
  EXPECT_FALSE(is_found(vocabulary, "<PRE>"));
  EXPECT_TRUE(is_found(vocabulary, "<fim_prefix>"));
  EXPECT_FALSE(is_found(vocabulary, "<SUF>"));
  for (const std::string key : {"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"}) {
    const auto tokenizer = loaded(load_bytes(vocabulary.writer().add(key, std::uint32_t{4}).bytes()));
    EXPECT_EQ(encode(*tokenizer, "<PRE>"), (Ids{vocabulary.id("<PRE>")}));
  }
}

TEST(Tokenizer, FindsTokensThatLlamaCppTakesForUserDefinedByName) {
  Vocabulary vocabulary;
  vocabulary.add("<|start|>", 0, kControl).add("<|end|>", 0, kControl).add("<|return|>", 0, kUserDefined);
  EXPECT_TRUE(is_found(vocabulary, "<|start|>"));
  EXPECT_FALSE(is_found(vocabulary, "<|end|>"));
  EXPECT_FALSE(is_found(vocabulary, "<|return|>"));
  EXPECT_TRUE(is_found(Vocabulary(vocabulary).add("<|call|>"), "<|end|>"));
}

TEST(Tokenizer, TakesTheSentenceEndForTextBesideAToolResponse) {
  const auto bytes_of_end = [](const Vocabulary& vocabulary) {
    return std::string(as_text(load(vocabulary)->symbol_bytes(vocabulary.id("</s>"))));
  };
  EXPECT_EQ(bytes_of_end(Vocabulary{}), "");
  EXPECT_EQ(bytes_of_end(Vocabulary{}.add("<|tool_response>")), "</s>");
}

TEST(Tokenizer, SpellsBytesByByteTokensRatherThanByPieces) {
  Vocabulary vocabulary = without_prefix(Vocabulary{});
  vocabulary.add("a", -1).add_byte_tokens().add("b", -1);
  const auto tokenizer = load(vocabulary);
  Ids expected;
  for (const char* piece : {"<0x20>", "<0xF0>", "<0x61>", "<0x62>", "<0x61>", "b"}) {
    expected.push_back(vocabulary.id(piece));
  }
  EXPECT_EQ(encode(*tokenizer, std::string(" \xf0") + "abab"), expected);
}

TEST(Tokenizer, SpellsOnlyTheOffendingPlacesByBytes) {
  const auto tokenizer = load_file(kBuiltinModel);
  const std::string before = "The quick brown fox", after = " jumps over the lazy dog.";
  Ids expected = tokenize(*tokenizer, before);
  for (const char* byte : {"\xe2", "\x96", "\x81"}) expected.push_back(tokenize(*tokenizer, byte)[0]);
  for (const TokenId token : tokenize(*tokenizer, after)) expected.push_back(token);
  EXPECT_EQ(encode(*tokenizer, before + std::string(kBlank) + after), expected);
}

TEST(Tokenizer, SpellsAControlTokenInTheTextByOtherPieces) {
  Vocabulary vocabulary = without_prefix(Vocabulary{});
  vocabulary.add("<", -9).add("s", -9).add(">", -9).add("<s", -9).add_byte_tokens();
  const auto tokenizer = load(vocabulary);
  EXPECT_EQ(tokenize(*tokenizer, "<s>"), (Ids{vocabulary.id("<s>")}));
  EXPECT_EQ(encode(*tokenizer, "<s>"), (Ids{vocabulary.id("<s"), vocabulary.id(">")}));
}

TEST(Tokenizer, GivesAByteSymbolToEveryByteThatNoTokenStandsFor) {
  Vocabulary vocabulary;
  vocabulary.add("a", -1).add(std::string(kBlank), -1).add("é", -1).add("b", 0, kUserDefined);
  const auto tokenizer = load(vocabulary);
  EXPECT_EQ(tokenizer->vocabulary_size(), 7u);
  EXPECT_EQ(tokenizer->symbol_count(), 7u + 254u);  // all but "a" and the space
  const TokenId first_byte_symbol = 7;
  EXPECT_EQ(as_text(tokenizer->symbol_bytes(first_byte_symbol)), std::string(1, '\0'));
  EXPECT_EQ(as_text(tokenizer->symbol_bytes(first_byte_symbol + 32)), "!");  // the space before it has a token
  EXPECT_EQ(as_text(tokenizer->symbol_bytes(first_byte_symbol + 253)), "\xff");
  EXPECT_EQ(tokenizer->model_token(first_byte_symbol), 0);
  EXPECT_EQ(tokenizer->model_token(3), 3);
  EXPECT_EQ(encode(*tokenizer, "\xff"), (Ids{vocabulary.id(std::string(kBlank)), first_byte_symbol + 253}));
  EXPECT_EQ(tokenize(*tokenizer, "\xff"), (Ids{vocabulary.id(std::string(kBlank)), 0}));
}

TEST(Tokenizer, DecodesPieceByPieceAsAtOnce) {
  for (const bool prefix : {true, false}) {
    Vocabulary vocabulary = with_bytes(tricky_vocabulary());
    vocabulary.add_space_prefix = prefix;
    const auto tokenizer = load(vocabulary);
    for (const std::string text : {"the aba", " the  x", "<ud>  a", "  a"}) {
      std::string joined;
      bool at_start = true;
      for (const TokenId symbol : encode(*tokenizer, text)) {
        joined += as_text(tokenizer->decode({&symbol, 1}, at_start).value());
        at_start = false;
      }
      EXPECT_EQ(joined, text);
    }
  }
}

TEST(Tokenizer, DropsTheSpacePrefixAtTheStartOfATextOnly) {
  Vocabulary vocabulary;
  vocabulary.add(std::string(kBlank) + "a", -1);
  const Ids ids = {3};
  const auto tokenizer = load(vocabulary);
  EXPECT_EQ(as_text(tokenizer->decode(ids, true).value()), "a");
  EXPECT_EQ(as_text(tokenizer->decode(ids, false).value()), " a");
  EXPECT_EQ(as_text(load(without_prefix(vocabulary))->decode(ids, true).value()), " a");
}

TEST(Tokenizer, RefusesToDecodeWhatIsNoSymbol) {
  const auto tokenizer = load(Vocabulary{});
  for (const TokenId symbol : {TokenId{-1}, static_cast<TokenId>(tokenizer->symbol_count())}) {
    const auto text = tokenizer->decode({&symbol, 1}, true);
    ASSERT_FALSE(text.ok());
    EXPECT_EQ(text.error().code, ErrorCode::kDamaged);
    EXPECT_EQ(text.error().message, "symbol: found " + std::to_string(symbol) + ", expected less than 259");
  }
}

TEST(Tokenizer, StartsAContextWithBosOrElseEosOrElseTokenZero) {
  EXPECT_EQ(load(Vocabulary{})->context_start_token(), 1);
  EXPECT_EQ(load(Vocabulary{})->eos_token(), 2);
  GgufWriter writer = Vocabulary{}.writer();
  writer.add("tokenizer.ggml.bos_token_id", std::uint32_t{2}).add("tokenizer.ggml.eos_token_id", std::uint32_t{0});
  EXPECT_EQ(loaded(load_bytes(writer.bytes()))->context_start_token(), 2);
  EXPECT_EQ(loaded(load_bytes(writer.bytes()))->eos_token(), 0);
  Vocabulary tiny;
  tiny.tokens = {{"a", 0, kNormal}};
  writer = tiny.writer().add("tokenizer.ggml.add_bos_token", false);
  EXPECT_EQ(loaded(load_bytes(writer.bytes()))->context_start_token(), 0);
  EXPECT_EQ(loaded(load_bytes(writer.bytes()))->eos_token(), -1);
}

TEST(Tokenizer, AddsBosAndEosWhereTheFlagsSay) {
  GgufWriter writer = Vocabulary{}.add("a").writer();
  EXPECT_EQ(loaded(load_bytes(writer.bytes()))->tokenize(as_bytes("a"), true).front(), 1);
  EXPECT_EQ(loaded(load_bytes(writer.bytes()))->tokenize(as_bytes("a"), true).back(), 3);
  writer.add("tokenizer.ggml.add_bos_token", false).add("tokenizer.ggml.add_eos_token", true);
  EXPECT_NE(loaded(load_bytes(writer.bytes()))->tokenize(as_bytes("a"), true).front(), 1);
  EXPECT_EQ(loaded(load_bytes(writer.bytes()))->tokenize(as_bytes("a"), true).back(), 2);
}

TEST(Tokenizer, LivesLongerThanTheFileItCameFrom) {
  ByteVector bytes = with_bytes(tricky_vocabulary()).writer().bytes();
  const auto tokenizer = loaded(load_bytes(bytes));
  const Ids before = encode(*tokenizer, "the aba <ud>");
  std::ranges::fill(bytes, std::uint8_t{0});
  EXPECT_EQ(encode(*tokenizer, "the aba <ud>"), before);
}

TEST(Tokenizer, EncodesFromSeveralThreadsAtOnce) {
  const auto tokenizer = load_file(kBuiltinModel);
  const std::string text = read_text(TACIT_SOURCE_DIR "/src/tokenizer/tokenizer.cpp");
  const Ids expected = encode(*tokenizer, text);
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) threads.emplace_back([&] { result = encode(*tokenizer, text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

// Quadratic time would take hours, recursion would end the stack.
TEST(Tokenizer, EncodesTwoMillionEqualBytesWithoutQuadraticTimeOrRecursion) {
  const auto seed = load_file(kBuiltinModel);
  const auto tricky = load(tricky_vocabulary());
  for (const std::string part : {"a", " ", "\n", "ab", "\xff", "\xe2\x96\x81"}) {
    std::string text;
    while (text.size() < 2'000'000) text += part;
    EXPECT_TRUE(decode(*seed, encode(*seed, text)) == text) << readable(part);
    EXPECT_TRUE(decode(*tricky, encode(*tricky, text)) == text) << readable(part);
  }
}

void expect_refused(const GgufWriter& writer, const std::string& why) {
  const auto tokenizer = load_bytes(writer.bytes());
  ASSERT_FALSE(tokenizer.ok()) << why;
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kModel);
  EXPECT_EQ(tokenizer.error().message, "t.gguf: metadata \"tokenizer.ggml." + why);
}

GgufWriter llama() { return std::move(GgufWriter().add("tokenizer.ggml.model", "llama")); }

GgufWriter three_tokens() {
  return std::move(llama().add_array<std::string>("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>"}));
}

TEST(TokenizerLoad, AcceptsAVocabularyWithoutScoresAndTypes) { EXPECT_TRUE(load_bytes(three_tokens().bytes()).ok()); }

TEST(TokenizerLoad, RefusesAnotherTokenizerModel) {
  expect_refused(GgufWriter().add("tokenizer.ggml.model", "plamo2"),
                 R"(model": found "plamo2", expected "llama", "gpt2", "gemma4", "bert" or "rwkv")");
  expect_refused(GgufWriter().add("tokenizer.ggml.model", "\x1b[2J"),
                 R"(model": found "\x1b[2J", expected "llama", "gpt2", "gemma4", "bert" or "rwkv")");
  expect_refused(GgufWriter().add("tokenizer.ggml.model", std::string(65, 'x')),
                 R"(model": found ")" + std::string(64, 'x') +
                     R"(...", expected "llama", "gpt2", "gemma4", "bert" or "rwkv")");
  expect_refused(GgufWriter(), R"(model": found no such key, expected a string)");
}

TEST(TokenizerLoad, RefusesAMissingOrEmptyOrOversizedVocabulary) {
  expect_refused(llama(), R"(tokens": found 0 tokens, expected 1 to 1048576)");
  expect_refused(llama().add_array<std::string>("tokenizer.ggml.tokens", {}),
                 R"(tokens": found 0 tokens, expected 1 to 1048576)");
  expect_refused(llama().add_array("tokenizer.ggml.tokens", std::vector<std::string>(limits::kVocabularyMax + 1)),
                 R"(tokens": found 1048577 tokens, expected 1 to 1048576)");
  expect_refused(llama().add_array<float>("tokenizer.ggml.tokens", {1}),
                 R"(tokens": found an array of float32, expected an array of string)");
}

TEST(TokenizerLoad, RefusesAPieceLongerThanTheLimit) {
  const std::string longest(limits::kPieceBytesMax, 'x');
  EXPECT_TRUE(load_bytes(Vocabulary{}.add(longest).writer().bytes()).ok());
  expect_refused(Vocabulary{}.add(longest + "x").writer(),
                 R"(tokens": found 4097 bytes in token 3, expected at most 4096)");
}

TEST(TokenizerLoad, RefusesEqualPiecesButNotEmptyOnes) {
  EXPECT_TRUE(load_bytes(Vocabulary{}.add("").add("").writer().bytes()).ok());
  expect_refused(Vocabulary{}.add("a").add("b").add("a").writer(),
                 R"(tokens": found the same piece in tokens 3 and 5, expected distinct pieces)");
}

TEST(TokenizerLoad, RefusesArraysOfAnotherLengthOrKind) {
  expect_refused(three_tokens().add_array<float>("tokenizer.ggml.scores", {0, 0}),
                 R"(scores": found 2 scores, expected 3)");
  expect_refused(three_tokens().add_array<double>("tokenizer.ggml.scores", {0, 0, 0}),
                 R"(scores": found an array of float64, expected an array of float32)");
  expect_refused(three_tokens().add_array<std::int32_t>("tokenizer.ggml.token_type", {1, 1, 1, 1}),
                 R"(token_type": found 4 types, expected 3)");
  expect_refused(three_tokens().add("tokenizer.ggml.token_type", 1),
                 R"(token_type": found 1, expected an array of int32)");
}

TEST(TokenizerLoad, RefusesScoresThatAreNoNumbersButNotInfiniteOnes) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(load_bytes(Vocabulary{}.add("a", kInfinity).add("b", -kInfinity).writer().bytes()).ok());
  expect_refused(Vocabulary{}.add("a", std::numeric_limits<float>::quiet_NaN()).writer(),
                 R"(scores": found NaN for token 3, expected a number)");
}

TEST(TokenizerLoad, RefusesTypesThatDoNotExist) {
  expect_refused(Vocabulary{}.add("a", 0, 7).writer(), R"(token_type": found 7 for token 3, expected 0 to 6)");
  expect_refused(Vocabulary{}.add("a", 0, -1).writer(), R"(token_type": found -1 for token 3, expected 0 to 6)");
}

TEST(TokenizerLoad, RefusesByteTokensThatNameNoByte) {
  for (const char* piece :
       {"a", "<0x1>", "<0xG1>", "<0x4G>", "<0x111>", "<0x11]", "[0x11>", "<0x-1>", "<0x+1>", "<0x11>x"}) {
    expect_refused(Vocabulary{}.add(piece, 0, kByte).writer(),
                   R"(tokens": found token 3 of type 6 (byte), expected "<0x00>" to "<0xFF>" for its piece)");
  }
}

TEST(TokenizerLoad, RefusesSpecialTokensOutsideTheVocabulary) {
  for (const std::string key : {"bos_token_id", "eos_token_id", "unknown_token_id"}) {
    expect_refused(three_tokens().add("tokenizer.ggml." + key, std::uint32_t{3}),
                   key + R"(": found 3, expected an integer from 0 to 2)");
    expect_refused(three_tokens().add("tokenizer.ggml." + key, std::int32_t{-1}),
                   key + R"(": found -1, expected an integer from 0 to 2)");
  }
}

TEST(TokenizerLoad, RefusesToAddSpecialTokensThatTheVocabularyLacks) {
  const GgufWriter one = std::move(llama().add_array<std::string>("tokenizer.ggml.tokens", {"a"}));
  expect_refused(one, R"(add_bos_token": found true, expected a BOS token in the vocabulary)");
  GgufWriter writer = one;
  writer.add("tokenizer.ggml.add_bos_token", false).add("tokenizer.ggml.add_eos_token", true);
  expect_refused(writer, R"(add_eos_token": found true, expected an EOS token in the vocabulary)");
}

}  // namespace
}  // namespace tacit
