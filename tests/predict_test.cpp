// SPDX-License-Identifier: MIT
// Frequencies that symbols are excluded from, and the adaptive experts on top, driven with made-up models: whatever the
// model, the history and the symbols, every symbol has one way to be coded and the ways fill the code space; a decoder
// follows its encoder; repeats become cheap, and what does not repeat hardly dearer.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "coder/range_coder.h"
#include "engine/cpu/kernels/kernels.h"
#include "mixing/adaptive.h"
#include "sampling/frequencies.h"
#include "support/inverse_check.h"

namespace tacit {
namespace {

using Random = std::mt19937_64;
using Symbols = std::vector<std::uint32_t>;
using Lanes = std::vector<Symbols>;

const kernels::Kernels& fast_kernels() { return *kernels::find_kernels(""); }

std::vector<float> padded(std::uint32_t vocabulary, float value) {
  return std::vector<float>(kernels::round_up(vocabulary, kernels::kTile), value);
}

// ---- Frequencies ----

std::vector<const kernels::Kernels*> every_set() {
  const kernels::KernelList list = kernels::available_kernels();
  return {list.sets, list.sets + list.count};
}

TEST(Frequencies, SymbolsAreExcludedAndRestored) {
  Random random(2);
  std::normal_distribution<float> normal(0, 4);
  for (const kernels::Kernels* set : every_set()) {
    for (const std::uint32_t vocabulary : {2u, 300u, 520u}) {
      const std::uint32_t count = vocabulary + 10;  // ten byte symbols
      Frequencies frequencies(*set, vocabulary, count);
      std::vector<float> logits = padded(vocabulary, 0);
      for (float& logit : logits) logit = normal(random);
      ASSERT_TRUE(frequencies.set_softmax(logits.data()).ok());
      std::vector<std::uint32_t> whole(count);
      for (std::uint32_t symbol = 0; symbol < count; ++symbol) whole[symbol] = frequencies[symbol];
      const std::uint64_t total = frequencies.total();
      for (int i = 0; i < 3; ++i) {
        std::vector<std::uint32_t> left = whole;
        Symbols excluded = {0, vocabulary - 1, vocabulary, count - 1};
        for (int k = 0; k < 20; ++k) excluded.push_back(static_cast<std::uint32_t>(random() % count));
        for (const std::uint32_t symbol : excluded) {
          if (left[symbol] == 0) continue;
          frequencies.exclude(symbol);
          left[symbol] = 0;
        }
        test::expect_inverse(frequencies, left);
        std::vector<std::uint32_t> counts(count);
        for (std::uint32_t& added : counts) added = static_cast<std::uint32_t>(random() % 5);
        frequencies.add_counts(counts, 1000);
        for (std::uint32_t symbol = 0; symbol < count; ++symbol) {
          if (left[symbol] > 0) left[symbol] += counts[symbol] * 1000;
        }
        test::expect_inverse(frequencies, left);
        frequencies.restore();
        EXPECT_EQ(frequencies.total(), total);
        test::expect_inverse(frequencies, whole);
        frequencies.restore();  // nothing is left to restore
        EXPECT_EQ(frequencies.total(), total);
      }
    }
  }
}

// ---- Lanes that are coded as the codec codes them, with a model that is a function ----

struct World {
  std::uint32_t vocabulary = 300;
  std::uint32_t byte_symbols = 10;
  std::optional<SamplerSettings> sampler;  // stated
  // The logits before the lane's step, whose symbol before is `previous` (0 at the start).
  std::function<void(std::size_t lane, std::uint64_t step, std::uint32_t previous, std::vector<float>& logits)> model =
      [](std::size_t, std::uint64_t, std::uint32_t, std::vector<float>& logits) {
        std::fill(logits.begin(), logits.end(), 0.0f);
      };

