// SPDX-License-Identifier: MIT
// Pre-tokenizers cut every text as std::regex does on what llama.cpp hands to it: text whose characters are collapsed
// into one byte per kind, expressions whose \p{...} are replaced by such bytes; or, where an expression has no \p{...},
// wide characters whose white space is "\v". That definition is repeated here, slow and plain.
#include "tokenizer/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <cctype>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <regex>
#include <sstream>

namespace tacit {
namespace {

using Sizes = std::vector<std::uint32_t>;

struct WideText {
  std::vector<DecodedCharacter> characters;

  explicit WideText(std::string_view text) {
    for (std::size_t offset = 0; offset < text.size(); offset += characters.back().size) {
      characters.push_back(decode_character(text, offset));
    }
  }

  [[nodiscard]] std::wstring wide() const {
    std::wstring text;
    for (const DecodedCharacter& c : characters) {
      const bool is_white = c.code_point > 0x7f && kind_of(c.code_point) == CharacterKind::kWhiteSpace;
      text += is_white ? L'\v' : static_cast<wchar_t>(c.code_point);
    }
    return text;
  }

  // By CharacterKind: 0xd1 to 0xd5 for N L P M S, "\v" for white space, 0xd0 for the others.
  [[nodiscard]] std::string collapsed() const {
    constexpr std::array<char, 8> kCollapsed = {'\xd0', '\xd0', '\xd1', '\xd2', '\xd3', '\xd4', '\xd5', '\v'};
    std::string text;
    for (const DecodedCharacter& c : characters) {
      const auto kind = static_cast<std::size_t>(kind_of(c.code_point));
      text += c.code_point < 0x80 ? static_cast<char>(c.code_point) : kCollapsed[kind];
    }
    return text;
  }
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Intersections as the look-aheads that llama.cpp has.
std::string with_look_aheads(std::string expression) {
  for (const std::string inside : {"\\p{L}", "\\p{L}\\p{M}"}) {
    for (const std::string outside : {"[^a-z]", "[^A-Z]"}) {
      replace_all(expression, "[" + inside + "&&" + outside + "]", "(?:(?=[" + inside + "])" + outside + ")");
    }
  }
  return expression;
}

std::string collapsed_expression(const std::string& expression) {
  const std::map<char, std::string> members = {{'N',
                                                "\xd1"
                                                "0-9"},
                                               {'L',
                                                "\xd2"
                                                "A-Za-z"},
                                               {'P', "\xd3!-#%-*,-/:-;?-@\\[-\\]_\\{\\}"},
                                               {'M', "\xd4"},
                                               {'S', "\xd5\\$\\+<->\\^`\\|"}};
  std::string result;
  bool inside = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const bool is_escaped = i > 0 && expression[i - 1] == '\\';
    if (expression[i] == '[' && !is_escaped) inside = true;
    if (expression[i] == ']' && !is_escaped) inside = false;
    if (expression.compare(i, 3, "\\p{") == 0) {
      const std::string& set = members.at(expression[i + 3]);
      result += inside ? set : "[" + set + "]";
      i = expression.find('}', i);
    } else {
      result += expression[i];
    }
  }
  return result;
}

template <class Char>
void split_by_regex(const std::basic_string<Char>& text, const std::basic_regex<Char>& regex, Sizes& pieces) {
  Sizes parts;
  const Char* begin = text.data();
  for (const std::uint32_t piece : pieces) {
    std::ptrdiff_t done = 0;
    for (std::regex_iterator<const Char*> match(begin, begin + piece, regex), end; match != end; ++match) {
      for (const std::ptrdiff_t size : {match->position() - done, match->length()}) {
        if (size > 0) parts.push_back(static_cast<std::uint32_t>(size));
      }
      done = match->position() + match->length();
    }
    if (done < piece) parts.push_back(piece - static_cast<std::uint32_t>(done));
    begin += piece;
  }
  pieces = parts;
}

class SlowPreTokenizer {
 public:
  explicit SlowPreTokenizer(const PreTokenizer::Rule& rule) {
    for (const std::string_view expression : rule.expressions) {
      if (expression.empty()) break;
      const std::string adapted = with_look_aheads(std::string(expression));
      if (adapted.find("\\p{") == std::string::npos) {
        std::wstring wide;
        for (const DecodedCharacter& c : WideText(adapted).characters) wide += static_cast<wchar_t>(c.code_point);
        steps_.push_back({std::nullopt, std::wregex(wide)});
      } else {
        steps_.push_back({std::regex(collapsed_expression(adapted)), std::nullopt});
      }
    }
  }

