// SPDX-License-Identifier: MIT
// The mixture of samplers, driven with a made-up model: what a sampler has drawn costs hardly more than with that
// sampler known; never more than with the best sampler and what the prior over switches costs; text of none of them
// costs what the plain softmax does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <random>
#include <vector>

#include "engine/cpu/kernels/kernels.h"
#include "sampling/frequencies.h"
#include "sampling/sampler.h"
#include "sampling/sampler_mixture.h"

namespace tacit {
namespace {

using Random = std::mt19937_64;
using Symbols = std::vector<std::uint32_t>;
using Lanes = std::vector<Symbols>;

constexpr std::uint32_t kVocabulary = 400;
constexpr std::uint32_t kSymbols = kVocabulary + 5;

const kernels::Kernels& fast_kernels() { return *kernels::find_kernels(""); }

// As steep as a small language model's, different after every symbol.
std::vector<float> logits_after(std::uint64_t step, std::uint32_t previous) {
  Random random(previous * 7919 + step % 50);
  std::normal_distribution<float> normal(0, 3.0f);
  std::vector<float> logits(kVocabulary);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

std::uint32_t before(const Symbols& lane, std::uint64_t step) { return step == 0 ? 0 : lane[step - 1]; }

struct Drawn {
  Lanes lanes;
  double bits = 0;  // -log2 of the probabilities that the samplers drew with
};

// `settings_at`: of a step.
Drawn draw(std::size_t lane_count, std::uint64_t steps,
           const std::function<SamplerSettings(std::uint64_t)>& settings_at) {
  Drawn drawn;
  Random random(5);
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    Symbols& symbols = drawn.lanes.emplace_back();
    RecentTokens recent(kVocabulary, 0);
    for (std::uint64_t step = 0; step < steps; ++step) {
      SampledDistribution distribution(settings_at(step), kVocabulary, fast_kernels());
      EXPECT_TRUE(distribution.set(logits_after(step, before(symbols, step)).data(), &recent).ok());
      const Kept& kept = distribution.kept();
      const auto weight = [&](std::uint32_t token) {
        const std::uint32_t w = distribution.weights()[token];
        return w >= kept.lowest && w <= kept.highest ? w : 0;
      };
      std::uint64_t value = random() % kept.total;
      std::uint32_t token = 0;
      for (; value >= weight(token); ++token) value -= weight(token);
      drawn.bits += std::log2(static_cast<double>(kept.total) / weight(token));
      symbols.push_back(token);
      recent.add(token);
    }
  }
  return drawn;
}

// Bits of the lanes' symbols with the frequencies that the mixture gives. `see`: called before a lane's symbol is
// learnt.
using See =
    std::function<void(std::size_t lane, std::uint32_t symbol, const CandidateSamplers&, const SamplerMixture&)>;
double mixture_bits(const Lanes& lanes, const std::optional<SamplerSettings>& stated, const See& see = nullptr) {
  SamplerMixture mixture(lanes.size(), kVocabulary, stated);
  CandidateSamplers samplers(fast_kernels(), kVocabulary, kSymbols, stated);
  Frequencies frequencies(fast_kernels(), kVocabulary, kSymbols);
  double bits = 0;
  for (std::uint64_t step = 0; step < lanes[0].size(); ++step) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      const std::vector<float> logits = logits_after(step, before(lanes[lane], step));
      EXPECT_TRUE(mixture.set(lane, step, logits.data(), samplers, frequencies).ok());
      const std::uint32_t symbol = lanes[lane][step];
      bits += std::log2(static_cast<double>(frequencies.total()) / frequencies[symbol]);
      if (see) see(lane, symbol, samplers, mixture);
      mixture.observe(lane, symbol, samplers);
    }
    mixture.learn(step);
  }
  return bits;
}

// A symbol's probability by a sampler and its escape.
double probability(std::size_t sampler, std::uint32_t symbol, const CandidateSamplers& samplers,
                   const SamplerMixture& mixture) {
  const double escape = sampler == 0 ? 0 : mixture.escapes()[sampler];
  return (1 - escape) * samplers.probability(sampler, symbol) + escape * samplers.probability(0, symbol);
}

double plain_bits(const Lanes& lanes) {
  Frequencies frequencies(fast_kernels(), kVocabulary, kSymbols);
  double bits = 0;
  for (const Symbols& lane : lanes) {
    for (std::uint64_t step = 0; step < lane.size(); ++step) {
      EXPECT_TRUE(frequencies.set_softmax(logits_after(step, before(lane, step)).data()).ok());
      bits += std::log2(static_cast<double>(frequencies.total()) / frequencies[lane[step]]);
    }
  }
  return bits;
}

