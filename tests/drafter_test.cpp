// SPDX-License-Identifier: MIT
// Speculative decoding: drafts are what followed the same symbols before, and stop where that was wrong; whatever they
// are, a decoder gives the text of a decoder without them, for less work where the text repeats itself.
#include "coding/drafter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "coding/strip_coder.h"
#include "support/bare_ids.h"
#include "support/counting_engine.h"
#include "support/cpu_model.h"
#include "support/lanes.h"
#include "support/shared_data.h"
#include "support/tiny_model.h"

namespace tacit {
namespace {

using Text = std::vector<TokenId>;

constexpr double kRowCost = 0.2;

// ---- What is drafted ----

Text draft_after(const Text& past, std::size_t count_max) {
  Drafter drafter(past.size(), kRowCost);
  const std::span<const TokenId> draft = drafter.draft(past, count_max);
  return {draft.begin(), draft.end()};
}

Text repeated(const Text& part, std::size_t size) {
  Text text;
  for (std::size_t i = 0; i < size; ++i) text.push_back(part[i % part.size()]);
  return text;
}

TEST(Drafter, DraftsNothingWhereNothingRepeats) {
  EXPECT_EQ(draft_after({}, 8), Text());
  EXPECT_EQ(draft_after({7}, 8), Text());
  Text past;
  for (TokenId symbol = 0; symbol < 100; ++symbol) {
    past.push_back(symbol);
    EXPECT_EQ(draft_after(past, 8), Text());
  }
}

TEST(Drafter, DraftsWhatFollowedTheSameSymbols) {
  EXPECT_EQ(draft_after({1, 2, 3, 4, 5, 6, 1, 2}, 8), (Text{3, 4}));
  EXPECT_EQ(draft_after({1, 2, 3, 9, 1, 2, 4, 8, 1, 2}, 8), (Text{4, 8})) << "the newest position";
  EXPECT_EQ(draft_after({1, 2, 3, 4, 5, 9, 3, 4, 6, 1, 2, 3, 7, 1, 2, 3, 4}, 8).front(), 5) << "the longer context";
}

TEST(Drafter, GoesOnInItselfWhereTheTextIsAPeriod) {
  for (const Text& period : {Text{4}, Text{4, 5}, Text{4, 5, 6}}) {
    const Text text = repeated(period, 200 + 15);
    const Text past(text.begin(), text.begin() + 200);
    EXPECT_EQ(draft_after(past, 15), Text(text.begin() + 200, text.end())) << period.size();
    EXPECT_EQ(draft_after(past, 3).size(), 3u);
    EXPECT_EQ(draft_after(past, 0).size(), 0u);
  }
}

TEST(Drafter, GrowsWithSuccessAndStopsWithFailure) {
  Drafter drafter(3000, kRowCost);
  Text past = repeated({1, 2, 3, 4, 5, 6, 7}, 20);
  const std::size_t early = drafter.draft(past, 15).size();
  past = repeated({1, 2, 3, 4, 5, 6, 7}, 200);
  EXPECT_GT(drafter.draft(past, 15).size(), early);
  // 1 2 and always another symbol after it.
  std::size_t drafted = 0;
  for (TokenId symbol = 100; symbol < 300; ++symbol) {
    past.insert(past.end(), {1, 2});
    drafted = drafter.draft(past, 15).size();
    past.push_back(symbol);
  }
  EXPECT_EQ(drafted, 0u);
}

TEST(Drafter, DraftsTheSameHoweverOftenItIsAsked) {
  const Text text = test::random_tokens(3000, 4, 5);
  Drafter often(text.size(), kRowCost);
  Drafter seldom(text.size(), kRowCost);
  std::size_t compared = 0;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::span<const TokenId> past = std::span(text).first(size);
    const std::span<const TokenId> draft = often.draft(past, 1 + size % 9);
    for (const TokenId symbol : draft) EXPECT_TRUE(symbol >= 0 && symbol < 4);
    if (size % 13 != 0) continue;
    EXPECT_TRUE(std::ranges::equal(seldom.draft(past, 1 + size % 9), draft)) << size;
    compared += draft.size();
  }
  EXPECT_GT(compared, 50u);
}

// ---- What is decoded ----

// A model in memory, with the file that it points into.
struct OwnedModel {
  explicit OwnedModel(ByteVector file_bytes)
      : bytes(std::move(file_bytes)),
        file(gguf::File::parse(bytes, "test model").value()),
        model(Model::load(file).value()) {}
  OwnedModel(const OwnedModel&) = delete;
  ByteVector bytes;
  gguf::File file;
  Model model;
};

ByteVector read_file(const std::filesystem::path& path) {
  const auto mapped = MappedFile::open(path);
  return {mapped.value().bytes().begin(), mapped.value().bytes().end()};
}

struct Coding {
  bool adaptive;
  std::uint32_t window = 24;
  std::uint32_t thread_count = 1;
  const kernels::Kernels* kernels = kernels::find_kernels("");
};

std::vector<ByteVector> encode(const Model& model, const Coding& coding, const std::vector<Text>& texts) {
  const test::BareIds alphabet(model.config.vocabulary_size);
  test::CpuModel cpu(model, coding.thread_count, *coding.kernels);
  const std::vector<std::span<const TokenId>> strips(texts.begin(), texts.end());
  StripCoder coder(cpu.context(alphabet, coding.window, coding.adaptive), Schedule::lockstep());
  return coder.encode(strips, test::ignore_progress).value().codes;
}

Result<std::vector<Text>> decode(const Model& model, const Coding& coding, const std::vector<CodedStrip>& strips) {
  const test::BareIds alphabet(model.config.vocabulary_size);
  test::CpuModel cpu(model, coding.thread_count, *coding.kernels);
  StripCoder coder(cpu.context(alphabet, coding.window, coding.adaptive), Schedule::lockstep());
  return coder.decode(strips, test::ignore_progress);
}

std::vector<CodedStrip> coded_strips(const std::vector<ByteVector>& codes, const std::vector<Text>& texts) {
  std::vector<CodedStrip> strips;
  for (std::size_t i = 0; i < codes.size(); ++i) strips.push_back({codes[i], texts[i].size()});
  return strips;
}

::testing::AssertionResult comes_back(const Model& model, const Coding& coding, const std::vector<Text>& texts) {
  const std::vector<ByteVector> codes = encode(model, coding, texts);
  const auto decoded = decode(model, coding, coded_strips(codes, texts));
  if (!decoded.ok()) return ::testing::AssertionFailure() << decoded.error().message;
  if (decoded.value() == texts) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "another text";
}

// Copies of one run, each a symbol longer, the last symbol of each another one: the draft is wrong at its end.
Text wrong_at_the_end(const Text& run, std::uint32_t vocabulary_size) {
  Text text;
  for (std::size_t size = 1; size <= run.size(); ++size) {
    text.insert(text.end(), run.begin(), run.begin() + static_cast<std::ptrdiff_t>(size));
    text.back() = static_cast<TokenId>((static_cast<std::uint32_t>(text.back()) + size) % vocabulary_size);
  }
  return text;
}

// 1 2 and something else each time: the draft is nearly always wrong at once.
Text wrong_at_once(std::uint32_t count, std::uint32_t vocabulary_size) {
  Text text;
  for (const TokenId other : test::random_tokens(count, vocabulary_size, 12)) text.insert(text.end(), {1, 2, other});
  return text;
}

// Texts on which drafts are long, right, wrong, or both, all longer than the rings of a window of 40.
std::vector<Text> hostile_texts(std::uint32_t vocabulary_size) {
  const Text run = test::random_tokens(24, vocabulary_size, 7);
  Text two_copies = test::random_tokens(110, vocabulary_size, 8);
  two_copies.insert(two_copies.end(), two_copies.begin(), two_copies.begin() + 110);
  return {repeated({5}, 230),
          repeated({5, 9}, 230),
          repeated(run, 230),
          wrong_at_the_end(run, vocabulary_size),
          wrong_at_once(80, vocabulary_size),
          two_copies,
          test::random_tokens(230, 2, 9),
          test::random_tokens(230, 3, 10)};
}

TEST(SpeculativeDecoding, GivesTheTextWhateverTheDraftsAre) {
  const OwnedModel owned(test::TinyModelBuilder({}).build());
  for (const bool adaptive : {false, true}) {
    for (const std::uint32_t threads : {1u, 3u}) {
      std::vector<Text> lanes;
      for (const Text& text : hostile_texts(owned.model.config.vocabulary_size)) {
        EXPECT_TRUE(comes_back(owned.model, {adaptive, 24, threads}, {text})) << lanes.size() << adaptive << threads;
        if (lanes.size() == 5) continue;
        lanes.push_back({text.begin(), text.end() - 3 * static_cast<std::ptrdiff_t>(lanes.size())});
        EXPECT_TRUE(comes_back(owned.model, {adaptive, 24, threads}, lanes)) << lanes.size() << adaptive << threads;
      }
    }
  }
}

TEST(SpeculativeDecoding, StopsWhereTheTextEnds) {
  const OwnedModel owned(test::TinyModelBuilder({}).build());
  for (std::size_t size = 0; size < 70; ++size) {
    EXPECT_TRUE(comes_back(owned.model, {size % 2 == 0}, {repeated({5}, size)})) << size;
    EXPECT_TRUE(comes_back(owned.model, {size % 2 == 1}, {repeated({5, 6, 7}, size)})) << size;
  }
}

TEST(SpeculativeDecoding, GivesTheTextForModelsOfEveryArchitectureBeyondTheirWindows) {
  TACIT_NEEDS_SHARED("conformance/models");
  for (const auto& path : test::shared_files("conformance/models", ".gguf")) {
    SCOPED_TRACE(path.stem());
    const OwnedModel owned(read_file(path));
    const Config& config = owned.model.config;
    const std::vector<Text> texts = hostile_texts(config.vocabulary_size);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Coding coding{i % 2 == 0, std::min(40u, config.window_max())};
      EXPECT_TRUE(comes_back(owned.model, coding, {texts[i]})) << i;
    }
  }
}

