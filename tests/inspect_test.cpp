// SPDX-License-Identifier: MIT
// What `inspect` shows is true: traced costs are those of the code, tracing changes no bit, an alternative would have
// cost what is said, and the spans are the text, whether it comes as an archive or not.
#include <gtest/gtest.h>
#include <tacit/tacit.h>

#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coding/strip_coder.h"
#include "store/builtin_model.h"
#include "store/engines.h"
#include "support/cpu_model.h"

namespace tacit {
namespace {

constexpr std::string_view kProse =
    "The lighthouse keeper wrote down the weather every evening, and every evening he wrote the same words: wind from "
    "the west, light rain, visibility good. One evening he wrote something else. Wind from the west, he wrote, light "
    "rain, and a ship without lights. The next evening he wrote the same words again: wind from the west, light rain, "
    "and a ship without lights. Nobody read the book until the spring.\n";

std::string prose(int repeats) {
  std::string text;
  for (int i = 0; i < repeats; ++i) text.append(kProse).append("Day ").append(std::to_string(i * i)).append(".\n");
  return text;
}

// ---- The coder's trace ----

// Strips of unequal length, with all that coding them needs.
class TraceTest : public ::testing::Test {
 protected:
  using Strips = std::vector<std::vector<TokenId>>;

  CodingContext context(bool adaptive, LaneTraces* traces) {
    return {*engine_, *model_->tokenizer, pool_, 64, adaptive, {}, traces};
  }

  Strips strips() const {
    const std::string text = prose(6);
    const std::vector<TokenId> symbols = model_->tokenizer->encode(as_bytes(text));
    const auto at = [&](std::size_t i) { return symbols.begin() + static_cast<std::ptrdiff_t>(i); };
    return {{at(0), at(200)}, {at(200), at(201)}, {at(201), symbols.end()}};
  }

  static ByteSpan as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }

  static std::vector<ByteVector> encode(const CodingContext& context, const Strips& strips) {
    const std::vector<std::span<const TokenId>> views(strips.begin(), strips.end());
    StripCoder coder(context, Schedule::lockstep());
    return coder.encode(views, test::ignore_progress).value().codes;
  }

