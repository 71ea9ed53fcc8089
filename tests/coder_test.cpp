// SPDX-License-Identifier: MIT
// From logits to code bytes and back: the range coder is compared with a slow one that keeps the whole number, over
// intervals made to be hard; frequencies are exact and can be searched both ways; the sampler keeps what its settings
// say and draws it as often as the softmax says.
#include "coder/range_coder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/limits.h"
#include "engine/cpu/kernels/kernels.h"
#include "sampling/frequencies.h"
#include "sampling/sampler.h"
#include "support/inverse_check.h"

namespace tacit {
namespace {

using Random = std::mt19937_64;
using Intervals = std::vector<Interval>;

// ---- Range coder ----

std::uint64_t below(Random& random, std::uint64_t limit) { return random() % limit; }

// What the encoder does with its carries, done with one number of any length in which a carry is school arithmetic.
class LongEncoder {
 public:
  void encode(const Interval& interval) {
    const std::uint64_t unit = range_ / interval.total;
    const std::uint64_t start = unit * interval.low;
    add(start);
    range_ = interval.low + interval.size == interval.total ? range_ - start : unit * interval.size;
    for (; range_ < kRangeMin; range_ <<= 8) digits_.push_back(0);
  }

  // The fewest digits such that, with zeros behind them, they are a number in [low, low + range).
  [[nodiscard]] ByteVector shortest() const {
    for (std::size_t length = 0; length < digits_.size(); ++length) {
      ByteVector rounded(digits_.begin(), digits_.begin() + static_cast<std::ptrdiff_t>(length));
      if (is_zero_from(length)) return rounded;
      if (!next_multiple_is_inside(length)) continue;
      add_one(rounded);
      return rounded;
    }
    return digits_;
  }

 private:
  void add(std::uint64_t value) {
    for (std::size_t i = digits_.size(); value != 0; value >>= 8) {
      --i;
      value += digits_[i];
      digits_[i] = static_cast<std::uint8_t>(value);
    }
  }

  static void add_one(ByteVector& digits) {
    for (std::size_t i = digits.size(); i-- > 0;) {
      if (++digits[i] != 0) return;
    }
    ADD_FAILURE() << "the interval reaches beyond one";
  }

  [[nodiscard]] bool is_zero_from(std::size_t begin) const {
    return std::all_of(digits_.begin() + static_cast<std::ptrdiff_t>(begin), digits_.end(),
                       [](std::uint8_t digit) { return digit == 0; });
  }

  // Whether the number rounded up to `length` digits is less than low + range.
  [[nodiscard]] bool next_multiple_is_inside(std::size_t length) const {
    std::uint64_t tail = 0;  // the last eight digits; all before them must be 0xff for the distance to fit in 64 bits
    for (std::size_t i = length; i < digits_.size(); ++i) {
      if (i + 8 < digits_.size() && digits_[i] != 0xff) return false;
      tail = tail << 8 | digits_[i];
    }
    const std::size_t tail_digits = digits_.size() - length;
    const std::uint64_t distance = tail_digits >= 8 ? 0 - tail : (std::uint64_t{1} << (8 * tail_digits)) - tail;
    return distance != 0 && distance < range_;
  }

  ByteVector digits_ = ByteVector(8, 0);
  std::uint64_t range_ = ~std::uint64_t{0};
};

ByteVector encode(const Intervals& intervals) {
  RangeEncoder encoder;
  for (const Interval& i : intervals) encoder.encode(i.low, i.size, i.total);
  return encoder.finish();
}

void expect_decodes(const ByteVector& code, const Intervals& intervals) {
  RangeDecoder decoder(code);
  for (std::size_t n = 0; n < intervals.size(); ++n) {
    const Interval& i = intervals[n];
    const std::uint64_t value = decoder.value(i.total);
    ASSERT_GE(value, i.low) << "symbol " << n;
    ASSERT_LT(value - i.low, i.size) << "symbol " << n;
    decoder.consume(i.low, i.size, i.total);
  }
  EXPECT_TRUE(decoder.exhausted());
}

void expect_round_trip(const Intervals& intervals) {
  const ByteVector code = encode(intervals);
  expect_decodes(code, intervals);
  EXPECT_TRUE(code.empty() || code.back() != 0) << "the last byte says nothing";
}

// One of the shapes that a coder gets wrong: thin, first, last, whole, of totals small, odd and largest.
Interval hostile_interval(Random& random) {
  constexpr std::uint64_t kTotals[] = {1,         2,       3, 255, 256, 257, 0xffffff, 1u << 31, std::uint64_t{1} << 48,
                                       kRangeTotalMax - 1, kRangeTotalMax};
  const std::uint64_t total = kTotals[below(random, std::size(kTotals))];
  switch (below(random, 6)) {
    case 0: return {0, 1, total};
    case 1: return {total - 1, 1, total};
    case 2: return {0, total, total};
    case 3: return {below(random, total), 1, total};
    case 4: return {0, 1 + below(random, total), total};
    default: {
      const std::uint64_t low = below(random, total);
      return {low, 1 + below(random, total - low), total};
    }
  }
}

Intervals hostile_intervals(Random& random, std::size_t count) {
  Intervals intervals;
  for (std::size_t i = 0; i < count; ++i) intervals.push_back(hostile_interval(random));
  return intervals;
}

// Intervals that all hold one number, `code`: the low end comes ever closer to it from below. Behind {0x80} the coder
// has 7f ff ff ff ..., and a step to above that number carries through all of it.
class Chase {
 public:
  Chase(const ByteVector& code, std::uint64_t total) : decoder_(code), total_(total) {}

