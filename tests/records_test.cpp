// SPDX-License-Identifier: MIT
// Archives of records: the text comes back whole, every record by itself, and only what holds it is decoded; the
// archive is the same on every kernel set and thread count; segments decode by themselves to what they are side by
// side; damage and forgery are seen.
#include <gtest/gtest.h>
#include <tacit/tacit.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "archive/reader.h"
#include "archive/writer.h"
#include "coding/strip_coder.h"
#include "store/builtin_model.h"
#include "store/engines.h"
#include "support/api_buffer.h"
#include "support/cpu_model.h"

namespace tacit {
namespace {

tacit_options options_of(std::uint32_t segment_bytes, std::uint32_t threads = 1) {
  tacit_options options;
  tacit_options_init(&options);
  options.threads = threads;
  options.skip_verification = 1;
  options.has_records = 1;
  options.segment_bytes = segment_bytes;
  return options;
}

std::string compress(const std::string& text, const tacit_options& options) {
  test::ApiBuffer archive;
  EXPECT_EQ(tacit_compress_buffer(&options, text.data(), text.size(), &archive.data, &archive.size), TACIT_OK)
      << tacit_last_error();
  return archive.text();
}

std::string decompress(const std::string& archive, const tacit_options& options) {
  test::ApiBuffer text;
  EXPECT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &text.data, &text.size), TACIT_OK)
      << tacit_last_error();
  return text.text();
}

struct Records {
  tacit_status status;
  std::string text;
  std::string error;
};

int append(void* context, const void* data, std::size_t size) {
  static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
  return 0;
}

Records read(const std::string& archive, std::uint64_t first, std::uint64_t count, const tacit_options& options) {
  Records records;
  records.status =
      tacit_read_records_buffer(&options, archive.data(), archive.size(), first, count, append, &records.text);
  records.error = tacit_last_error();
  return records;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    lines.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return lines;
}

// Records of very different lengths, out of what the built-in model wrote: text that nothing stores better than the
// model.
std::string some_records(std::uint32_t count, std::uint32_t seed) {
  static const std::string text = [] {
    std::ifstream file(TACIT_SOURCE_DIR "/examples/temperature-1.txt");
    std::string words(std::istreambuf_iterator<char>(file), {});
    std::replace(words.begin(), words.end(), '\n', ' ');
    return words;
  }();
  std::mt19937 random(seed);
  std::string records;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t size = random() % (i % 5 == 0 ? 400 : 60);
    records += text.substr(random() % (text.size() - size), size) + "\n";
  }
  return records;
}

std::vector<std::string> texts_with_odd_lines() {
  return {
      "",
      "\n",
      "no newline",
      "one\n",
      "one\r\n\r\ntwo\r\n",
      "\n\n\nafter empty lines\n\n",
      std::string("nul \0 and \xff\xfe, no UTF-8\nand more", 34),
      std::string(70000, 'x') + "\n" + std::string(200000, 'y') + "\nshort\n" + std::string(66000, 'z'),
      some_records(20, 1),
  };
}

TEST(Records, EveryOneComesBackByItself) {
  for (const std::string& text : texts_with_odd_lines()) {
    for (const std::uint32_t segment_bytes : {1u, 300u, 0u}) {
      const tacit_options options = options_of(segment_bytes);
      const std::string archive = compress(text, options);
      EXPECT_EQ(decompress(archive, options), text);
      const std::vector<std::string> lines = lines_of(text);
      for (std::size_t i = 0; i < lines.size(); ++i) {
        const Records one = read(archive, i, 1, options);
        EXPECT_EQ(one.status, TACIT_OK) << one.error;
        EXPECT_EQ(one.text, lines[i]) << "record " << i << " of " << text.substr(0, 30);
      }
      if (lines.empty()) continue;
      const Records all = read(archive, 0, UINT64_MAX, options);
      EXPECT_EQ(all.text, text) << all.error;
    }
  }
}

TEST(Records, ComeInRanges) {
  const std::string text = some_records(30, 2);
  const std::vector<std::string> lines = lines_of(text);
  const tacit_options options = options_of(400);
  const std::string archive = compress(text, options);
  for (std::size_t first = 0; first < lines.size(); first += 7) {
    std::string expected;
    for (std::size_t end = first; end < lines.size(); ++end) {
      expected += lines[end];
      if (end % 5 != 0) continue;
      const Records records = read(archive, first, end - first + 1, options);
      EXPECT_EQ(records.text, expected) << first << " to " << end << ": " << records.error;
    }
  }
}

