// SPDX-License-Identifier: MIT
// The schedules, over an engine that answers from a table: whatever batches an engine likes, the code is the same,
// every strip comes back, and the engine is asked for nothing that its contract does not allow.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "coding/strip_coder.h"
#include "support/bare_ids.h"
#include "support/cpu_model.h"
#include "support/table_engine.h"

namespace tacit {
namespace {

using test::TableEngine;
using Texts = std::vector<std::vector<TokenId>>;

// Strips of unequal length, empty ones among them, that repeat themselves here and there.
Texts some_texts(std::size_t count, std::uint32_t vocabulary_size) {
  std::mt19937 random(17);
  Texts texts;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<TokenId>& text = texts.emplace_back();
    const std::size_t size = i % 5 == 3 ? 0 : random() % 150;
    while (text.size() < size) {
      const bool repeats = text.size() > 20 && random() % 4 != 0;
      text.push_back(repeats ? text[text.size() - 13] : static_cast<TokenId>(random() % vocabulary_size));
    }
  }
  return texts;
}

struct Job {
  Schedule schedule;
  bool adaptive;
  std::uint32_t threads = 1;
};

std::vector<ByteVector> encode(const TableEngine& engine, const Job& job, const Texts& texts) {
  const test::BareIds alphabet(TableEngine::Settings().vocabulary_size);
  ThreadPool pool(job.threads);
  const std::vector<std::span<const TokenId>> strips(texts.begin(), texts.end());
  StripCoder coder({engine, alphabet, pool, 16, job.adaptive, std::nullopt}, job.schedule);
  const auto encoded = coder.encode(strips, test::ignore_progress);
  EXPECT_TRUE(encoded.ok()) << encoded.error().message;
  return encoded.value().codes;
}

Texts decode(const TableEngine& engine, const Job& job, const std::vector<ByteVector>& codes, const Texts& texts) {
  const test::BareIds alphabet(TableEngine::Settings().vocabulary_size);
  ThreadPool pool(job.threads);
  std::vector<CodedStrip> strips;
  for (std::size_t i = 0; i < texts.size(); ++i) strips.push_back({codes[i], texts[i].size()});
  StripCoder coder({engine, alphabet, pool, 16, job.adaptive, std::nullopt}, job.schedule);
  auto decoded = coder.decode(strips, test::ignore_progress);
  EXPECT_TRUE(decoded.ok()) << decoded.error().message;
  return std::move(decoded).value();
}

const std::vector<BatchShape> kShapes = {
    {.pass_count = 1, .row_count = 1, .chunk_max = 1, .logit_rows = 1},
    {.pass_count = 1, .row_count = 64, .chunk_max = 64, .logit_rows = 16},
    {.pass_count = 2, .row_count = 256, .chunk_max = 64, .logit_rows = 16},
    {.pass_count = 3, .row_count = 50, .chunk_max = 7, .logit_rows = 5},
    {.pass_count = 64, .row_count = 9, .chunk_max = 4, .logit_rows = 300},
};

class StripCoderTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Predictors, StripCoderTest, ::testing::Bool());

TEST_P(StripCoderTest, CodesAreTheSameWhateverBatchesAnEngineLikes) {
  for (const std::size_t count : {1u, 2u, 9u, 40u}) {
    const Texts texts = some_texts(count, TableEngine::Settings().vocabulary_size);
    for (const Schedule& schedule : {Schedule::lockstep(), Schedule::independent(1), Schedule::independent(16)}) {
      std::vector<ByteVector> expected;
      for (const BatchShape& shape : kShapes) {
        for (const std::uint32_t threads : {1u, 3u}) {
          const TableEngine engine({.shape = shape});
          const Job job{schedule, GetParam(), threads};
          const std::vector<ByteVector> codes = encode(engine, job, texts);
          if (expected.empty()) expected = codes;
          EXPECT_EQ(codes, expected) << count << " strips, passes " << shape.pass_count << ", threads " << threads;
          EXPECT_EQ(decode(engine, job, codes, texts), texts);
        }
      }
    }
  }
}