  Interval around() {
    const std::uint64_t value = decoder_.value(total_);
    decoder_.consume(value, 1, total_);
    return {value, 1, total_};
  }
  // The part of the last interval's successor that lies above the number, below it; size 0 where there is none.
  Interval above() {
    const std::uint64_t value = decoder_.value(total_);
    return {value + 1, total_ - value - 1, total_};
  }
  Interval below() { return {0, decoder_.value(total_), total_}; }

 private:
  RangeDecoder decoder_;
  std::uint64_t total_;
};

TEST(RangeCoder, RoundTripsRandomIntervals) {
  Random random(1);
  for (std::size_t count = 0; count < 300; ++count) {
    Intervals intervals;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t total = 1 + below(random, std::uint64_t{1} << (1 + below(random, 48)));
      const std::uint64_t low = below(random, total);
      intervals.push_back({low, 1 + below(random, total - low), total});
    }
    expect_round_trip(intervals);
  }
}

TEST(RangeCoder, RoundTripsHostileIntervals) {
  Random random(2);
  for (int round = 0; round < 3000; ++round) expect_round_trip(hostile_intervals(random, 1 + below(random, 60)));
}

TEST(RangeCoder, RoundTripsLongRunsOfOneHostileInterval) {
  Random random(3);
  for (int round = 0; round < 200; ++round) expect_round_trip(Intervals(1000, hostile_interval(random)));
  expect_round_trip(Intervals(1000, {0, 1, kRangeTotalMax}));
  expect_round_trip(Intervals(1000, {kRangeTotalMax / 2, 1, kRangeTotalMax}));
  expect_round_trip(Intervals(1000, {kRangeTotalMax - 1, 1, kRangeTotalMax}));
}

TEST(RangeCoder, CarriesThroughHundredsOfBytes) {
  constexpr std::uint64_t kTotals[] = {3, 7, 255, 257, 1000003, kRangeTotalMax - 1};
  for (const std::uint64_t total : kTotals) {
    for (const ByteVector& target : {ByteVector{0x80}, ByteVector{0x01}, ByteVector{0x12, 0x35}}) {
      Chase chase(target, total);
      Intervals intervals;
      while (intervals.size() < 2000 || chase.above().size == 0) intervals.push_back(chase.around());
      intervals.push_back(chase.above());
      const ByteVector code = encode(intervals);
      ByteVector expected = target;
      expected.resize(300, 0);
      ASSERT_GT(code.size(), expected.size());
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), code.begin())) << "total " << total;
      expect_round_trip(intervals);
      for (int i = 0; i < 100; ++i) intervals.push_back({total / 2, 1, total});
      expect_round_trip(intervals);
    }
  }
}

TEST(RangeCoder, KeepsRunsOfFullBytesThatNeedNoCarry) {
  for (const std::uint64_t total : {3u, 7u, 255u, 257u, 1000003u}) {
    Chase chase({0x80}, total);
    Intervals intervals;
    while (intervals.size() < 2000 || chase.below().size == 0) intervals.push_back(chase.around());
    intervals.push_back(chase.below());
    const ByteVector code = encode(intervals);
    ByteVector expected(300, 0xff);
    expected[0] = 0x7f;
    ASSERT_GT(code.size(), expected.size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), code.begin())) << "total " << total;
    expect_round_trip(intervals);
  }
}

TEST(RangeCoder, CertainSymbolsCostNothing) {
  EXPECT_TRUE(encode({}).empty());
  EXPECT_TRUE(encode(Intervals(100000, {0, 1, 1})).empty());
  EXPECT_TRUE(encode(Intervals(100000, {0, kRangeTotalMax, kRangeTotalMax})).empty());
  const Intervals plain = {{3, 4, 9}, {0, 1, 1000}, {77, 1, 78}};
  Intervals padded;
  for (const Interval& interval : plain) {
    padded.push_back(interval);
    padded.insert(padded.end(), 50, {0, 1, 1});
  }
  EXPECT_EQ(encode(padded), encode(plain));
  expect_round_trip(padded);
}

TEST(RangeCoder, AFirstIntervalAloneCostsNothing) { EXPECT_TRUE(encode(Intervals(500, {0, 1, 1 << 20})).empty()); }