// The oracle is a decoder without drafts: of two lanes, which learn nothing from each other under contract 1.
TEST(SpeculativeDecoding, GivesOfADamagedCodeWhatADecoderWithoutDraftsGives) {
  const OwnedModel owned(test::TinyModelBuilder({}).build());
  const Coding plain{false};
  std::mt19937 random(11);
  std::size_t refused = 0;
  for (const Text& text : hostile_texts(owned.model.config.vocabulary_size)) {
    const ByteVector code = encode(owned.model, plain, {text})[0];
    const ByteVector adaptive_code = encode(owned.model, {true}, {text})[0];
    for (int i = 0; i < 6; ++i) {
      ByteVector damaged = code;
      damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
      const CodedStrip strip{damaged, text.size()};
      const auto found = decode(owned.model, plain, {strip});
      const auto expected = decode(owned.model, plain, {strip, strip});
      ASSERT_EQ(found.ok(), expected.ok());
      if (found.ok()) {
        EXPECT_EQ(found.value()[0], expected.value()[0]);
      } else {
        EXPECT_EQ(found.error().code, expected.error().code);
        ++refused;
      }
      damaged = adaptive_code;
      damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
      const auto learnt = decode(owned.model, {true}, {{damaged, text.size()}});
      EXPECT_TRUE(learnt.ok() || learnt.error().code == ErrorCode::kDamaged) << learnt.error().message;
    }
  }
  EXPECT_GT(refused, 0u);
}

