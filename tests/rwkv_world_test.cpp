// SPDX-License-Identifier: MIT
// The tokenizer of RWKV's models: escaped pieces, the longest token first, every byte kept.
#include "tokenizer/rwkv_world.h"

#include <gtest/gtest.h>

#include "support/gguf_writer.h"
#include "support/tokenizer_support.h"

namespace tacit {
namespace {

using test::encode;
using test::expect_kept;
using test::GgufWriter;
using test::Ids;
using test::load_bytes;
using test::loaded;
using test::tokenize;

constexpr std::int32_t kNormal = 1, kControl = 3, kUserDefined = 4;

// As models have it: "<s>" is token 0, the bytes are tokens 1 to 256, longer tokens follow.
std::vector<std::string> world_pieces(const std::vector<std::string>& more) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::vector<std::string> pieces = {"<s>"};
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (byte == '\\') {
      pieces.emplace_back("\\\\");
    } else if (byte >= ' ' && byte <= '~') {
      pieces.emplace_back(1, static_cast<char>(byte));
    } else {
      pieces.push_back(std::string("\\x") + kDigits[byte / 16] + kDigits[byte % 16]);
    }
  }
  pieces.insert(pieces.end(), more.begin(), more.end());
  return pieces;
}

GgufWriter world(const std::vector<std::string>& pieces, std::vector<std::int32_t> types = {}) {
  types.resize(pieces.size(), kNormal);
  if (types[0] == 0) types[0] = kControl;
  return std::move(GgufWriter()
                       .add("tokenizer.ggml.model", "rwkv")
                       .add_array("tokenizer.ggml.tokens", pieces)
                       .add_array("tokenizer.ggml.token_type", types));
}

std::unique_ptr<Tokenizer> load_world(const std::vector<std::string>& more) {
  return loaded(load_bytes(world(world_pieces(more), {kControl}).bytes()));
}

TEST(RwkvWorld, UnescapesPieces) {
  EXPECT_EQ(unescape_rwkv_piece(""), "");
  EXPECT_EQ(unescape_rwkv_piece("plain \xc3\xa9"), "plain \xc3\xa9");
  EXPECT_EQ(unescape_rwkv_piece(R"(\t\n\r\\\'\"\q)"), "\t\n\r\\'\"q");
  EXPECT_EQ(unescape_rwkv_piece(R"(a\x00\xffb\\x41)"), std::string("a\0\xff"
                                                                   "b\\x41",
                                                                   8));
  for (const char* wrong : {"\\", "a\\", R"(\x)", R"(\x4)", R"(\x4g)", R"(\xG0)", R"(\x4A)", R"(\x 1)"}) {
    EXPECT_EQ(unescape_rwkv_piece(wrong), std::nullopt) << wrong;
  }
}

TEST(RwkvWorld, TakesTheLongestTokenThatComesNext) {
  const auto tokenizer = load_world({"ab", "abcd", " the", R"(\n\n)", R"(\xe4\xb8)", "bc"});
  EXPECT_EQ(tokenize(*tokenizer, "abc"), (Ids{257, 'c' + 1}));
  EXPECT_EQ(tokenize(*tokenizer, "abcd abcd"), (Ids{258, ' ' + 1, 258}));
  EXPECT_EQ(tokenize(*tokenizer, "x the\n\n\n"), (Ids{'x' + 1, 259, 260, '\n' + 1}));
  EXPECT_EQ(tokenize(*tokenizer, "中"), (Ids{261, 0xad + 1}));
  EXPECT_EQ(tokenize(*tokenizer, "abbc"), (Ids{257, 262}));
  EXPECT_EQ(tokenize(*tokenizer, ""), Ids{});
}

TEST(RwkvWorld, PutsNothingAroundATextAndStartsContextsWithTokenZero) {
  GgufWriter writer = world(world_pieces({}), {kControl});
  writer.add("tokenizer.ggml.bos_token_id", std::uint32_t{0}).add("tokenizer.ggml.add_bos_token", true);
  const auto tokenizer = loaded(load_bytes(writer.bytes()));
  EXPECT_EQ(tokenizer->tokenize(as_bytes("a"), true), (Ids{'a' + 1}));
  EXPECT_EQ(tokenizer->context_start_token(), 0);
  EXPECT_EQ(load_world({})->context_start_token(), 0);
  EXPECT_EQ(load_world({})->symbol_count(), 257u);  // no escapes
}

// llama.cpp finds control tokens in a text, which stand for nothing; `encode` spells them.
TEST(RwkvWorld, SpellsControlTokensInATextByOtherTokens) {
  const auto tokenizer = load_world({"s>"});
  EXPECT_EQ(tokenize(*tokenizer, "<s>"), (Ids{0}));
  EXPECT_EQ(encode(*tokenizer, "<s>"), (Ids{'<' + 1, 257}));
}

TEST(RwkvWorld, CountsTheLastOfSeveralSpellingsOfTheSameBytes) {
  const auto tokenizer = load_world({R"(\x41B)", "AB", R"(A\x42)"});
  EXPECT_EQ(tokenize(*tokenizer, "AB"), (Ids{259}));
  expect_kept(*tokenizer, "ABAB");
}

TEST(RwkvWorld, KeepsAllTexts) {
  std::mt19937 random(41);
  const auto whole = load_world({"ab", "the", R"(\xe2\x96)", R"(\xf0\x9f)", "  ", R"(\r\n)"});
  // Without most of the bytes, and with a user-defined token that looks like an escape.
  const auto sparse = loaded(load_bytes(world({"<s>", "a", "ab", "b", "<ud>", R"(\x20)", R"(\x20\x20)"},
                                              {kControl, kNormal, kNormal, kNormal, kUserDefined})
                                            .bytes()));
  const auto odd = loaded(load_bytes(world({R"(\x41)", "a", "A"}, {kUserDefined}).bytes()));
  for (const Tokenizer* tokenizer : {whole.get(), sparse.get(), odd.get()}) {
    for (int i = 0; i < 1000; ++i) expect_kept(*tokenizer, test::random_text(random, 12));
    for (int i = 0; i < 500; ++i) expect_kept(*tokenizer, test::random_bytes(random, 40));
    expect_kept(*tokenizer, R"(A\x41A)");
  }
}

TEST(RwkvWorld, RefusesEscapesThatMeanNothing) {
  const auto refused = load_bytes(world(world_pieces({R"(\x4)"})).bytes());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(
      refused.error().message,
      R"(t.gguf: metadata "tokenizer.ggml.tokens": found token 257 as "\x4", expected \t, \n, \r, \x and two small )"
      "hexadecimal digits, or another escaped character");
}

}  // namespace
}  // namespace tacit