  [[nodiscard]] std::uint32_t symbol_count() const { return vocabulary + byte_symbols; }
};

std::vector<std::uint64_t> sizes_of(const Lanes& lanes) {
  std::vector<std::uint64_t> sizes;
  for (const Symbols& lane : lanes) sizes.push_back(lane.size());
  return sizes;
}

// In which order the lanes of a step are predicted.
enum class Order { kUp, kDown, kTurning };

// A port has code_decision, found, code_rest and symbol of a lane's step, and inspect, which sees a prediction before
// it is used.
template <class Port>
void run_with(AdaptivePredictor& predictor, const World& world, const std::vector<std::uint64_t>& sizes, Port& port,
              Order order = Order::kUp) {
  PredictScratch scratch(fast_kernels(), world.vocabulary, world.symbol_count(), world.sampler);
  std::vector<float> logits = padded(world.vocabulary, 0);
  const std::uint64_t step_count = sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
  for (std::uint64_t step = 0; step < step_count; ++step) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::size_t lane = order == Order::kUp     ? i
                               : order == Order::kDown ? sizes.size() - 1 - i
                                                       : (i + step) % sizes.size();
      if (step >= sizes[lane]) continue;
      world.model(lane, step, step == 0 ? 0 : port.symbol(lane, step - 1), logits);
      const Result<LanePrediction*> predicted = predictor.predict(lane, step, logits.data(), scratch);
      ASSERT_TRUE(predicted.ok());
      LanePrediction& prediction = *predicted.value();
      port.inspect(prediction, scratch.frequencies);
      while (prediction.has_decision()) prediction.update(port.code_decision(lane, step, prediction));
      if (prediction.is_found()) {
        port.found(lane, prediction.found());
      } else {
        port.code_rest(lane, step, prediction);
      }
      predictor.finish(lane, step, port.symbol(lane, step), scratch);
    }
    predictor.learn(step);
  }
}

template <class Port>
void run(const World& world, const std::vector<std::uint64_t>& sizes, Port& port, Order order = Order::kUp) {
  AdaptivePredictor predictor(sizes, world.vocabulary, world.symbol_count(), world.sampler);
  run_with(predictor, world, sizes, port, order);
}

struct Port {
  void inspect(const LanePrediction&, Frequencies&) {}
};

struct Encoder : Port {
  explicit Encoder(const Lanes& coded)
      : lanes(coded), encoders(coded.size()), trace(coded.size()), cost(coded.size()) {}

  const Lanes& lanes;
  std::vector<RangeEncoder> encoders;
  std::vector<std::vector<std::uint64_t>> trace;  // of each lane: all numbers that were coded with
  std::vector<std::vector<double>> cost;          // of each lane and step, in bits

  [[nodiscard]] std::uint32_t symbol(std::size_t lane, std::uint64_t step) const { return lanes[lane][step]; }
  bool code_decision(std::size_t lane, std::uint64_t step, const LanePrediction& prediction) {
    const bool bit = prediction.decision_for(symbol(lane, step));
    const std::uint64_t probability = prediction.bit_probability();
    code(lane, step, {bit ? 0 : probability, bit ? probability : kDecisionTotal - probability, kDecisionTotal});
    return bit;
  }
  void found(std::size_t, std::uint32_t) {}
  void code_rest(std::size_t lane, std::uint64_t step, const LanePrediction& prediction) {
    code(lane, step, prediction.interval_of(symbol(lane, step)));
  }
  void code(std::size_t lane, std::uint64_t step, const Interval& interval) {
    encoders[lane].encode(interval.low, interval.size, interval.total);
    trace[lane].insert(trace[lane].end(), {interval.low, interval.size, interval.total});
    cost[lane].resize(step + 1);
    cost[lane][step] += std::log2(static_cast<double>(interval.total) / static_cast<double>(interval.size));
  }
  std::vector<ByteVector> finish() {
    std::vector<ByteVector> codes;
    for (RangeEncoder& encoder : encoders) codes.push_back(encoder.finish());
    return codes;
  }
  // Of the steps [begin, end) of a lane.
  [[nodiscard]] double bits(std::size_t lane, std::size_t begin, std::size_t end) const {
    double sum = 0;
    for (std::size_t step = begin; step < end; ++step) sum += cost[lane][step];
    return sum;
  }
};

struct Decoder : Port {
  explicit Decoder(const std::vector<ByteVector>& codes) : lanes(codes.size()) {
    for (const ByteVector& code : codes) decoders.emplace_back(code);
  }