double ideal_bits(const Intervals& intervals) {
  double bits = 0;
  for (const Interval& i : intervals) bits += std::log2(static_cast<double>(i.total) / static_cast<double>(i.size));
  return bits;
}

// Symbols drawn as often as their intervals say, from a distribution like a model's: few likely, many thin.
Intervals model_like_intervals(Random& random, std::size_t count, double decay) {
  std::vector<std::uint64_t> ends;
  double frequency = 0x1p30;
  for (std::uint64_t end = 0; ends.size() < 2048; frequency *= decay) {
    end += 1 + static_cast<std::uint64_t>(frequency);
    ends.push_back(end);
  }
  Intervals intervals;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t value = below(random, ends.back());
    const auto symbol = std::upper_bound(ends.begin(), ends.end(), value) - ends.begin();
    const std::uint64_t low = symbol == 0 ? 0 : ends[static_cast<std::size_t>(symbol - 1)];
    intervals.push_back({low, ends[static_cast<std::size_t>(symbol)] - low, ends.back()});
  }
  return intervals;
}

TEST(RangeCoder, CodesWithinSixteenBitsAndATenthOfAPercentOfTheIdeal) {
  Random random(4);
  for (const double decay : {0.0001, 0.01, 0.3, 0.7, 0.95, 0.999, 1.0}) {
    for (const std::size_t count : {1u, 10u, 1000u, 30000u}) {
      const Intervals intervals = model_like_intervals(random, count, decay);
      const double ideal = ideal_bits(intervals);
      const double bits = 8.0 * static_cast<double>(encode(intervals).size());
      EXPECT_LE(bits, ideal * 1.001 + 16) << "decay " << decay << ", count " << count;
      EXPECT_GE(bits, ideal * 0.999 - 64) << "shorter than can be: decay " << decay << ", count " << count;
    }
  }
}

// Each symbol loses what the division leaves over: at most one part in range / total > 2^8.
TEST(RangeCoder, LosesAtMostTheStatedBitsOnTheLargestTotals) {
  Random random(5);
  for (const std::uint64_t size : {std::uint64_t{1}, kRangeTotalMax / 2 - 1, kRangeTotalMax - 1}) {
    const Intervals intervals(5000, {below(random, kRangeTotalMax - size), size, kRangeTotalMax});
    const double stated = ideal_bits(intervals) + 5000 * 0x1p-8 * std::log2(std::exp(1.0));
    EXPECT_LE(8.0 * static_cast<double>(encode(intervals).size()), stated + 16) << size;
  }
}

TEST(RangeCoder, FinishGivesNoByteTooMany) {
  Random random(6);
  std::size_t without_digits = 0;
  for (int round = 0; round < 20000; ++round) {
    const Intervals intervals = hostile_intervals(random, below(random, 12));
    LongEncoder slow;
    for (const Interval& interval : intervals) slow.encode(interval);
    const ByteVector code = encode(intervals);
    ASSERT_EQ(code.size(), slow.shortest().size()) << "round " << round;
    expect_decodes(slow.shortest(), intervals);
    if (code.empty()) ++without_digits;
  }
  EXPECT_GT(without_digits, 100u);
}

TEST(RangeCoder, AnEncoderIsAsNewAfterFinish) {
  const Intervals intervals = {{1, 1, 3}, {99, 1, 100}, {0, 5, 7}, {kRangeTotalMax - 1, 1, kRangeTotalMax}};
  RangeEncoder encoder;
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(encoder.byte_count(), 0u);
    for (const Interval& i : intervals) encoder.encode(i.low, i.size, i.total);
    EXPECT_GT(encoder.byte_count(), 0u);
    EXPECT_EQ(encoder.finish(), encode(intervals)) << round;
  }
}

TEST(RangeCoder, ADecoderReadsZerosBehindTheEnd) {
  for (const ByteVector& code : {ByteVector{}, ByteVector{0x80}, ByteVector{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}) {
    ByteVector longer = code;
    longer.resize(code.size() + 1000, 0);
    RangeDecoder decoder(code);
    RangeDecoder longer_decoder(longer);
    Random random(7);
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t total = 1 + below(random, 1000);
      const std::uint64_t value = decoder.value(total);
      ASSERT_EQ(value, longer_decoder.value(total)) << i;
      ASSERT_TRUE(value == 0 || !code.empty());
      decoder.consume(value, 1, total);
      longer_decoder.consume(value, 1, total);
    }
    EXPECT_TRUE(decoder.exhausted());
  }
}