const std::vector<SamplerSettings> kUsual = {
    {},
    {.temperature = 0.7f},
    {.temperature = 0.7f, .top_p = 0.9f},
    {.top_k = 40},
    {.min_p = 0.1f},
    {.temperature = 0.6f, .top_p = 0.95f},
    {.temperature = 0.8f,
     .top_k = 40,
     .top_p = 0.95f,
     .min_p = 0.05f,
     .order = SamplerSettings::Order::kTemperatureLast},
};

TEST(SamplerMixture, WhatAUsualSamplerDrewCostsAtMostThreePercentMoreThanWithTheSamplerKnown) {
  for (const SamplerSettings& settings : kUsual) {
    const Drawn drawn = draw(4, 1500, [&](std::uint64_t) { return settings; });
    const double bits = mixture_bits(drawn.lanes, std::nullopt);
    EXPECT_LT(bits, 1.03 * drawn.bits) << settings.temperature << ' ' << settings.top_p << ' ' << settings.top_k;
    EXPECT_GT(bits, 0.99 * drawn.bits);
  }
}

TEST(SamplerMixture, AStatedSamplerCostsWhatItDrewWith) {
  std::vector<SamplerSettings> all = kUsual;
  all.push_back({.temperature = 1.3f, .typical_p = 0.5f});
  all.push_back({.temperature = 0.9f, .repetition_penalty = 1.2f, .presence_penalty = 0.5f, .frequency_penalty = 0.1f});
  for (const SamplerSettings& settings : all) {
    const Drawn drawn = draw(4, 1500, [&](std::uint64_t) { return settings; });
    EXPECT_LT(mixture_bits(drawn.lanes, settings), 1.005 * drawn.bits + 40) << settings.temperature;
  }
}

TEST(SamplerMixture, TextThatFollowsNoSamplerCostsWhatThePlainSoftmaxDoes) {
  const Drawn plain = draw(4, 1500, [](std::uint64_t) { return SamplerSettings{.temperature = 1.15f}; });
  EXPECT_LT(mixture_bits(plain.lanes, std::nullopt), 1.003 * plain_bits(plain.lanes));
  const SamplerSettings wrong{.temperature = 0.5f, .top_k = 5};
  EXPECT_LT(mixture_bits(plain.lanes, wrong), 1.01 * plain_bits(plain.lanes)) << "a sampler that is stated but wrong";
}

TEST(SamplerMixture, GreedyTextCostsNextToNothing) {
  Drawn drawn = draw(4, 3000, [](std::uint64_t) { return SamplerSettings{.temperature = 0}; });
  EXPECT_EQ(drawn.bits, 0);
  EXPECT_LT(mixture_bits(drawn.lanes, std::nullopt), 0.005 * 4 * 3000);
}

TEST(SamplerMixture, ASamplerThatChangesIsFollowed) {
  const Drawn drawn = draw(4, 2000, [](std::uint64_t step) {
    return step < 1000 ? SamplerSettings{.temperature = 0} : SamplerSettings{.temperature = 0.7f, .top_p = 0.9f};
  });
  EXPECT_LT(mixture_bits(drawn.lanes, std::nullopt), 1.03 * drawn.bits + 4 * 30);
}

// A lane's own posterior starts with half the weight of its mixture, and of that weight and of a sampler's part in it
// at most the fixed share is lost at each step: so much more than with the sampler known from the start may the lane
// cost, and -log2 of the sampler's first share.
TEST(SamplerMixture, NoSamplerIsMissedByMoreThanThePriorAllows) {
  std::vector<Lanes> texts;
  for (const SamplerSettings& settings : kUsual) {
    texts.push_back(draw(3, 600, [&](std::uint64_t) { return settings; }).lanes);
  }
  texts.push_back(draw(3, 600, [](std::uint64_t step) {
                    return step % 200 < 100 ? SamplerSettings{.temperature = 0} : SamplerSettings{};
                  }).lanes);
  Random random(6);
  Lanes hostile(3);
  for (Symbols& lane : hostile) {
    for (int i = 0; i < 600; ++i) lane.push_back(static_cast<std::uint32_t>(random() % kSymbols));
  }
  texts.push_back(hostile);
  for (const Lanes& lanes : texts) {
    std::vector<SamplerShares> single(lanes.size());
    std::vector<SamplerShares> prior(lanes.size());
    std::vector<double> mixed(lanes.size());
    const auto see = [&](std::size_t lane, std::uint32_t symbol, const CandidateSamplers& samplers,
                         const SamplerMixture& mixture) {
      double p = 0;
      for (std::size_t e = 0; e < kSamplersMax; ++e) {
        const double q = probability(e, symbol, samplers, mixture);
        p += mixture.shares(lane)[e] * q;
        single[lane][e] -= std::log2(q);
        if (prior[lane][e] == 0)
          prior[lane][e] = 1 - std::log2(mixture.shares(lane)[e]);
        else
          prior[lane][e] -= 2 * std::log2(1 - mixture.fixed_share());
      }
      mixed[lane] -= std::log2(p);
    };
    double total = 0;
    const double bits = mixture_bits(lanes, SamplerSettings{.temperature = 1}, see);
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      total += mixed[lane];
      for (std::size_t e = 0; e < kSamplersMax; ++e) {
        EXPECT_LE(mixed[lane], single[lane][e] + prior[lane][e] + 1e-6) << "lane " << lane << ", sampler " << e;
      }
    }
    EXPECT_LT(bits, total + 0.001 * total + 1) << "the frequencies are as good as the probabilities they come from";
  }
}