  std::vector<RangeDecoder> decoders;
  Lanes lanes;

  [[nodiscard]] std::uint32_t symbol(std::size_t lane, std::uint64_t step) const { return lanes[lane][step]; }
  bool code_decision(std::size_t lane, std::uint64_t, const LanePrediction& prediction) {
    const std::uint64_t probability = prediction.bit_probability();
    const bool bit = decoders[lane].value(kDecisionTotal) < probability;
    decoders[lane].consume(bit ? 0 : probability, bit ? probability : kDecisionTotal - probability, kDecisionTotal);
    return bit;
  }
  void found(std::size_t lane, std::uint32_t symbol) { lanes[lane].push_back(symbol); }
  void code_rest(std::size_t lane, std::uint64_t, const LanePrediction& prediction) {
    Interval interval;
    lanes[lane].push_back(prediction.symbol_at(decoders[lane].value(prediction.total()), interval));
    decoders[lane].consume(interval.low, interval.size, interval.total);
  }
};

// Codes no symbols but chooses them, by what is predicted: for 60 steps the likeliest candidate, then for 60 steps
// never a ranked one, nor any that an expert has seen.
struct Adversary : Port {
  explicit Adversary(std::size_t lane_count) : lanes(lane_count) {}

  Lanes lanes;
  Random random{9};

  [[nodiscard]] std::uint32_t symbol(std::size_t lane, std::uint64_t step) const { return lanes[lane][step]; }
  bool code_decision(std::size_t, std::uint64_t step, const LanePrediction&) {
    return step / 60 % 2 == 0 && (step > 60 || step % 2 == 0);
  }
  void found(std::size_t lane, std::uint32_t symbol) { lanes[lane].push_back(symbol); }
  void code_rest(std::size_t lane, std::uint64_t step, const LanePrediction& prediction) {
    Interval interval;
    const std::uint64_t value = step % 3 == 0   ? prediction.total() - 1
                                : step % 3 == 1 ? 0
                                                : random() % prediction.total();
    lanes[lane].push_back(prediction.symbol_at(value, interval));
  }
};

Symbols random_symbols(Random& random, std::size_t count, std::uint32_t alphabet) {
  Symbols symbols(count);
  for (std::uint32_t& symbol : symbols) symbol = static_cast<std::uint32_t>(random() % alphabet);
  return symbols;
}

// Random words of few letters, often the same words.
Symbols wordy_symbols(Random& random, std::size_t count, std::uint32_t alphabet) {
  Lanes words(12);
  for (Symbols& word : words) word = random_symbols(random, 1 + random() % 14, alphabet);
  Symbols symbols;
  while (symbols.size() < count) {
    if (random() % 8 == 0) symbols.push_back(static_cast<std::uint32_t>(random() % alphabet));
    const Symbols& word = words[random() % words.size()];
    symbols.insert(symbols.end(), word.begin(), word.end());
  }
  symbols.resize(count);
  return symbols;
}

Symbols repeated_symbols(const Symbols& part, std::size_t count) {
  Symbols symbols(count);
  for (std::size_t i = 0; i < count; ++i) symbols[i] = part[i % part.size()];
  return symbols;
}

// A model of fixed random logits for each symbol before; now and then one that is sure, or knows nothing.
World moody_world(float deviation) {
  World world;
  world.model = [deviation](std::size_t lane, std::uint64_t step, std::uint32_t previous, std::vector<float>& logits) {
    Random random(previous + 1000 * (step % 5));
    std::normal_distribution<float> normal(0, deviation);
    for (float& logit : logits) logit = normal(random);
    if (step % 11 == 3) std::fill(logits.begin(), logits.end(), 2.0f);
    if (step % 7 == 1) logits[(lane + step) % 300] += 90.0f;
  };
  return world;
}

struct Case {
  const char* name;
  Lanes lanes;
};