std::uint64_t tokens_decoded_for(const std::string& archive, std::uint64_t first) {
  tacit_options options = options_of(0);
  std::uint64_t tokens = 0;
  options.progress_context = &tokens;
  options.progress = [](void* context, const tacit_progress* progress) {
    *static_cast<std::uint64_t*>(context) = progress->tokens_done;
    return 0;
  };
  EXPECT_EQ(read(archive, first, 1, options).status, TACIT_OK);
  return tokens;
}

TEST(Records, OnlyTheirSegmentIsDecoded) {
  const std::string text = some_records(100, 3);
  tacit_archive_info info;
  tacit_archive_info_init(&info);
  const std::string archive = compress(text, options_of(500));
  ASSERT_EQ(tacit_info_buffer(archive.data(), archive.size(), &info), TACIT_OK);
  EXPECT_EQ(info.has_records, 1);
  EXPECT_EQ(info.record_count, 100u);
  ASSERT_GT(info.model_segment_count, 8u);
  for (const std::uint64_t record : {0u, 57u, 99u}) {
    const std::uint64_t tokens = tokens_decoded_for(archive, record);
    EXPECT_GT(tokens, 0u);
    EXPECT_LT(tokens, info.token_count / 5) << record;
  }
}

TEST(Records, TheArchiveIsTheSameForEveryThreadCountAndKernelSet) {
  const std::string text = some_records(12, 4);
  tacit_options options = options_of(200);
  const std::string expected = compress(text, options);
  for (const char* set : {"reference", "avx2", "avx512", "neon", "dotprod"}) {
    if (kernels::find_kernels(set) == nullptr) continue;
    options.kernel_set = set;
    for (const std::uint32_t threads : {1u, 3u}) {
      for (const std::uint32_t lanes : {0u, 5u}) {
        options.threads = threads;
        options.lane_count = lanes;
        EXPECT_EQ(compress(text, options), expected) << set << ", threads " << threads << ", lanes " << lanes;
        EXPECT_EQ(decompress(expected, options), text) << set << ", threads " << threads;
        EXPECT_EQ(read(expected, 7, 1, options).text, lines_of(text)[7]) << set << ", threads " << threads;
      }
    }
  }
}

// ---- Strips that know nothing of each other ----

class IndependentStrips : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Contracts, IndependentStrips, ::testing::Bool());

TEST_P(IndependentStrips, StripsOfUnequalLengthAreWhatEachIsAlone) {
  const auto model = builtin_model_without_weights().value();
  const Tokenizer& tokenizer = *model->tokenizer;
  std::vector<std::vector<TokenId>> texts;
  for (std::uint32_t i = 0; i < 13; ++i) texts.push_back(tokenizer.encode(as_bytes(some_records(i * i % 7, i))));
  const std::vector<std::span<const TokenId>> strips(texts.begin(), texts.end());
  std::vector<ByteVector> expected;
  for (const std::uint32_t threads : {1u, 2u, 7u, 30u}) {
    ThreadPool pool(threads);
    const auto engine = make_engine(*model, {"", &pool}).value();
    const CodingContext context{*engine, tokenizer, pool, 64, GetParam(), std::nullopt};
    if (expected.empty()) {
      StripCoder single(context, Schedule::lockstep());
      for (const auto& strip : strips) {
        expected.push_back(single.encode({&strip, 1}, test::ignore_progress).value().codes[0]);
      }
    }
    for (const std::uint32_t lanes : {1u, 3u, 32u}) {
      StripCoder coder(context, Schedule::independent(lanes));
      EXPECT_EQ(coder.encode(strips, test::ignore_progress).value().codes, expected)
          << threads << " threads, " << lanes << " lanes";
      std::vector<CodedStrip> coded;
      for (std::size_t i = 0; i < texts.size(); ++i) coded.push_back({expected[i], texts[i].size()});
      const auto decoded = coder.decode(coded, test::ignore_progress);
      ASSERT_TRUE(decoded.ok()) << decoded.error().message;
      EXPECT_EQ(decoded.value(), texts) << threads << " threads, " << lanes << " lanes";
    }
  }
}