  [[nodiscard]] Sizes split(std::string_view text) const {
    const WideText wide(text);
    Sizes pieces = {static_cast<std::uint32_t>(wide.characters.size())};
    for (const Step& step : steps_) {
      if (step.collapsed.has_value()) {
        split_by_regex(wide.collapsed(), *step.collapsed, pieces);
      } else {
        split_by_regex(wide.wide(), *step.wide, pieces);
      }
    }
    std::size_t index = 0;
    for (std::uint32_t& piece : pieces) {
      std::uint32_t size = 0;
      for (std::uint32_t i = 0; i < piece; ++i) size += wide.characters[index++].size;
      piece = size;
    }
    if (text.empty()) pieces.clear();
    return pieces;
  }

 private:
  struct Step {
    std::optional<std::regex> collapsed;
    std::optional<std::wregex> wide;
  };

  std::vector<Step> steps_;
};

const std::vector<std::string> kParts = {"a",
                                         "bc",
                                         "The",
                                         "WORLD",
                                         "iPhone",
                                         "é",
                                         "Ü",
                                         "ß",
                                         "ж",
                                         "Ж",
                                         "中",
                                         "文字",
                                         "ひ",
                                         "カ",
                                         "한",
                                         "ไ",
                                         "ก",
                                         "ب",
                                         "ᲀ",
                                         "𐐀",
                                         "𞤀",
                                         "١",
                                         "²",
                                         "Ⅷ",
                                         "１",
                                         "0",
                                         "12",
                                         "345",
                                         "6789",
                                         "1234567",
                                         " ",
                                         "  ",
                                         "   ",
                                         "\t",
                                         "\n",
                                         "\r\n",
                                         "\n\n",
                                         "\v",
                                         "\f",
                                         "\x1c",
                                         "\x85",
                                         "\u0085",
                                         "\u00a0",
                                         "\u2003",
                                         "\u2028",
                                         "\u3000",
                                         ".",
                                         ",",
                                         "!",
                                         "?!",
                                         "...",
                                         "…",
                                         "。",
                                         "、",
                                         "。\n",
                                         "，",
                                         "؟",
                                         "-",
                                         "_",
                                         "~",
                                         "~~",
                                         "`",
                                         "^",
                                         "$",
                                         "€",
                                         "+",
                                         "=",
                                         "<",
                                         ">",
                                         "|",
                                         "\\",
                                         "/",
                                         "//\n",
                                         "[",
                                         "]",
                                         "{",
                                         "}",
                                         "(",
                                         ")",
                                         "'",
                                         "'s",
                                         "'S",
                                         "'ll",
                                         "'LL",
                                         "'Ve",
                                         "'re",
                                         "'d",
                                         "'x",
                                         "’s",
                                         "\u0301",
                                         "\u0e31",
                                         "\u064b",
                                         "🙂",
                                         "👩‍👩‍👧",
                                         "™",
                                         "\u200b",
                                         "\xff",
                                         "\xe2",
                                         "\u0378",
                                         "\U000e0001",
                                         "<sentinel:12>",
                                         "IMGIMGABIZ",
                                         "IMGIMGABCDEZ",
                                         "١٢٣٤",
                                         "9٣",
                                         "ｗ",
                                         "℃",
                                         "㎏"};

std::string random_text(std::mt19937& random, std::size_t count_max) {
  std::string text;
  for (std::size_t left = random() % (count_max + 1); left > 0; --left) text += kParts[random() % kParts.size()];
  return text;
}

std::vector<std::string> all_names() {
  std::istringstream in(PreTokenizer::names());
  return {std::istream_iterator<std::string>(in), std::istream_iterator<std::string>()};
}

// One name of each rule.
std::vector<std::string> first_names() {
  std::vector<std::string> names;
  for (const std::string& name : all_names()) {
    if (PreTokenizer::find(name)->names.starts_with(name)) names.push_back(name);
  }
  return names;
}

// Those whose expressions std::regex can be given. It takes the start of a look-ahead for the start of the text, so
// that \b, which tiny_aya has there, is wrong in libstdc++ (and so in llama.cpp there); ours does as the model was
// trained.
std::vector<std::string> comparable_names() {
  std::vector<std::string> names = first_names();
  std::erase_if(names,
                [](const std::string& name) { return name == "kimi-k2" || name == "afmoe" || name == "tiny_aya"; });
  return names;
}

std::vector<std::string> words(const std::string& name, std::string_view text) {
  std::vector<std::string> result;
  for (const std::uint32_t size : PreTokenizer(*PreTokenizer::find(name)).split(text)) {
    result.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return result;
}

using Words = std::vector<std::string>;

class PreTokenizerTable : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(All, PreTokenizerTable, testing::ValuesIn(comparable_names()), [](const auto& tested) {
  std::string name = tested.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

TEST_P(PreTokenizerTable, CutsRandomTextsAsTheRegularExpressionsDo) {
  const PreTokenizer::Rule& rule = *PreTokenizer::find(GetParam());
  const PreTokenizer fast(rule);
  const SlowPreTokenizer slow(rule);
  std::mt19937 random(20);
  for (int i = 0; i < 1500; ++i) {
    const std::string text = random_text(random, 14);
    ASSERT_EQ(fast.split(text), slow.split(text)) << text;
  }
}

TEST_P(PreTokenizerTable, CutsLongRunsAsTheRegularExpressionsDo) {
  const PreTokenizer::Rule& rule = *PreTokenizer::find(GetParam());
  const PreTokenizer fast(rule);
  const SlowPreTokenizer slow(rule);
  std::mt19937 random(21);
  for (int i = 0; i < 150; ++i) {
    std::string text;
    for (int run = 0; run < 4; ++run) {
      const std::string& part = kParts[random() % kParts.size()];
      for (std::size_t left = random() % 1200 / part.size(); left > 0; --left) text += part;
    }
    ASSERT_EQ(fast.split(text), slow.split(text)) << text;
  }
}

TEST(PreTokenizer, KnowsEveryNameOnceAndNoOther) {
  std::map<std::string, int> count;
  for (const std::string& name : all_names()) ++count[name];
  for (const auto& [name, times] : count) EXPECT_EQ(times, 1) << name;
  for (const std::string name : {"llama-bpe", "qwen2", "gpt-4o", "tekken", "falcon3", "kimi-k2", "gemma4", "default"}) {
    EXPECT_NE(PreTokenizer::find(name), nullptr) << name;
  }
  for (const std::string name : {"", "llama", "llama-bpe ", "llama3 llama-v3", "gpt"}) {
    EXPECT_EQ(PreTokenizer::find(name), nullptr) << name;
  }
}

TEST(PreTokenizer, CutsKnownTexts) {
  EXPECT_EQ(words("gpt-2", "Hello  world's 123"), (Words{"Hello", " ", " world", "'s", " 123"}));
  EXPECT_EQ(words("llama-bpe", "It'S 12345\n\n x"), (Words{"It", "'S", " ", "123", "45", "\n\n", " x"}));
  EXPECT_EQ(words("qwen2", "a 12"), (Words{"a", " ", "1", "2"}));
  EXPECT_EQ(words("gpt-4o", "HelloWORLD's"), (Words{"Hello", "WORLD's"}));
  EXPECT_EQ(words("gemma4", "a b\n\nc"), (Words{"a b", "\n\n", "c"}));
}

TEST(PreTokenizer, KeepsHanApartAsKimiK2Does) {
  EXPECT_EQ(words("kimi-k2", "中文abc中's 'it'Ll 1234 中,中\n x"),
            (Words{"中文", "abc", "中", "'s", " '", "it'Ll", " ", "123", "4", " ", "中", ",", "中", "\n", " x"}));
  EXPECT_EQ(words("kimi-k2", "don't?x don'T"), (Words{"don't", "?x", " don'T"}));
}

TEST(PreTokenizer, GroupsDigitsFromTheRightWhereTheModelDoes) {
  EXPECT_EQ(words("afmoe", "x1234567y"), (Words{"x", "1", "234", "567", "y"}));
  EXPECT_EQ(words("afmoe", "123456"), (Words{"123", "456"}));
  EXPECT_EQ(words("superbpe", "ab 1234567 cd"), (Words{"ab ", "1", "234", "567", " cd"}));
  EXPECT_EQ(words("tiny_aya", "12345,123456"), (Words{"12", "345", ",", "123", "456"}));
  EXPECT_EQ(words("tiny_aya", "12345a 12345"), (Words{"123", "45", "a", " ", "12", "345"}));
}

TEST(PreTokenizer, TellsKindsApartAsUnicodeDoes) {
  const std::map<std::uint32_t, CharacterKind> kinds = {
      {'a', CharacterKind::kLetter},         {'5', CharacterKind::kNumber},
      {'~', CharacterKind::kSymbol},         {'_', CharacterKind::kPunctuation},
      {' ', CharacterKind::kWhiteSpace},     {'\n', CharacterKind::kWhiteSpace},
      {0x1c, CharacterKind::kControl},       {0x85, CharacterKind::kWhiteSpace},
      {0x301, CharacterKind::kMark},         {0x378, CharacterKind::kUnassigned},
      {0x2ebf0, CharacterKind::kLetter},     {0x10ffff, CharacterKind::kUnassigned},
      {0x4e00, CharacterKind::kLetter},      {0x9fff, CharacterKind::kLetter},
      {0x1f642, CharacterKind::kSymbol},     {0xd800, CharacterKind::kControl},
      {0x110000, CharacterKind::kUnassigned}};
  for (const auto& [code_point, kind] : kinds) EXPECT_EQ(kind_of(code_point), kind) << code_point;
  EXPECT_EQ(lower_case(0xc4), 0xe4u);
  EXPECT_EQ(lower_case(0x10400), 0x10428u);
  EXPECT_EQ(lower_case('a'), std::uint32_t{'a'});
  EXPECT_EQ(first_decomposed(0xe4), std::uint32_t{'a'});
  EXPECT_EQ(first_decomposed(0x1ed9), std::uint32_t{'o'});  // by way of U+1ECD
  EXPECT_EQ(first_decomposed(0xd55c), 0x1112u);
}

TEST(PreTokenizer, ReadsWhatIsNoUtf8ByteByByte) {
  EXPECT_EQ(repaired_utf8("a\xff\xe2\x82z"), "a\uFFFD\uFFFD\uFFFDz");
  EXPECT_EQ(repaired_utf8("\xc0\x80\xed\xa0\x80"), std::string(1, '\0') + "\xed\xa0\x80");  // as llama.cpp does
  EXPECT_EQ(repaired_utf8("\xf5\x80\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(words("gpt-2", "a\xff\xe2 b"), (Words{"a", "\xff\xe2", " b"}));
}

// Quadratic time would take minutes at least.
TEST(PreTokenizer, CutsAMillionEqualCharactersInLinearTime) {
  for (const std::string& name : first_names()) {
    const PreTokenizer pre_tokenizer(*PreTokenizer::find(name));
    for (const std::string part : {"a", "A", " ", "\n", "1", "'", "~", "\u0301", "\u3000", "中", "\n ", "IMGIMG"}) {
      std::string text;
      while (text.size() < 1'000'000) text += part;
      const auto start = std::chrono::steady_clock::now();
      (void)pre_tokenizer.split(text + "1");
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      EXPECT_LT(seconds.count(), 3) << name << ": " << part;
    }
  }
}

}  // namespace
}  // namespace tacit