std::vector<Case> many_cases(const World& world) {
  Random random(6);
  const std::uint32_t count = world.symbol_count();
  Adversary adversary(3);
  run(world, {900, 400, 650}, adversary);
  return {
      {"random", {random_symbols(random, 700, count), random_symbols(random, 1500, count), {}, {3}}},
      {"words", {wordy_symbols(random, 1200, count), wordy_symbols(random, 40, 5), wordy_symbols(random, 900, 4)}},
      {"a short period", {repeated_symbols({5, 6, 5, 300, 309, 7, 5}, 1000), Symbols(500, 12)}},
      {"a long period", {repeated_symbols(random_symbols(random, 150, count), 700),
                         repeated_symbols(random_symbols(random, 151, count), 600)}},
      {"a text in each lane", Lanes(4, wordy_symbols(random, 500, 50))},
      {"adversary", adversary.lanes},
      {"nothing", {{}, {}}},
  };
}

// ---- Every symbol has one way ----

// Takes copies of a prediction through all decisions, and checks what each bit leaves; then restores it all.
struct Inspector : Encoder {
  using Encoder::Encoder;

  static constexpr std::uint32_t kCount = 310;
  std::size_t seen = 0;
  std::size_t with_others = 0;

  void inspect(const LanePrediction& prediction, Frequencies& frequencies) {
    ++seen;
    std::vector<std::uint32_t> before(kCount);
    for (std::uint32_t symbol = 0; symbol < kCount; ++symbol) before[symbol] = frequencies[symbol];
    LanePrediction probe = prediction;
    std::vector<bool> is_left(kCount, true);
    std::size_t decisions = 0;
    for (; probe.has_decision(); ++decisions) {
      ASSERT_GE(probe.bit_probability(), 1u);
      ASSERT_LT(probe.bit_probability(), kDecisionTotal);
      std::vector<bool> is_true(kCount);
      for (std::uint32_t symbol = 0; symbol < kCount; ++symbol) {
        is_true[symbol] = is_left[symbol] && probe.decision_for(symbol);
      }
      expect_true(probe, is_true);
      for (std::uint32_t symbol = 0; symbol < kCount; ++symbol) is_left[symbol] = is_left[symbol] && !is_true[symbol];
      probe.update(false);
    }
    ASSERT_GE(decisions, 1u);
    ASSERT_LE(decisions, kDecisionsMax);
    with_others += decisions == kDecisionsMax ? 1 : 0;
    ASSERT_FALSE(probe.is_found());
    expect_intervals_fill(probe, is_left);
    frequencies.restore();
    for (std::uint32_t symbol = 0; symbol < kCount; ++symbol) ASSERT_EQ(frequencies[symbol], before[symbol]);
  }

  // The bit 1 finds the one symbol that the decision is for, or leaves those that it is for.
  static void expect_true(LanePrediction probe, const std::vector<bool>& is_true) {
    probe.update(true);
    ASSERT_FALSE(probe.has_decision());
    if (!probe.is_found()) return expect_intervals_fill(probe, is_true);
    ASSERT_EQ(std::count(is_true.begin(), is_true.end(), true), 1);
    ASSERT_TRUE(is_true[probe.found()]);
  }

  static void expect_intervals_fill(const LanePrediction& rest, const std::vector<bool>& is_left) {
    ASSERT_LT(rest.total(), kRangeTotalMax);
    std::vector<Interval> intervals;
    for (std::uint32_t symbol = 0; symbol < kCount; ++symbol) {
      if (!is_left[symbol]) continue;
      const Interval interval = rest.interval_of(symbol);
      ASSERT_EQ(interval.total, rest.total());
      ASSERT_GT(interval.size, 0u) << symbol;
      intervals.push_back(interval);
      for (const std::uint64_t value :
           {interval.low, interval.low + interval.size / 2, interval.low + interval.size - 1}) {
        Interval found;
        ASSERT_EQ(rest.symbol_at(value, found), symbol) << value;
        ASSERT_EQ(found.low, interval.low);
        ASSERT_EQ(found.size, interval.size);
        ASSERT_EQ(found.total, interval.total);
      }
    }
    std::sort(intervals.begin(), intervals.end(), [](const Interval& a, const Interval& b) { return a.low < b.low; });
    std::uint64_t low = 0;
    for (const Interval& interval : intervals) {
      ASSERT_EQ(interval.low, low);
      low += interval.size;
    }
    ASSERT_EQ(low, rest.total());
  }
};