TEST_P(IndependentStrips, TheObserverSeesAllSymbolsAndMayStopTheWork) {
  const auto model = builtin_model_without_weights().value();
  std::vector<TokenId> text = model->tokenizer->encode(as_bytes(some_records(12, 5)));
  for (const std::uint32_t threads : {1u, 2u, 12u}) {
    ThreadPool pool(threads);
    const auto engine = make_engine(*model, {"", &pool}).value();
    const CodingContext context{*engine, *model->tokenizer, pool, 64, GetParam(), std::nullopt};
    StripCoder coder(context, Schedule::independent(4));
    const std::vector<std::span<const TokenId>> strips(5, text);
    CodingState last;
    const auto codes = coder.encode(strips, [&](const CodingState& state) {
      EXPECT_GE(state.symbols_done, last.symbols_done);
      last = state;
      return Result<Proceed>(Proceed::kContinue);
    });
    ASSERT_TRUE(codes.ok());
    EXPECT_EQ(last.symbols_done, 5 * text.size());
    EXPECT_EQ(last.share_done, 1.0);
    EXPECT_GT(last.code_bytes, 0u);
    const auto failed = coder.encode(
        strips, [](const CodingState&) -> Result<Proceed> { return Error{ErrorCode::kCancelled, "cancelled"}; });
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().message, "cancelled");
    const auto stopped =
        coder.encode(strips, [](const CodingState&) -> Result<Proceed> { return Proceed::kStop; });
    ASSERT_TRUE(stopped.ok());
    EXPECT_TRUE(stopped.value().stopped);
    EXPECT_TRUE(stopped.value().codes.empty());
  }
}

TEST_P(IndependentStrips, StripsWithoutSymbolsTakeNoLane) {
  const auto model = builtin_model_without_weights().value();
  const std::vector<TokenId> text = model->tokenizer->encode(as_bytes(some_records(3, 7)));
  const std::vector<std::span<const TokenId>> strips = {{}, text, {}};
  for (const std::uint32_t threads : {1u, 2u, 8u}) {  // side by side, and one after another
    ThreadPool pool(threads);
    const auto engine = make_engine(*model, {"", &pool}).value();
    const CodingContext context{*engine, *model->tokenizer, pool, 64, GetParam(), std::nullopt};
    StripCoder coder(context, Schedule::independent(4));
    CodingState last;
    const auto codes = coder.encode(strips, [&](const CodingState& state) {
      last = state;
      return Result<Proceed>(Proceed::kContinue);
    });
    ASSERT_TRUE(codes.ok());
    EXPECT_EQ(last.share_done, 1.0);
    EXPECT_TRUE(codes.value().codes[0].empty() && codes.value().codes[2].empty());
    const std::vector<CodedStrip> coded = {{{}, 0}, {codes.value().codes[1], text.size()}, {{}, 0}};
    const auto decoded = coder.decode(coded, test::ignore_progress);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(decoded.value()[1], text);
  }
}

// ---- What is refused ----

TEST(Records, ThatAreNotThereAreRefused) {
  const tacit_options options = options_of(1);
  const std::string archive = compress("a\nb\nc\n", options);
  for (const auto& [first, count] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {3, 1}, {3, UINT64_MAX}, {0, 4}, {0, 0}, {UINT64_MAX, 1}, {UINT64_MAX, UINT64_MAX}, {1, UINT64_MAX - 1}}) {
    const Records records = read(archive, first, count, options);
    EXPECT_EQ(records.status, TACIT_USAGE) << first << ", " << count;
    EXPECT_NE(records.error.find("expected 0 to 2"), std::string::npos) << records.error;
    EXPECT_EQ(records.text, "");
  }
  EXPECT_NE(read(compress("", options), 0, 1, options).error.find("no record"), std::string::npos);
  tacit_options whole = options;
  whole.has_records = 0;
  const Records records = read(compress("a\nb\n", whole), 0, 1, options);
  EXPECT_EQ(records.status, TACIT_USAGE);
  EXPECT_NE(records.error.find("has no records"), std::string::npos) << records.error;
  EXPECT_EQ(tacit_read_records_buffer(&options, archive.data(), archive.size(), 0, 1, nullptr, nullptr), TACIT_USAGE);
}