TEST(RangeCoder, ADecoderIsExhaustedOnlyWhenItHasReadEveryByte) {
  const Intervals intervals(100, {5, 1, 256});  // a byte each
  const ByteVector code = encode(intervals);
  RangeDecoder decoder(code);
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    EXPECT_EQ(decoder.exhausted(), code.size() <= 8 + i) << i;
    EXPECT_EQ(decoder.value(256), 5u);
    decoder.consume(5, 1, 256);
  }
  EXPECT_TRUE(decoder.exhausted());
  for (std::size_t extra = 9; extra < 12; ++extra) {
    ByteVector longer = code;
    longer.resize(8 + intervals.size() + extra, 0);
    RangeDecoder other(longer);
    for (const Interval& i : intervals) {
      EXPECT_EQ(other.value(256), 5u);
      other.consume(i.low, i.size, i.total);
    }
    EXPECT_FALSE(other.exhausted()) << extra;
  }
}

// value() must stay below the total, or a search for the symbol runs off its table.
TEST(RangeCoder, AnyBytesDecodeToSomeValueOfTheTotal) {
  Random random(8);
  for (int round = 0; round < 2000; ++round) {
    ByteVector code(below(random, 40));
    for (std::uint8_t& byte : code) byte = round % 3 == 0 ? 0xff : static_cast<std::uint8_t>(random());
    RangeDecoder decoder(code);
    for (int i = 0; i < 100; ++i) {
      const Interval shape = hostile_interval(random);
      const std::uint64_t value = decoder.value(shape.total);
      ASSERT_LT(value, shape.total);
      const std::uint64_t low = value - below(random, value + 1);
      decoder.consume(low, value - low + 1 + below(random, shape.total - value), shape.total);
    }
  }
}

// ---- Frequencies ----

class FrequenciesOfEverySet : public ::testing::TestWithParam<const kernels::Kernels*> {};

std::vector<const kernels::Kernels*> every_set() {
  const kernels::KernelList list = kernels::available_kernels();
  return {list.sets, list.sets + list.count};
}

INSTANTIATE_TEST_SUITE_P(Sets, FrequenciesOfEverySet, ::testing::ValuesIn(every_set()),
                         [](const auto& test) { return std::string(test.param->name); });

std::vector<float> random_logits(Random& random, std::uint32_t count, float deviation) {
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

constexpr std::uint32_t kVocabularies[] = {1, 2, 31, 255, 256, 257, 511, 512, 513, 1000, 2048};
constexpr std::uint32_t kByteSymbolCounts[] = {0, 1, 3, 256};

// No symbol is impossible, and both directions agree.
void expect_inverse(const Frequencies& frequencies, std::uint32_t symbol_count) {
  std::vector<std::uint32_t> sizes;
  for (std::uint32_t symbol = 0; symbol < symbol_count; ++symbol) {
    sizes.push_back(frequencies[symbol]);
    ASSERT_GE(sizes.back(), 1u) << symbol;
  }
  test::expect_inverse(frequencies, sizes);
}

TEST_P(FrequenciesOfEverySet, IntervalsAndSymbolsAreInverseForEverySymbol) {
  Random random(10);
  for (const std::uint32_t vocabulary : kVocabularies) {
    for (const std::uint32_t byte_symbols : kByteSymbolCounts) {
      Frequencies frequencies(*GetParam(), vocabulary, vocabulary + byte_symbols);
      for (const float deviation : {0.0f, 1.0f, 5.0f, 1000.0f}) {
        ASSERT_TRUE(frequencies.set_softmax(random_logits(random, vocabulary, deviation).data()).ok());
        expect_inverse(frequencies, vocabulary + byte_symbols);
      }
    }
  }
}

TEST_P(FrequenciesOfEverySet, AreTheSoftmaxInUnitsOfTheMostLikely) {
  Random random(11);
  for (const std::uint32_t vocabulary : kVocabularies) {
    const std::vector<float> logits = random_logits(random, vocabulary, 6);
    Frequencies frequencies(*GetParam(), vocabulary, vocabulary);
    ASSERT_TRUE(frequencies.set_softmax(logits.data()).ok());
    const float largest = *std::ranges::max_element(logits);
    for (std::uint32_t i = 0; i < vocabulary; ++i) {
      const double expected = std::exp(static_cast<double>(logits[i]) - largest) * 0x1p30;
      EXPECT_NEAR(frequencies[i], std::max(expected, 1.0), 1 + expected * 1e-6) << i;
    }
  }
}

TEST_P(FrequenciesOfEverySet, ByteSymbolsHaveTheFrequencyOneWhateverTheLogits) {
  Random random(12);
  Frequencies frequencies(*GetParam(), 100, 140);
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(frequencies.set_softmax(random_logits(random, 100, 3).data()).ok());
    for (std::uint32_t symbol = 100; symbol < 140; ++symbol) EXPECT_EQ(frequencies[symbol], 1u);
    std::uint64_t sum = 0;
    for (std::uint32_t symbol = 0; symbol < 100; ++symbol) sum += frequencies[symbol];
    EXPECT_EQ(frequencies.total(), sum + 40);
  }
}