  std::shared_ptr<const LoadedModel> model_ = builtin_model().value();
  ThreadPool pool_{2};
  std::unique_ptr<Engine> engine_ = make_engine(*model_, {"", &pool_}).value();
};

TEST_F(TraceTest, bitsAreTheLengthOfTheCode) {
  for (const bool adaptive : {false, true}) {
    LaneTraces traces;
    const Strips all = strips();
    const std::vector<ByteVector> codes = encode(context(adaptive, &traces), all);
    ASSERT_EQ(traces.size(), all.size());
    for (std::size_t lane = 0; lane < all.size(); ++lane) {
      double bits = 0;
      ASSERT_EQ(traces[lane].size(), all[lane].size());
      for (std::size_t step = 0; step < all[lane].size(); ++step) {
        EXPECT_EQ(static_cast<TokenId>(traces[lane][step].symbol), all[lane][step]);
        EXPECT_NEAR(std::exp2(-traces[lane][step].bits), traces[lane][step].probability, 1e-9);
        bits += traces[lane][step].bits;
      }
      EXPECT_NEAR(bits, static_cast<double>(codes[lane].size()) * 8, bits * 0.001 + 64) << lane << adaptive;
    }
  }
}

TEST_F(TraceTest, changesNoBit) {
  for (const bool adaptive : {false, true}) {
    LaneTraces traces;
    EXPECT_EQ(encode(context(adaptive, &traces), strips()), encode(context(adaptive, nullptr), strips()));
  }
}

TEST_F(TraceTest, isTheSameOfBothDirections) {
  for (const bool adaptive : {false, true}) {
    LaneTraces encoded;
    LaneTraces decoded;
    const Strips all = strips();
    const std::vector<ByteVector> codes = encode(context(adaptive, &encoded), all);
    std::vector<CodedStrip> coded;
    for (std::size_t lane = 0; lane < all.size(); ++lane) coded.push_back({codes[lane], all[lane].size()});
    StripCoder coder(context(adaptive, &decoded), Schedule::lockstep());
    ASSERT_TRUE(coder.decode(coded, test::ignore_progress).ok());
    ASSERT_EQ(encoded.size(), decoded.size());
    for (std::size_t lane = 0; lane < all.size(); ++lane) {
      ASSERT_EQ(encoded[lane].size(), decoded[lane].size());
      for (std::size_t step = 0; step < all[lane].size(); ++step) {
        const SymbolTrace& a = encoded[lane][step];
        const SymbolTrace& b = decoded[lane][step];
        EXPECT_EQ(a.symbol, b.symbol);
        EXPECT_EQ(a.bits, b.bits);
        EXPECT_EQ(a.coding, b.coding);
        EXPECT_EQ(a.experts, b.experts);
        EXPECT_EQ(a.alternatives[0].symbol, b.alternatives[0].symbol);
      }
    }
  }
}

// Each kind of coding occurs, and what is said of it holds together.
TEST_F(TraceTest, partsMakeAWhole) {
  LaneTraces traces;
  encode(context(true, &traces), strips());
  std::array<int, static_cast<std::size_t>(Coding::kEscape) + 1> seen{};
  for (const std::vector<SymbolTrace>& lane : traces) {
    for (const SymbolTrace& trace : lane) {
      ++seen[static_cast<std::size_t>(trace.coding)];
      double experts = 0;
      double samplers = 0;
      double probability = trace.probability;
      for (const float share : trace.experts) experts += share;
      for (const float share : trace.samplers) samplers += share;
      EXPECT_NEAR(experts, 1, 1e-5);
      EXPECT_NEAR(samplers, 1, 1e-5);
      EXPECT_GT(trace.model_probability, 0);
      ASSERT_EQ(trace.alternative_count, kTracedAlternatives);
      for (std::size_t i = 0; i < kTracedAlternatives; ++i) {
        EXPECT_NE(trace.alternatives[i].symbol, trace.symbol);
        EXPECT_LE(trace.alternatives[i].probability, i == 0 ? 1 : trace.alternatives[i - 1].probability);
        probability += trace.alternatives[i].probability;
      }
      EXPECT_LE(probability, 1 + 1e-5);
    }
  }
  EXPECT_EQ(seen[static_cast<std::size_t>(Coding::kSoftmax)], 0);
  EXPECT_GT(seen[static_cast<std::size_t>(Coding::kRank1)], 0);
  EXPECT_GT(seen[static_cast<std::size_t>(Coding::kRank1) + 1], 0);
  EXPECT_GT(seen[static_cast<std::size_t>(Coding::kEscape)], 0);
}

TEST_F(TraceTest, withoutExpertsTheModelIsAllThereIs) {
  LaneTraces traces;
  encode(context(false, &traces), strips());
  for (const SymbolTrace& trace : traces[0]) {
    EXPECT_EQ(trace.coding, Coding::kSoftmax);
    EXPECT_DOUBLE_EQ(trace.probability, trace.model_probability);
    EXPECT_EQ(trace.experts[0], 1);
    EXPECT_EQ(trace.model_weight, 1);
  }
}

// A text that goes on with the alternative instead costs what was said, at that step.
// A group of one has nothing to learn from, and no time to show what sampler drew it. Half a bit is half a percent of
// the shortest of these.
TEST_F(TraceTest, aShortRecordAloneCostsHardlyMoreThanWithThePlainSoftmax) {
  for (const std::string_view record : {
           "There is a bakery on Elm Street, next to the old cinema.",
           "Error 4021: the quota of tenant zebra-quartz was exceeded.",
           "A mallet, a violin, some turpentine: nothing that the police had not already catalogued.",
           "Sure! Here is a list of three fruits: apples, oranges, and bananas.",
           "def add(a, b):\n    return a + b\n",
       }) {
    LaneTraces traces;
    (void)encode(context(true, &traces), {model_->tokenizer->encode(as_bytes(record))});
    double bits = 0;
    double plain = 0;
    for (const SymbolTrace& trace : traces[0]) {
      bits += trace.bits;
      plain -= std::log2(trace.model_probability);
    }
    EXPECT_LT(bits, std::max(plain * 1.005, plain + 0.5)) << record;
  }
}

TEST_F(TraceTest, alternativesWouldHaveCostWhatIsSaid) {
  for (const bool adaptive : {false, true}) {
    LaneTraces traces;
    const Strips all = strips();
    encode(context(adaptive, &traces), all);
    const std::size_t lane = 2;
    for (std::size_t step = 7; step < all[lane].size(); step += 97) {
      for (const TracedAlternative& alternative : traces[lane][step].alternatives) {
        Strips other = all;
        other[lane].resize(step + 1);
        other[lane][step] = static_cast<TokenId>(alternative.symbol);
        LaneTraces of_other;
        encode(context(adaptive, &of_other), other);
        const double probability = of_other[lane][step].probability;
        EXPECT_NEAR(probability, alternative.probability, probability * 1e-4 + 1e-7) << step << " " << adaptive;
      }
    }
  }
}

// ---- The spans that the API gives ----

struct Span {
  tacit_coding coding;
  std::string bytes;
  std::uint64_t offset;
  double bits;
  std::int32_t symbol;
  double model_probability;
  std::size_t expert_count;

  bool operator==(const Span&) const = default;
};

struct Inspected {
  tacit_status status = TACIT_OK;
  std::vector<Span> spans;
  tacit_archive_info info{};