// A block of raw segments, all of which fit each other unless a test changes them.
struct RawRecords {
  std::vector<std::string> texts;
  std::vector<std::uint64_t> counts;  // of records, by segment
  std::uint64_t indexed = 0;          // in the index
  std::uint32_t hash_change = 0;

  [[nodiscard]] std::string text() const { return std::accumulate(texts.begin(), texts.end(), std::string()); }
  [[nodiscard]] ByteVector bytes() const {
    archive::Block block;
    block.has_records = true;
    block.original_bytes = text().size();
    block.content_hash = xxh3_64(as_bytes(text()));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const ByteSpan segment = as_bytes(texts[i]);
      const std::uint32_t hash = static_cast<std::uint32_t>(xxh3_64(segment)) ^ hash_change;
      block.segments.push_back({archive::Method::kRaw, segment.size(), 0, segment, counts[i], hash});
    }
    return archive::serialize_block(block);
  }
};

std::string archive_of(const std::vector<RawRecords>& blocks) {
  archive::Header header;
  header.has_records = true;
  ByteVector bytes = archive::serialize_header(header);
  std::vector<archive::BlockEntry> entries;
  for (const RawRecords& block : blocks) {
    entries.push_back({0, block.bytes().size(), block.text().size(), 0, block.indexed, 0});
    append_bytes(bytes, block.bytes());
  }
  append_bytes(bytes, archive::serialize_index_and_footer(entries, true));
  return std::string(as_text(bytes));
}

TEST(Records, OfSoundBlocksAreReadBesideDamagedOnes) {
  const tacit_options options = options_of(0);
  std::string archive = archive_of({{{"a\n", "b\n"}, {1, 1}, 2}, {{"c\n", "d\n"}, {1, 1}, 2}, {{"e\n"}, {1}, 1}});
  const archive::BlockEntry second = archive::Reader::open(as_bytes(archive)).value().blocks()[1];
  archive[second.offset + second.stored_bytes / 2] ^= 1;
  EXPECT_EQ(read(archive, 1, 1, options).text, "b\n");
  EXPECT_EQ(read(archive, 4, 1, options).text, "e\n");
  const Records damaged = read(archive, 1, 2, options);
  EXPECT_EQ(damaged.status, TACIT_DAMAGED);
  EXPECT_EQ(damaged.text, "b\n");  // what comes before the damage is right
  EXPECT_NE(damaged.error.find("block 1"), std::string::npos) << damaged.error;
}

TEST(Records, MayGoOnFromSegmentToSegment) {
  const tacit_options options = options_of(0);
  const std::string archive = archive_of({{{"a\nb", "b\nc", "c"}, {2, 1, 0}, 3}, {{"c\nd\n"}, {1}, 1}});
  const char* const expected[] = {"a\n", "bb\n", "ccc\n", "d\n"};
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(read(archive, i, 1, options).text, expected[i]);
  EXPECT_EQ(read(archive, 1, 2, options).text, "bb\nccc\n");
}

TEST(Records, ThatDoNotFitTheirSegmentAreRefused) {
  const tacit_options options = options_of(0);
  const auto error_of = [&](const RawRecords& raw) {
    const Records records = read(archive_of({raw}), 0, 1, options);
    EXPECT_EQ(records.status, TACIT_DAMAGED);
    return records.error;
  };
  EXPECT_NE(error_of({{"a\nb\n"}, {4}, 4}).find("lines of a segment: found 2, expected 4 or one more"),
            std::string::npos);
  EXPECT_NE(error_of({{"a\nb\nc\n"}, {1}, 1}).find("lines of a segment: found 3, expected 1 or one more"),
            std::string::npos);
  EXPECT_NE(error_of({{"a\nb\n"}, {2}, 3}).find("records: found 2, expected 3"), std::string::npos);
  EXPECT_NE(error_of({{"a\nb\n"}, {5}, 5}).find("expected at most 4"), std::string::npos);
  EXPECT_NE(error_of({{"a\nb\n"}, {2}, 2, 1}).find("segment 0: content hash"), std::string::npos);
}

}  // namespace
}  // namespace tacit