TEST(AdaptivePredictor, EverySymbolHasOneWayAndTheWaysFillTheCodeSpace) {
  for (const World& world : {World(), moody_world(2), moody_world(12)}) {
    for (const Case& c : many_cases(world)) {
      Lanes lanes = c.lanes;
      for (Symbols& lane : lanes) lane.resize(std::min<std::size_t>(lane.size(), 300));
      Inspector inspector(lanes);
      run(world, sizes_of(lanes), inspector);
      if (HasFatalFailure()) FAIL() << c.name;
      if (std::string_view(c.name) == "words") {
        EXPECT_GT(inspector.with_others, inspector.seen / 10);
      }
    }
  }
}

// Of the largest vocabulary, flat: its total alone is above the room that evidence is kept within.
TEST(AdaptivePredictor, TheLargestFlatVocabularyLeavesTheRestWhole) {
  World world;
  world.vocabulary = limits::kVocabularyMax;
  world.byte_symbols = 256;
  struct Checker : Encoder {
    using Encoder::Encoder;
    void inspect(const LanePrediction& prediction, Frequencies& frequencies) {
      LanePrediction probe = prediction;
      while (probe.has_decision()) probe.update(false);
      EXPECT_LT(probe.total(), kRangeTotalMax);
      for (std::uint32_t symbol = 0; symbol < 12; ++symbol) {
        const Interval interval = probe.interval_of(symbol);
        if (interval.size == 0) continue;  // a candidate
        EXPECT_LE(interval.low + interval.size, interval.total) << symbol;
        Interval found;
        EXPECT_EQ(probe.symbol_at(interval.low, found), symbol);
        EXPECT_EQ(found.size, interval.size);
      }
      frequencies.restore();
    }
  };
  const Lanes lanes = {{5, 1, 5, 2, 5, 3, 5, 4, 5, 6, 5, 7, 5, 8, 5, 9, 5, 1}};
  Checker checker(lanes);
  run(world, sizes_of(lanes), checker);
}

// Only a damaged stream says that a symbol is no candidate where all are; its decoder finds nothing to choose from.
TEST(AdaptivePredictor, WhereAllSymbolsAreCandidatesNothingIsLeftForOthers) {
  World world;
  world.vocabulary = 3;
  world.byte_symbols = 0;
  struct Checker : Encoder {
    using Encoder::Encoder;
    std::size_t empty = 0;
    void inspect(const LanePrediction& prediction, Frequencies& frequencies) {
      LanePrediction probe = prediction;
      while (probe.has_decision()) probe.update(false);
      empty += probe.total() == 0 ? 1 : 0;
      frequencies.restore();
    }
  };
  const Lanes lanes = {{0, 1, 2, 0, 2, 1, 0, 0, 1, 1, 2, 2, 0, 1, 2, 0, 2, 1, 0}};
  Checker checker(lanes);
  run(world, sizes_of(lanes), checker);
  EXPECT_GT(checker.empty, 3u);
}

// ---- Synchrony ----

TEST(AdaptivePredictor, ADecoderFollowsItsEncoder) {
  for (const World& world : {World(), moody_world(2), moody_world(12)}) {
    for (const Case& c : many_cases(world)) {
      Encoder encoder(c.lanes);
      run(world, sizes_of(c.lanes), encoder);
      const std::vector<ByteVector> codes = encoder.finish();
      Decoder decoder(codes);
      run(world, sizes_of(c.lanes), decoder);
      EXPECT_EQ(decoder.lanes, c.lanes) << c.name;
      for (const RangeDecoder& lane : decoder.decoders) EXPECT_TRUE(lane.exhausted()) << c.name;
    }
  }
}

TEST(AdaptivePredictor, TheOrderInWhichLanesArePredictedChangesNothing) {
  const World world = moody_world(2);
  for (const Case& c : many_cases(world)) {
    Encoder up(c.lanes);
    run(world, sizes_of(c.lanes), up);
    for (const Order order : {Order::kDown, Order::kTurning}) {
      Encoder other(c.lanes);
      run(world, sizes_of(c.lanes), other, order);
      EXPECT_EQ(other.trace, up.trace) << c.name;
    }
  }
}