TEST_P(FrequenciesOfEverySet, EveryLogitThatIsNotFiniteIsAnError) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    for (const std::uint32_t vocabulary : {1u, 16u, 77u}) {
      Frequencies frequencies(*GetParam(), vocabulary, vocabulary + 3);
      for (std::uint32_t place = 0; place < vocabulary; ++place) {
        std::vector<float> logits(vocabulary, 0.5f);
        logits[place] = bad;
        const Status status = frequencies.set_softmax(logits.data());
        ASSERT_FALSE(status.ok()) << bad << " at " << place;
        EXPECT_EQ(status.error().code, ErrorCode::kModel);
        logits[place] = 0.25f;
        ASSERT_TRUE(frequencies.set_softmax(logits.data()).ok()) << "an error must not stick";
        expect_inverse(frequencies, vocabulary + 3);
      }
    }
  }
}

TEST_P(FrequenciesOfEverySet, SurviveTheLargestLogits) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (const float other : {-kLargest, 0.0f, kLargest}) {
    std::vector<float> logits(40, other);
    logits[17] = kLargest;
    Frequencies frequencies(*GetParam(), 40, 41);
    ASSERT_TRUE(frequencies.set_softmax(logits.data()).ok());
    EXPECT_EQ(frequencies[17], 1u << 30);
    EXPECT_EQ(frequencies[3], other == kLargest ? 1u << 30 : 1u);
    expect_inverse(frequencies, 41);
  }
}

TEST(Frequencies, FlatLogitsOfTheLargestVocabularyFitTheRangeCoder) {
  const std::uint32_t vocabulary = limits::kVocabularyMax;
  const std::vector<float> logits(vocabulary, 0.0f);
  Frequencies frequencies(*kernels::find_kernels(""), vocabulary, vocabulary + 256);
  ASSERT_TRUE(frequencies.set_softmax(logits.data()).ok());
  EXPECT_EQ(frequencies.total(), (std::uint64_t{vocabulary} << 30) + 256);
  EXPECT_LE(frequencies.total(), kRangeTotalMax);
}

// ---- Sampler ----

Result<Sampler> make_sampler(const SamplerSettings& settings, std::uint64_t seed, std::vector<bool> excluded) {
  return Sampler::create(settings, seed, std::move(excluded), *kernels::find_kernels(""));
}

std::vector<std::int32_t> draw(const SamplerSettings& settings, std::uint64_t seed, const std::vector<float>& logits,
                               std::size_t count, std::vector<bool> excluded = {}) {
  excluded.resize(logits.size(), false);
  auto sampler = make_sampler(settings, seed, std::move(excluded));
  EXPECT_TRUE(sampler.ok()) << (sampler.ok() ? "" : sampler.error().message);
  std::vector<std::int32_t> tokens;
  while (tokens.size() < count) {
    const auto token = sampler.value().draw(logits.data());
    EXPECT_TRUE(token.ok()) << (token.ok() ? "" : token.error().message);
    if (!token.ok()) break;
    tokens.push_back(token.value());
  }
  return tokens;
}

// The tokens that 4,000 draws find: all that are kept, if none of those is rarer than one in some hundreds.
std::set<std::int32_t> kept(const SamplerSettings& settings, const std::vector<float>& logits,
                            std::vector<bool> excluded = {}) {
  const auto tokens = draw(settings, 1, logits, 4000, std::move(excluded));
  return {tokens.begin(), tokens.end()};
}

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double probability : probabilities) logits.push_back(static_cast<float>(std::log(probability)));
  return logits;
}

SamplerSettings with_top_k(std::uint32_t top_k) { return {.top_k = top_k}; }
SamplerSettings with_top_p(float top_p) { return {.top_p = top_p}; }
SamplerSettings with_min_p(float min_p) { return {.min_p = min_p}; }

using Tokens = std::set<std::int32_t>;

const std::vector<float> kFour = logits_of({0.15, 0.5, 0.05, 0.3});  // most likely first: 1, 3, 0, 2

TEST(Sampler, GreedyIsTheMostLikelyTokenAndOfEqualOnesTheFirst) {
  Random random(20);
  for (std::uint32_t count = 1; count < 300; ++count) {
    std::vector<float> logits = random_logits(random, count, 4);
    if (count % 2 == 0) {
      for (float& logit : logits) logit = std::round(logit);  // ties
    }
    const auto expected = std::ranges::max_element(logits) - logits.begin();
    EXPECT_EQ(draw({.temperature = 0}, count, logits, 2), (std::vector<std::int32_t>(2, static_cast<int>(expected))));
  }
}

TEST(Sampler, GreedyHeedsTheOtherSettingsAsLittleAsTheSeed) {
  EXPECT_EQ(draw({.temperature = 0, .top_k = 3, .top_p = 0.99f, .min_p = 0.01f}, 9, kFour, 50),
            std::vector<std::int32_t>(50, 1));
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
  Random random(21);
  const std::vector<float> logits = random_logits(random, 500, 2);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const SamplerSettings settings{.temperature = 0.8f, .top_k = 200, .top_p = 0.95f, .min_p = 0.001f};
    EXPECT_EQ(draw(settings, seed, logits, 200), draw(settings, seed, logits, 200));
    EXPECT_NE(draw(settings, seed, logits, 200), draw(settings, seed + 1, logits, 200));
  }
}

