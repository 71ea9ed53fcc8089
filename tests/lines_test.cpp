// SPDX-License-Identifier: MIT
// Where text is cut into spans of records: all bytes are in one, in order; records stay whole unless they are too long;
// and their numbers can be found again.
#include "records/lines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace tacit {
namespace {

std::vector<std::string> texts_of(const std::vector<RecordSpan>& spans, const std::string& text) {
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (const RecordSpan& span : spans) {
    texts.push_back(text.substr(begin, span.bytes));
    begin += span.bytes;
  }
  EXPECT_EQ(begin, text.size());
  return texts;
}

std::vector<std::string> cut(const std::string& text, std::size_t target) {
  return texts_of(LineCutter(target).cut(as_bytes(text)), text);
}

TEST(Lines, AreTakenTogetherUpToTheTarget) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(cut("", 10), Texts());
  EXPECT_EQ(cut("a\nb\nc", 1), (Texts{"a\n", "b\n", "c"}));
  EXPECT_EQ(cut("a\nb\nc", 100), (Texts{"a\nb\nc"}));
  EXPECT_EQ(cut("a\nb\nccc\nd\n", 4), (Texts{"a\nb\n", "ccc\n", "d\n"}));
  EXPECT_EQ(cut("\n\n\n", 2), (Texts{"\n\n", "\n"}));
  EXPECT_EQ(cut("longer than that\nb\n", 4), (Texts{"longer than that\n", "b\n"}));
  EXPECT_EQ(cut("a\r\nb\rc\r\n", 1), (Texts{"a\r\n", "b\rc\r\n"}));  // a record ends behind \n alone
}

TEST(Lines, OfMoreThanAPieceAreCut) {
  const std::string line(2 * LineCutter::kRecordPartBytes + 5, 'x');
  const std::string text = "a\n" + line + "\nb\n";
  const std::vector<RecordSpan> spans = LineCutter(100).cut(as_bytes(text));
  std::vector<std::size_t> bytes;
  std::vector<std::uint64_t> records;
  for (const RecordSpan& span : spans) {
    bytes.push_back(span.bytes);
    records.push_back(span.record_count);
  }
  EXPECT_EQ(bytes, (std::vector<std::size_t>{2, LineCutter::kRecordPartBytes, LineCutter::kRecordPartBytes, 6, 2}));
  EXPECT_EQ(records, (std::vector<std::uint64_t>{1, 1, 0, 0, 1}));
  EXPECT_EQ(LineCutter(4 * LineCutter::kRecordPartBytes).cut(as_bytes(text)).size(), 1u);
}

// What an archive promises to its readers (spec/archive.md, section 1).
void expect_records_can_be_found(const std::vector<std::string>& texts, const std::vector<RecordSpan>& spans,
                                 bool starts_in_a_record) {
  bool continues_record = starts_in_a_record;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ASSERT_FALSE(texts[i].empty());
    ASSERT_EQ(lines_of(as_bytes(texts[i])).size(), spans[i].record_count + (continues_record ? 1 : 0));
    continues_record = texts[i].back() != '\n';
  }
}

TEST(Lines, AreFoundAgainHoweverTheTextComes) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const std::size_t target = 1 + random() % 200;
    LineCutter cutter(target);
    bool in_a_record = false;
    std::string all;
    std::uint64_t record_count = 0;
    for (std::uint32_t part = 0; part < 1 + seed % 4; ++part) {
      std::string text;
      while (text.size() < random() % 3000) {
        text += std::string(random() % (random() % 8 == 0 ? 500 : 20), 'a');
        if (random() % 10 != 0) text += '\n';
      }
      const std::vector<RecordSpan> spans = cutter.cut(as_bytes(text));
      const std::vector<std::string> texts = texts_of(spans, text);
      expect_records_can_be_found(texts, spans, in_a_record);
      for (std::size_t i = 0; i < texts.size(); ++i) {
        EXPECT_TRUE(texts[i].size() <= target || lines_of(as_bytes(texts[i])).size() == 1) << seed;
      }
      record_count += count_records(spans);
      if (!text.empty()) in_a_record = text.back() != '\n';
      all += text;
    }
    EXPECT_EQ(record_count, lines_of(as_bytes(all)).size()) << seed;
  }
}

}  // namespace
}  // namespace tacit