// ---- One text after another ----

TEST(AdaptivePredictor, OneThatWasResetIsANewOne) {
  for (const std::optional<SamplerSettings>& sampler :
       {std::optional<SamplerSettings>(), std::optional(SamplerSettings{.top_p = 0.9f, .presence_penalty = 0.5f})}) {
    World world = moody_world(2);
    world.sampler = sampler;
    AdaptivePredictor used({}, world.vocabulary, world.symbol_count(), world.sampler);
    const std::vector<Case> cases = many_cases(world);
    for (std::size_t i = 0; i < 2 * cases.size(); ++i) {  // forward, then back: after other texts, longer and shorter
      const Case& c = i < cases.size() ? cases[i] : cases[2 * cases.size() - 1 - i];
      Encoder expected(c.lanes);
      run(world, sizes_of(c.lanes), expected);
      Encoder encoder(c.lanes);
      used.reset(sizes_of(c.lanes));
      run_with(used, world, sizes_of(c.lanes), encoder);
      EXPECT_EQ(encoder.trace, expected.trace) << c.name;
    }
  }
}

// ---- Costs ----

TEST(AdaptivePredictor, ASecondCopyCostsLittle) {
  World world;
  world.vocabulary = 1000;
  Random random(7);
  const Symbols part = random_symbols(random, 2000, 1000);
  const Lanes lanes = {repeated_symbols(part, 4000)};
  Encoder encoder(lanes);
  run(world, sizes_of(lanes), encoder);
  EXPECT_LT(encoder.bits(0, 2000, 4000), 0.2 * 2000);
  EXPECT_LT(encoder.bits(0, 0, 2000), 1.03 * 2000 * std::log2(1010.0)) << "the first copy, of which nothing repeats";
}

TEST(AdaptivePredictor, WhatAnotherLaneHasCodedCostsLittle) {
  World world;
  world.vocabulary = 1000;
  Random random(8);
  const Symbols first = random_symbols(random, 2000, 1000);
  Symbols late = random_symbols(random, 500, 1000);
  late.insert(late.end(), first.begin(), first.begin() + 1900);
  const Lanes lanes = {first, late};
  Encoder encoder(lanes);
  run(world, sizes_of(lanes), encoder);
  EXPECT_LT(encoder.bits(1, 500, 2400), 0.2 * 1900);
}

TEST(AdaptivePredictor, TextThatTheModelKnowsCostsHardlyMoreThanWithoutExperts) {
  World world;
  world.model = [](std::size_t, std::uint64_t step, std::uint32_t previous, std::vector<float>& logits) {
    Random random(previous * 7919 + step % 40);
    std::normal_distribution<float> normal(0, 2.5f);
    for (float& logit : logits) logit = normal(random);
  };
  Random random(10);
  Frequencies frequencies(fast_kernels(), world.vocabulary, world.symbol_count());
  std::vector<float> logits = padded(world.vocabulary, 0);
  Lanes lanes(2);
  double plain = 0;
  for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
    for (std::uint64_t step = 0; step < 10000; ++step) {
      world.model(lane, step, step == 0 ? 0 : lanes[lane][step - 1], logits);
      ASSERT_TRUE(frequencies.set_softmax(logits.data()).ok());
      Interval interval;
      lanes[lane].push_back(frequencies.symbol_at(random() % frequencies.total(), interval));
      plain += std::log2(static_cast<double>(interval.total) / static_cast<double>(interval.size));
    }
  }
  Encoder encoder(lanes);
  run(world, sizes_of(lanes), encoder);
  const double adaptive = encoder.bits(0, 0, 10000) + encoder.bits(1, 0, 10000);
  EXPECT_LT(adaptive, 1.004 * plain);
  EXPECT_GT(adaptive, 0.99 * plain) << "nothing is cheaper than it is likely";
}

}  // namespace
}  // namespace tacit