TEST_P(StripCoderTest, AnIndependentStripIsWhatItIsAlone) {
  const Texts texts = some_texts(12, TableEngine::Settings().vocabulary_size);
  const TableEngine engine({.shape = kShapes[2]});
  const std::vector<ByteVector> codes = encode(engine, {Schedule::independent(5), GetParam(), 2}, texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(encode(engine, {Schedule::lockstep(), GetParam(), 1}, {texts[i]})[0], codes[i]) << i;
  }
}

TEST_P(StripCoderTest, EncodingReadsWholeChunksAndDecodingOneRowOfEachLane) {
  const Texts texts(8, std::vector<TokenId>(100, 7));
  for (const Schedule& schedule : {Schedule::lockstep(), Schedule::independent(8)}) {
    const Job job{schedule, GetParam(), 2};
    const TableEngine encoder({.shape = {.pass_count = 2, .row_count = 64, .chunk_max = 32, .logit_rows = 16}});
    const std::vector<ByteVector> codes = encode(encoder, job, texts);
    EXPECT_EQ(encoder.passes_max(), 2u);
    EXPECT_EQ(encoder.rows_max(), 64u) << "16 steps of the four lanes of a pass";
    const TableEngine decoder({.shape = {.pass_count = 2, .row_count = 64, .chunk_max = 32, .logit_rows = 16}});
    EXPECT_EQ(decode(decoder, job, codes, texts), texts);
    EXPECT_EQ(decoder.rows_max(), 4u);
  }
}

TEST_P(StripCoderTest, ASingleLaneReadsDraftsOnlyWhereTheEngineCanRerun) {
  const Texts texts = {std::vector<TokenId>(300, 7)};
  for (const bool can_rerun : {false, true}) {
    const BatchShape shape{.pass_count = 1, .row_count = 64, .chunk_max = 64, .logit_rows = 16, .row_cost = 0.2};
    const TableEngine engine({.shape = shape, .can_rerun = can_rerun});
    const Job job{Schedule::lockstep(), GetParam(), 1};
    const std::vector<ByteVector> codes = encode(engine, job, texts);
    const TableEngine decoder({.shape = shape, .can_rerun = can_rerun});
    EXPECT_EQ(decode(decoder, job, codes, texts), texts);
    EXPECT_EQ(decoder.rows_max(), can_rerun ? 16u : 1u);
  }
}

TEST(StripCoder, RefusesMoreLanesThanThereIsRoomForOnlyWhereStripsNeedThem) {
  const Texts texts = some_texts(9, TableEngine::Settings().vocabulary_size);
  const std::vector<std::span<const TokenId>> strips(texts.begin(), texts.end());
  const TableEngine engine({.shape = kShapes[1], .lanes_max = 4});
  const test::BareIds alphabet(TableEngine::Settings().vocabulary_size);
  ThreadPool pool(1);
  const CodingContext context{engine, alphabet, pool, 16, true, std::nullopt};
  const auto refused = StripCoder(context, Schedule::lockstep()).encode(strips, test::ignore_progress);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
  EXPECT_TRUE(StripCoder(context, Schedule::independent(9)).encode(strips, test::ignore_progress).ok());
}

TEST_P(StripCoderTest, AnObserverThatStopsLeavesNoResultAndTheCoderUsable) {
  const Texts texts = some_texts(6, TableEngine::Settings().vocabulary_size);
  const std::vector<std::span<const TokenId>> strips(texts.begin(), texts.end());
  const TableEngine engine({.shape = kShapes[1]});
  const test::BareIds alphabet(TableEngine::Settings().vocabulary_size);
  ThreadPool pool(1);
  for (const Schedule& schedule : {Schedule::lockstep(), Schedule::independent(3)}) {
    StripCoder coder({engine, alphabet, pool, 16, GetParam(), std::nullopt}, schedule);
    const auto stopped = coder.encode(strips, [](const CodingState& state) -> Result<Proceed> {
      EXPECT_GT(state.symbols_done, 0u);
      return Proceed::kStop;
    });
    ASSERT_TRUE(stopped.ok());
    EXPECT_TRUE(stopped.value().stopped && stopped.value().codes.empty());
    const auto encoded = coder.encode(strips, test::ignore_progress);
    ASSERT_TRUE(encoded.ok());
    EXPECT_EQ(encoded.value().codes, encode(engine, {schedule, GetParam()}, texts));
  }
}

}  // namespace
}  // namespace tacit