// Written down, so that another machine or a later version that draws otherwise is seen.
TEST(Sampler, SeedFortyTwoDrawsWhatItAlwaysDrew) {
  const std::vector<float> logits(1000, 0.0f);
  EXPECT_EQ(draw({}, 42, logits, 8), (std::vector<std::int32_t>{741, 159, 278, 344, 38, 868, 218, 800}));
}

TEST(Sampler, EveryKernelSetDrawsTheSame) {
  Random random(22);
  const std::vector<float> logits = random_logits(random, 777, 3);
  std::vector<std::vector<std::int32_t>> draws;
  for (const kernels::Kernels* set : every_set()) {
    auto sampler = Sampler::create({.temperature = 0.7f, .top_p = 0.9f}, 5, std::vector<bool>(777, false), *set);
    ASSERT_TRUE(sampler.ok());
    auto& tokens = draws.emplace_back();
    for (int i = 0; i < 500; ++i) tokens.push_back(sampler.value().draw(logits.data()).value());
    EXPECT_EQ(tokens, draws.front()) << set->name;
  }
}

TEST(Sampler, TopKKeepsTheKMostLikely) {
  EXPECT_EQ(kept(with_top_k(0), kFour), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(with_top_k(1), kFour), (Tokens{1}));
  EXPECT_EQ(kept(with_top_k(2), kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept(with_top_k(3), kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept(with_top_k(4), kFour), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(with_top_k(4000000000u), kFour), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(with_top_k(2), std::vector<float>(5, 1.5f)), (Tokens{0, 1, 2, 3, 4}))
      << "equal ones are kept together";
}

TEST(Sampler, TopPKeepsTheFewestThatHoldTheProbability) {
  EXPECT_EQ(kept(with_top_p(1), kFour), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(with_top_p(0), kFour), (Tokens{1}));
  EXPECT_EQ(kept(with_top_p(0.499f), kFour), (Tokens{1}));
  EXPECT_EQ(kept(with_top_p(0.501f), kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept(with_top_p(0.799f), kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept(with_top_p(0.801f), kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept(with_top_p(0.949f), kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept(with_top_p(0.951f), kFour), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(with_top_p(0.5f), std::vector<float>(4, -3.0f)), (Tokens{0, 1, 2, 3})) << "likewise";
  EXPECT_EQ(kept(with_top_p(0.5f), logits_of({0.25, 0.5, 0.25})), (Tokens{1})) << "exactly half is enough";
}

TEST(Sampler, MinPKeepsWhatIsLikelyEnoughBesideTheMostLikely) {
  EXPECT_EQ(kept(with_min_p(0), kFour), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(with_min_p(0.09f), kFour), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(with_min_p(0.11f), kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept(with_min_p(0.29f), kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept(with_min_p(0.31f), kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept(with_min_p(0.59f), kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept(with_min_p(0.61f), kFour), (Tokens{1}));
  EXPECT_EQ(kept(with_min_p(1), kFour), (Tokens{1}));
  EXPECT_EQ(kept(with_min_p(1), {2, 5, 5, 1}), (Tokens{1, 2}));
}

TEST(Sampler, SettingsApplyInTheStatedOrder) {
  // Of the two that top_k keeps, the first has 5/8: enough for a top_p that it would miss among all four.
  EXPECT_EQ(kept({.top_k = 2, .top_p = 0.6f}, kFour), (Tokens{1}));
  // At temperature 2 the shares are 0.39, 0.30, 0.21, 0.12; at 1/2 they are 0.68, 0.25, 0.06, 0.007.
  EXPECT_EQ(kept({.temperature = 2, .top_p = 0.501f}, kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept({.temperature = 2, .top_p = 0.799f}, kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept({.temperature = 0.5f, .top_p = 0.66f}, kFour), (Tokens{1}));
  EXPECT_EQ(kept({.temperature = 2, .min_p = 0.54f}, kFour), (Tokens{0, 1, 3}));
}

// Pearson's statistic of `tokens` against the softmax of logits / temperature over the tokens not excluded.
double chi_square(const std::vector<std::int32_t>& tokens, const std::vector<float>& logits, double temperature,
                  const std::vector<bool>& excluded) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    weights.push_back(excluded[i] ? 0 : std::exp(static_cast<double>(logits[i]) / temperature));
  }
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (excluded[i]) continue;
    const double expected = weights[i] / total * static_cast<double>(tokens.size());
    const auto found = static_cast<double>(std::ranges::count(tokens, static_cast<std::int32_t>(i)));
    sum += (found - expected) * (found - expected) / expected;
  }
  return sum;
}

TEST(Sampler, TypicalPKeepsTheTokensNearestToTheEntropy) {
  // The entropy is 1.142 nats, the tokens' information 1.897, 0.693, 2.996, 1.204: nearest first 3, 1, 0, 2.
  EXPECT_EQ(kept({.typical_p = 0}, kFour), (Tokens{3}));
  EXPECT_EQ(kept({.typical_p = 0.29f}, kFour), (Tokens{3}));
  EXPECT_EQ(kept({.typical_p = 0.31f}, kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept({.typical_p = 0.79f}, kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept({.typical_p = 0.81f}, kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept({.typical_p = 1}, kFour), (Tokens{0, 1, 2, 3}));
  // Entropy 1.76: information 0.92 and 2.21, so that the most likely token is the last to come.
  const std::vector<float> peaked = logits_of({0.4, 0.11, 0.12, 0.13, 0.12, 0.12});
  EXPECT_EQ(kept({.typical_p = 0.25f}, peaked), (Tokens{2, 3, 4, 5})) << "0.13, then three that are equal";
}

TEST(Sampler, FiltersComeBeforeOrAfterTheTemperature) {
  using Order = SamplerSettings::Order;
  // At temperature 2 the two most likely hold 0.69, at 1 0.8.
  EXPECT_EQ(kept({.temperature = 2, .top_p = 0.75f}, kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept({.temperature = 2, .top_p = 0.75f, .order = Order::kTemperatureLast}, kFour), (Tokens{1, 3}));
  EXPECT_EQ(kept({.temperature = 2, .min_p = 0.5f}, kFour), (Tokens{0, 1, 3}));
  EXPECT_EQ(kept({.temperature = 2, .min_p = 0.5f, .order = Order::kTemperatureLast}, kFour), (Tokens{1, 3}));
  // typical_p before top_p leaves it 3, 1: then 1 has 5/8. Behind it: 1 and 3 stay, of which 3 is the nearer.
  EXPECT_EQ(kept({.top_p = 0.6f, .typical_p = 0.5f, .order = Order::kTemperatureLast}, kFour), (Tokens{1}));
  EXPECT_EQ(kept({.top_p = 0.6f, .typical_p = 0.3f}, kFour), (Tokens{1}));
  // What is kept is drawn at the temperature.
  const auto tokens = draw({.temperature = 0.5f, .top_k = 2, .order = Order::kTemperatureLast}, 5, kFour, 20000);
  EXPECT_LT(chi_square(tokens, kFour, 0.5, {true, false, true, false}), 25);
}

TEST(Sampler, PenaltiesChangeTheLogitsOfWhatOccurred) {
  const std::vector<float> logits = {3, 2, -1, -1.5f};
  const auto order_after = [&](SamplerSettings settings, const std::vector<TokenId>& past) {
    settings.temperature = 0;
    auto sampler = make_sampler(settings, 1, std::vector<bool>(4, false));
    for (const TokenId token : past) sampler.value().note(token);
    std::vector<TokenId> drawn;
    for (int i = 0; i < 4; ++i) drawn.push_back(sampler.value().draw(logits.data()).value());
    return drawn;
  };
  using Drawn = std::vector<TokenId>;
  EXPECT_EQ(order_after({}, {0}), (Drawn{0, 0, 0, 0}));
  EXPECT_EQ(order_after({.repetition_penalty = 1.6f}, {}), (Drawn{0, 1, 0, 0})) << "3 becomes 1.875, 2 becomes 1.25";
  EXPECT_EQ(order_after({.repetition_penalty = 1.6f}, {0}), (Drawn{1, 0, 0, 0}));
  EXPECT_EQ(order_after({.presence_penalty = 1.5f}, {0, 0, 0}), (Drawn{1, 0, 0, 0}));
  EXPECT_EQ(order_after({.frequency_penalty = 0.6f}, {0, 0}), (Drawn{1, 0, 1, 0}))
      << "1.8 and 2; 1.8 and 1.4; 1.2 and 1.4";
  EXPECT_EQ(order_after({.presence_penalty = 1.5f, .penalty_window = 1}, {0}), (Drawn{1, 0, 1, 0}));
  // Negative logits are multiplied: -1 becomes -2, below -1.5.
  auto sampler = make_sampler({.temperature = 0, .repetition_penalty = 2}, 1, {true, true, false, false});
  sampler.value().note(2);
  EXPECT_EQ(sampler.value().draw(logits.data()).value(), 3);
  sampler.value().forget();
  EXPECT_EQ(sampler.value().draw(logits.data()).value(), 2);
}

TEST(Sampler, RefusesSettingsThatMakeNoSense) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto refusal = [](const SamplerSettings& settings, std::vector<bool> excluded = {false}) {
    const auto sampler = make_sampler(settings, 1, std::move(excluded));
    EXPECT_FALSE(sampler.ok());
    if (sampler.ok()) return std::string();
    EXPECT_EQ(sampler.error().code, ErrorCode::kUsage);
    return sampler.error().message;
  };
  for (const float bad : {-1.0f, -1e-9f, 100.1f, nan, infinity, -infinity}) {
    EXPECT_NE(refusal({.temperature = bad}).find("temperature: found "), std::string::npos) << bad;
  }
  for (const float bad : {-1e-9f, 1.0000001f, 90.0f, nan, infinity}) {
    EXPECT_NE(refusal(with_top_p(bad)).find("top_p: found "), std::string::npos) << bad;
    EXPECT_NE(refusal(with_min_p(bad)).find("min_p: found "), std::string::npos) << bad;
    EXPECT_NE(refusal({.typical_p = bad}).find("typical_p: found "), std::string::npos) << bad;
  }
  for (const float bad : {0.0f, -1.0f, 100.1f, nan, infinity}) {
    EXPECT_NE(refusal({.repetition_penalty = bad}).find("repetition_penalty: found "), std::string::npos) << bad;
  }
  for (const float bad : {-100.1f, 100.1f, nan, infinity, -infinity}) {
    EXPECT_NE(refusal({.presence_penalty = bad}).find("presence_penalty: found "), std::string::npos) << bad;
    EXPECT_NE(refusal({.frequency_penalty = bad}).find("frequency_penalty: found "), std::string::npos) << bad;
  }
  EXPECT_FALSE(refusal({}, {}).empty());
  EXPECT_FALSE(refusal({}, {true, true}).empty());
}

TEST(Sampler, NeverDrawsExcludedTokens) {
  const std::vector<bool> excluded = {false, true, false, false};
  EXPECT_EQ(kept({}, kFour, excluded), (Tokens{0, 2, 3}));
  EXPECT_EQ(kept({.temperature = 0}, kFour, excluded), (Tokens{3}));
  EXPECT_EQ(kept(with_top_k(2), kFour, excluded), (Tokens{0, 3}));
  EXPECT_EQ(kept(with_top_p(0.61f), kFour, excluded), (Tokens{0, 3}))
      << "shares are those of the others: 0.6, 0.3, 0.1";
  EXPECT_EQ(kept(with_top_p(0.59f), kFour, excluded), (Tokens{3}));
  EXPECT_EQ(kept(with_min_p(0.49f), kFour, excluded), (Tokens{0, 3}));
  EXPECT_EQ(kept({}, kFour, {true, true, false, true}), (Tokens{2}));
}

TEST(Sampler, ALogitThatIsNotFiniteIsAnError) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (const float temperature : {0.0f, 1.0f}) {
      auto sampler = make_sampler({.temperature = temperature}, 1, std::vector<bool>(3, false));
      ASSERT_TRUE(sampler.ok());
      const std::vector<float> logits = {1, bad, 2};
      const auto token = sampler.value().draw(logits.data());
      ASSERT_FALSE(token.ok());
      EXPECT_EQ(token.error().code, ErrorCode::kModel);
    }
  }
}

TEST(Sampler, DrawsEachTokenAsOftenAsTheSoftmaxSays) {
  Random random(23);
  std::vector<bool> excluded(30, false);
  for (const std::size_t hidden : {4u, 11u, 29u}) excluded[hidden] = true;
  for (const float temperature : {0.6f, 1.0f, 1.7f}) {
    const std::vector<float> logits = random_logits(random, 30, 1.2f);
    const auto tokens = draw({.temperature = temperature}, 77, logits, 200000, excluded);
    // 26 degrees of freedom: one right sampler in a million would be above 76.
    EXPECT_LT(chi_square(tokens, logits, temperature, excluded), 76) << temperature;
    EXPECT_GT(chi_square(tokens, logits, temperature * 1.1, excluded), 76) << "the bound sees a tenth";
  }
}

// Were weights units of the most likely token of all, the others would all weigh 1 under this one and be drawn alike.
TEST(Sampler, AnExcludedTokenFarAheadDoesNotChangeTheSharesOfTheOthers) {
  const std::vector<float> logits = {60, 1, 5, 3};
  const std::vector<bool> excluded = {true, false, false, false};
  EXPECT_EQ(kept({.temperature = 0}, logits, excluded), (Tokens{2}));
  EXPECT_LT(chi_square(draw({}, 3, logits, 20000, excluded), logits, 1, excluded), 40);
}

TEST(Sampler, GreedySeesTheSmallestDifference) {
  const float a = 0.1f;
  const std::vector<float> logits = {a, std::nextafter(a, 1.0f)};
  EXPECT_EQ(kept({.temperature = 0}, logits), (Tokens{1}));
}

TEST(Sampler, AnyAcceptedTemperatureCanBeDrawnWith) {
  for (const float temperature : {1e-45f, 1e-40f, 1e-37f}) {
    EXPECT_EQ(kept({.temperature = temperature}, {1, 50, 3}), (Tokens{1})) << temperature;
  }
}

}  // namespace
}  // namespace tacit