  std::string text() const {
    std::string text;
    for (const Span& span : spans) text += span.bytes;
    return text;
  }
};

tacit_options one_thread() {
  tacit_options options;
  tacit_options_init(&options);
  options.threads = 1;
  return options;
}

Inspected inspect(std::string_view input, bool is_archive = false) {
  Inspected result;
  tacit_archive_info_init(&result.info);
  const auto receive = [](void* context, const tacit_span* span) {
    EXPECT_EQ(span->struct_bytes, sizeof(tacit_span));
    static_cast<std::vector<Span>*>(context)->push_back(
        {span->coding, {static_cast<const char*>(span->bytes), span->byte_count}, span->offset, span->bits,
         span->symbol, span->model_probability, span->expert_count});
    return 0;
  };
  const tacit_options options = one_thread();
  result.status = tacit_inspect_buffer(&options, input.data(), input.size(), is_archive ? 1 : 0, receive,
                                       &result.spans, &result.info);
  return result;
}

std::string compress(std::string_view text) {
  void* data = nullptr;
  std::size_t size = 0;
  const tacit_options options = one_thread();
  EXPECT_EQ(tacit_compress_buffer(&options, text.data(), text.size(), &data, &size), TACIT_OK) << tacit_last_error();
  std::string archive(static_cast<const char*>(data), size);
  tacit_free(data);
  return archive;
}

TEST(Inspect, spansAreTheText) {
  for (const std::string& text :
       {prose(2), std::string(), " one space in front, two  inside \xff\xfe\n\t" + prose(1)}) {
    const Inspected result = inspect(text);
    ASSERT_EQ(result.status, TACIT_OK) << tacit_last_error();
    EXPECT_EQ(result.text(), text);
    EXPECT_EQ(result.info.original_bytes, text.size());
    std::uint64_t offset = 0;
    for (const Span& span : result.spans) {
      EXPECT_EQ(span.offset, offset);
      offset += span.bytes.size();
    }
  }
}

TEST(Inspect, anArchiveGivesTheSpansOfItsText) {
  const std::string text = prose(3);
  const std::string archive = compress(text);
  const Inspected of_text = inspect(text);
  const Inspected of_archive = inspect(archive);
  ASSERT_EQ(of_archive.status, TACIT_OK) << tacit_last_error();
  EXPECT_GT(of_text.spans.size(), 50u);
  EXPECT_TRUE(of_text.spans == of_archive.spans);
  EXPECT_EQ(of_archive.info.archive_bytes, archive.size());
  EXPECT_EQ(of_archive.info.token_count, of_archive.spans.size());
}

TEST(Inspect, whatWasStoredWithoutTheModelIsOneSpan) {
  std::mt19937 random(5);
  std::string noise;
  while (noise.size() < 5000) noise += static_cast<char>(random());
  const Inspected result = inspect(noise);
  ASSERT_EQ(result.status, TACIT_OK) << tacit_last_error();
  ASSERT_EQ(result.spans.size(), 1u);
  EXPECT_EQ(result.spans[0].coding, TACIT_STORED_RAW);
  EXPECT_EQ(result.spans[0].bytes, noise);
  EXPECT_EQ(result.spans[0].bits, 40000);
  EXPECT_EQ(result.spans[0].expert_count, 0u);
}

TEST(Inspect, readsContract1) {
  std::ifstream file(TACIT_SOURCE_DIR "/tests/archives/contract-1.tct", std::ios::binary);
  const std::string archive(std::istreambuf_iterator<char>(file), {});
  const Inspected result = inspect(archive);
  if (result.status == TACIT_MODEL) GTEST_SKIP() << "the archive is of another built-in model";
  ASSERT_EQ(result.status, TACIT_OK) << tacit_last_error();
  EXPECT_EQ(result.text().size(), result.info.original_bytes);
  ASSERT_EQ(result.spans.size(), result.info.token_count);
  double bits = 0;
  for (const Span& span : result.spans) {
    EXPECT_EQ(span.coding, TACIT_CODED_SOFTMAX);
    bits += span.bits;
  }
  const auto segments = static_cast<double>(result.info.model_segment_count);
  EXPECT_NEAR(bits, static_cast<double>(result.info.model_coded_bytes) * 8, bits * 0.001 + 16 * segments);
}

TEST(Inspect, damageIsSeen) {
  std::string archive = compress(prose(1));
  archive[archive.size() / 2] = static_cast<char>(archive[archive.size() / 2] ^ 1);
  EXPECT_EQ(inspect(archive).status, TACIT_DAMAGED);
  EXPECT_EQ(inspect("no archive", true).status, TACIT_DAMAGED);
  EXPECT_EQ(inspect("no archive").status, TACIT_OK);
}

TEST(Inspect, theReceiverMayStop) {
  const std::string text = prose(1);
  int calls = 0;
  const auto stop = [](void* context, const tacit_span*) { return ++*static_cast<int*>(context) == 3 ? 1 : 0; };
  const tacit_options options = one_thread();
  EXPECT_EQ(tacit_inspect_buffer(&options, text.data(), text.size(), 0, stop, &calls, nullptr), TACIT_CANCELLED);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(tacit_inspect_buffer(&options, text.data(), text.size(), 0, nullptr, nullptr, nullptr), TACIT_USAGE);
}

}  // namespace
}  // namespace tacit