TEST(SamplerMixture, ManyLanesOfOneSamplerFindItTogether) {
  for (const SamplerSettings& settings : kUsual) {
    const Drawn drawn = draw(32, 60, [&](std::uint64_t) { return settings; });
    EXPECT_LT(mixture_bits(drawn.lanes, std::nullopt), mixture_bits(drawn.lanes, settings) + 32 * 4)
        << settings.temperature << ' ' << settings.top_p << ' ' << settings.top_k;
  }
}

TEST(SamplerMixture, ALaneOfAnotherSamplerThanItsNeighboursKeepsItsOwnPosterior) {
  const SamplerSettings usual{.temperature = 0.7f, .top_p = 0.9f};
  Drawn drawn = draw(16, 400, [&](std::uint64_t) { return usual; });
  const Drawn odd = draw(1, 400, [](std::uint64_t) { return SamplerSettings{}; });
  drawn.lanes[7] = odd.lanes[0];
  double odd_bits = 0;
  const auto see = [&](std::size_t lane, std::uint32_t symbol, const CandidateSamplers& samplers,
                       const SamplerMixture& mixture) {
    if (lane != 7) return;
    double p = 0;
    for (std::size_t e = 0; e < kGuessedSamplers; ++e) {
      p += mixture.shares(lane)[e] * probability(e, symbol, samplers, mixture);
    }
    odd_bits -= std::log2(p);
  };
  mixture_bits(drawn.lanes, std::nullopt, see);
  EXPECT_LT(odd_bits, 1.03 * odd.bits + 20);
}

TEST(SamplerMixture, EveryKernelSetAndTheOrderOfLanesGiveTheSameFrequencies) {
  const Drawn drawn = draw(3, 200, [](std::uint64_t) { return SamplerSettings{.temperature = 0.7f, .top_p = 0.9f}; });
  const kernels::KernelList list = kernels::available_kernels();
  std::vector<std::uint64_t> first;
  for (std::uint32_t i = 0; i < 2 * list.count; ++i) {
    const kernels::Kernels& set = *list.sets[i / 2];
    SamplerMixture mixture(3, kVocabulary, std::nullopt);
    CandidateSamplers samplers(set, kVocabulary, kSymbols, std::nullopt);
    Frequencies frequencies(set, kVocabulary, kSymbols);
    std::vector<std::uint64_t> trace(200 * 3);
    for (std::uint64_t step = 0; step < 200; ++step) {
      for (std::size_t k = 0; k < 3; ++k) {
        const std::size_t lane = i % 2 == 0 ? k : 2 - k;
        const std::vector<float> logits = logits_after(step, before(drawn.lanes[lane], step));
        ASSERT_TRUE(mixture.set(lane, step, logits.data(), samplers, frequencies).ok());
        trace[step * 3 + lane] = frequencies.total() * 31 + frequencies[drawn.lanes[lane][step]];
        mixture.observe(lane, drawn.lanes[lane][step], samplers);
      }
      mixture.learn(step);
    }
    if (first.empty()) first = trace;
    EXPECT_EQ(trace, first) << set.name;
  }
}

TEST(SamplerMixture, ALogitThatIsNotFiniteIsAnError) {
  for (const bool stated : {false, true}) {
    const std::optional<SamplerSettings> sampler = stated ? std::optional(SamplerSettings{}) : std::nullopt;
    SamplerMixture mixture(1, kVocabulary, sampler);
    CandidateSamplers samplers(fast_kernels(), kVocabulary, kSymbols, sampler);
    Frequencies frequencies(fast_kernels(), kVocabulary, kSymbols);
    std::vector<float> logits(kVocabulary, 0);
    logits[7] = std::nanf("");
    const auto result = mixture.set(0, 0, logits.data(), samplers, frequencies);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kModel);
  }
}

}  // namespace
}  // namespace tacit