// ---- What it costs ----

// What decoding the texts, a lane each, makes the model read.
test::Counts reading_of(const Model& model, const std::vector<Text>& texts) {
  const Coding coding{true};
  const std::vector<ByteVector> codes = encode(model, coding, texts);
  const test::BareIds alphabet(model.config.vocabulary_size);
  test::CpuModel cpu(model);
  const test::CountingEngine counting(cpu.engine());
  ThreadPool pool(1);
  StripCoder coder({counting, alphabet, pool, coding.window, coding.adaptive, std::nullopt}, Schedule::lockstep());
  const auto decoded = coder.decode(coded_strips(codes, texts), test::ignore_progress);
  EXPECT_TRUE(decoded.ok() && decoded.value() == texts);
  return counting.counts();
}

TEST(SpeculativeDecoding, ReadsARepetitionInFewRuns) {
  const OwnedModel owned(test::TinyModelBuilder({}).build());
  for (const std::size_t size : {301u, 302u, 310u}) {
    const test::Counts reading = reading_of(owned.model, {repeated({5}, size)});
    EXPECT_LT(reading.runs, size / 4);
    EXPECT_EQ(reading.rows, size) << "all drafts are right, none goes beyond the end";
  }
}

TEST(SpeculativeDecoding, ReadsARowForASymbolWhereNothingRepeats) {
  const OwnedModel owned(test::TinyModelBuilder({}).build());
  Text text(owned.model.config.vocabulary_size);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<TokenId>(i);
  const test::Counts reading = reading_of(owned.model, {text});
  EXPECT_EQ(reading.runs, text.size());
  EXPECT_EQ(reading.rows, text.size());
}

TEST(SpeculativeDecoding, DraftsThatFailCostFewRows) {
  const OwnedModel owned(test::TinyModelBuilder({}).build());
  const Text text = test::random_tokens(1200, 8, 13);  // every pair was there before, and says nothing
  const test::Counts reading = reading_of(owned.model, {text});
  EXPECT_GT(reading.rows, text.size()) << "drafts were tried";
  EXPECT_LT(reading.rows, text.size() * 11 / 10);
}

TEST(SpeculativeDecoding, LanesSideBySideReadNoDrafts) {
  const OwnedModel owned(test::TinyModelBuilder({}).build());
  const std::vector<Text> texts(3, repeated({5}, 100));
  const test::Counts reading = reading_of(owned.model, texts);
  EXPECT_EQ(reading.runs, 100u);
  EXPECT_EQ(reading.rows, 300u);
}

TEST(SpeculativeDecoding, ARecurrentModelReadsEachPositionOnce) {
  TACIT_NEEDS_SHARED("conformance/models/mamba.gguf");
  const OwnedModel owned(read_file(test::shared_data_path("conformance/models/mamba.gguf")));
  const test::Counts reading = reading_of(owned.model, {repeated({5}, 100)});
  EXPECT_EQ(reading.runs, 100u);
  EXPECT_EQ(reading.rows, 100u);
}

}  // namespace
}  // namespace tacit
