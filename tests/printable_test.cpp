// SPDX-License-Identifier: MIT
// What a message shows of bytes that anybody may have chosen, and hexadecimal digits.
#include "base/printable.h"

#include <gtest/gtest.h>

#include <string>

#include "base/hash.h"

namespace tacit {
namespace {

using std::string_literals::operator""s;

TEST(Printable, TextOfAnyScriptStaysAsItIs) {
  for (const std::string& text : {""s, "plain text, \"quotes\" and \\"s, "ünï"s, "\xc2\xa0"s, "\xe2\x82\xac"s,
                                  "\xed\x9f\xbf\xee\x80\x80"s, "\xf0\x9f\x98\x80"s, "\xf4\x8f\xbf\xbf"s}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, ControlCharactersAreShown) {
  EXPECT_EQ(printable("a\0b\n\r\t\x1b[31m\x7f"s), "a\\x00b\\x0a\\x0d\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(printable("\xc2\x80\xc2\x9b[31m\xc2\x9f"), "\\xc2\\x80\\xc2\\x9b[31m\\xc2\\x9f");
}

TEST(Printable, BytesThatAreNoUtf8AreShown) {
  EXPECT_EQ(printable("\x80"), "\\x80");
  EXPECT_EQ(printable("\x9b[31m"), "\\x9b[31m");  // a terminal may take it for C1
  EXPECT_EQ(printable("a\xff\xfe"), "a\\xff\\xfe");
  EXPECT_EQ(printable("\xc3"), "\\xc3");
  EXPECT_EQ(printable("\xc3z"), "\\xc3z");
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                      // overlong
  EXPECT_EQ(printable("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf");             // overlong
  EXPECT_EQ(printable("\xf0\x8f\xbf\xbf"), "\\xf0\\x8f\\xbf\\xbf");    // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");             // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");    // beyond Unicode
}

TEST(Printable, TwiceIsOnce) {
  const std::string once = printable("\x1b\xff\\x41\n");
  EXPECT_EQ(printable(once), once);
}

TEST(Quoted, NothingLooksLikeItsEnd) {
  EXPECT_EQ(printable_quoted("plain"), "\"plain\"");
  EXPECT_EQ(printable_quoted("a\"b\\c\n"), "\"a\\x22b\\c\\x0a\"");
}

TEST(Quoted, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(printable_quoted(std::string(64, 'a')), '"' + std::string(64, 'a') + '"');
  EXPECT_EQ(printable_quoted(std::string(65, 'a')), '"' + std::string(64, 'a') + "...\"");
  EXPECT_EQ(printable_quoted(std::string(63, 'a') + "\xe2\x82\xac"), '"' + std::string(63, 'a') + "...\"");
  const std::string broken(100, '\x80');
  EXPECT_EQ(printable_quoted(broken).size(), 2 + 60 * 4 + 3u) << "some bytes at least, though no characters";
}

TEST(Hexadecimal, OfBytesAndNumbers) {
  EXPECT_EQ(to_hex(ByteSpan{}), "");
  EXPECT_EQ(to_hex(as_bytes("\x01\xab\xff")), "01abff");
  EXPECT_EQ(to_hex(std::uint64_t{0}), "0000000000000000");
  EXPECT_EQ(to_hex(std::uint64_t{0x0123456789abcdef}), "0123456789abcdef");
}

}  // namespace
}  // namespace tacit
