// SPDX-License-Identifier: MIT
// Every kernel set this machine can run, and that of AVX-512 emulated, is compared with the reference set bit for bit
// (kernel_check/check.h), and all of them, the reference too, with what their functions are named after.
#include "engine/cpu/kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "emulation/avx512.h"
#include "kernel_check/check.h"
#include "numeric/double_math.h"
#include "numeric/exp.h"
#include "numeric/fast_log.h"
#include "numeric/float_formats.h"

namespace tacit::kernels {
namespace {

class EveryKernelSet : public ::testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& set() const { return *GetParam(); }
};

std::vector<const Kernels*> every_set() {
  const KernelList list = available_kernels();
  std::vector<const Kernels*> sets(list.sets, list.sets + list.count);
#ifdef __x86_64__
  if (find_kernels("avx2") != nullptr) sets.push_back(&kEmulatedAvx512Kernels);  // which needs that
#endif
  return sets;
}

INSTANTIATE_TEST_SUITE_P(Sets, EveryKernelSet, ::testing::ValuesIn(every_set()), [](const auto& test) {
  const bool is_real = find_kernels(test.param->name) == test.param;
  return (is_real ? "" : "emulated_") + std::string(test.param->name);
});

// Some of the cases; `tacit_kernels --check` runs all.
TEST_P(EveryKernelSet, ComputesTheBitsOfTheReference) {
  for (const test::KernelFunction& function : test::kernel_functions()) {
    EXPECT_EQ(test::check(set(), function, {.seed = 1, .every = 5}).failure, "");
  }
}

TEST_P(EveryKernelSet, MarksBlocksThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    for (std::uint32_t place = 0; place < 64; place += 7) {
      std::vector<float> x(64, 1.0f);
      x[place] = bad;
      std::vector<std::int8_t> q(64);
      std::vector<float> scales(2);
      std::vector<std::int32_t> sums(2);
      set().quantize_int8(x.data(), 64, q.data(), scales.data(), sums.data());
      EXPECT_TRUE(std::isnan(scales[place / kBlock]));
      EXPECT_FALSE(std::isnan(scales[1 - place / kBlock]));
    }
  }
}

TEST_P(EveryKernelSet, RowKernelsComputeWhatTheyAreNamedAfter) {
  const float x[kBlock] = {-3, -1, -0.25f, 0, 0.5f, 1, 2, 4};
  const float ones[kBlock] = {1, 1, 1, 1, 1, 1, 1, 1};
  const float twos[kBlock] = {2, 2, 2, 2, 2, 2, 2, 2};
  float norm[kBlock], gelu[kBlock], capped[kBlock];
  std::copy_n(x, kBlock, gelu);
  std::copy_n(x, kBlock, capped);
  set().layer_norm(x, twos, ones, 8, 0.0f, norm);
  set().gelu(gelu, 8);
  set().soft_cap(capped, 8, 2.0f);
  double mean = 0, variance = 0;
  for (int i = 0; i < 8; ++i) mean += static_cast<double>(x[i]) / 8;
  for (int i = 0; i < 8; ++i) variance += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean) / 8;
  for (int i = 0; i < 8; ++i) {
    const auto v = static_cast<double>(x[i]);
    EXPECT_NEAR(norm[i], (v - mean) / std::sqrt(variance) * 2 + 1, 1e-6);
    const double u = std::sqrt(2 / std::acos(-1.0)) * (v + 0.044715 * v * v * v);
    EXPECT_NEAR(gelu[i], 0.5 * v * (1 + std::tanh(u)), 1e-6);
    EXPECT_NEAR(capped[i], 2 * std::tanh(v / 2), 1e-6);
  }
}

TEST_P(EveryKernelSet, RotatesPairsAndHalvesByTheSameAngle) {
  const float cosine[2] = {0.6f, 1.0f};
  const float sine[2] = {0.8f, 0.0f};
  float pairs[kBlock] = {1, 2, 5, 6};
  float halves[kBlock] = {1, 5, 2, 6};
  set().rotate_pairs(pairs, 1, 4, 2, cosine, sine);
  set().rotate_halves(halves, 1, 4, 2, cosine, sine);
  EXPECT_FLOAT_EQ(pairs[0], 0.6f - 1.6f);
  EXPECT_FLOAT_EQ(pairs[1], 0.8f + 1.2f);
  EXPECT_EQ(pairs[2], 5.0f);
  EXPECT_EQ(halves[0], pairs[0]);
  EXPECT_EQ(halves[2], pairs[1]);
  EXPECT_EQ(halves[1], pairs[2]);
  EXPECT_EQ(halves[3], pairs[3]);
}

TEST_P(EveryKernelSet, ASinkTakesWeightAndGivesNothing) {
  const std::vector<float> scores(2 * kBlock, 1.0f), residual_scores(2 * kBlock, 0.5f), value_scales(2 * kBlock, 1.0f);
  const std::vector<std::int8_t> values(2 * kBlock * kTile, 100);
  const SlotSpan span{3, 50};
  AttentionHead head{scores.data(), residual_scores.data(), 2 * kBlock,          1,         2.0f, &span, 1, 5,
                     values.data(), value_scales.data(),    2 * kBlock};
  float out[5];
  set().attend(head, out);
  for (const float value : out) EXPECT_NEAR(value, 100, 1e-2);
  const float sink = 3.0f + 3.8501476f;  // beside 47 scores of 3: as much as all of them
  head.sinks = &sink;
  set().attend(head, out);
  for (const float value : out) EXPECT_NEAR(value, 50, 1e-2);
}

TEST_P(EveryKernelSet, EveryTokenHasAFrequencyAndTheLikeliestTheHighest) {
  for (const std::uint32_t count : {1u, 7u, 100u}) {
    std::vector<float> logits(count);
    for (std::uint32_t i = 0; i < count; ++i) logits[i] = -3.0f * static_cast<float>(i);
    std::vector<std::uint32_t> f(count);
    const std::uint64_t total = set().frequencies(logits.data(), count, 1.0f, f.data());
    EXPECT_EQ(total, std::accumulate(f.begin(), f.end(), std::uint64_t{0}));
    EXPECT_EQ(f[0], kFrequencyOne);
    EXPECT_GE(f[count - 1], 1u);
    EXPECT_TRUE(std::is_sorted(f.rbegin(), f.rend()));
  }
}

TEST_P(EveryKernelSet, AScaleIsATemperature) {
  const std::vector<float> logits = {0.0f, -1.0f, -2.5f, -20.0f};
  std::vector<std::uint32_t> f(4);
  set().frequencies(logits.data(), 4, 1.0f / 0.5f, f.data());
  for (std::size_t i = 0; i < 4; ++i) {
    const double expected = std::exp(static_cast<double>(logits[i]) / 0.5) * kernels::kFrequencyOne;
    EXPECT_NEAR(f[i], std::max(expected, 1.0), expected * 1e-6 + 1) << i;
  }
}

TEST_P(EveryKernelSet, RefusesLogitsThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (std::uint32_t place = 0; place < 40; ++place) {
      std::vector<float> logits(40, 1.0f);
      logits[place] = bad;
      std::vector<std::uint32_t> f(40);
      EXPECT_EQ(set().frequencies(logits.data(), 40, 1.0f, f.data()), 0u) << place;
    }
  }
}

TEST_P(EveryKernelSet, AMixtureAddsWhatEachPartGives) {
  const std::vector<std::uint32_t> a = {kernels::kFrequencyOne, 1000, 500, 1};
  const std::vector<std::uint32_t> b = {8, 16, kernels::kFrequencyOne, 32};
  const kernels::MixtureCut cuts[] = {{500, 1000, 0.5f}, {1000, kernels::kFrequencyOne, 0.25f}};
  const kernels::MixturePart parts[] = {{a.data(), 0.125f, cuts, 2}, {b.data(), 0, cuts, 0}};
  std::vector<std::uint32_t> f(4);
  const std::uint64_t total = set().mix(parts, 2, 4, f.data());
  const std::vector<std::uint32_t> expected = {kernels::kFrequencyOne / 8 * 3, 875, 312, 1};
  EXPECT_EQ(f, expected);
  EXPECT_EQ(total, std::uint64_t{expected[0]} + 875 + 312 + 1);
}

TEST_P(EveryKernelSet, CollectsWhatLiesBetweenItsBounds) {
  std::vector<std::uint32_t> weights(100, 5);
  for (const std::uint32_t token : {0, 17, 63, 64, 99}) weights[token] = 10;
  std::vector<std::uint32_t> tokens(100);
  tokens.resize(set().collect(weights.data(), 100, 6, 10, tokens.data()));
  EXPECT_EQ(tokens, (std::vector<std::uint32_t>{0, 17, 63, 64, 99}));
}

TEST_P(EveryKernelSet, TheLowerOfEqualTokensComesFirst) {
  std::vector<std::uint32_t> weights(100, 5);
  const auto top_two = [&](std::uint32_t count) {
    std::vector<std::uint32_t> tokens(2);
    set().top_two(weights.data(), count, tokens.data());
    return tokens;
  };
  EXPECT_EQ(top_two(100), (std::vector<std::uint32_t>{0, 1}));
  weights[63] = 9;
  EXPECT_EQ(top_two(100), (std::vector<std::uint32_t>{63, 0}));
  weights[64] = 9;
  weights[79] = 8;
  EXPECT_EQ(top_two(100), (std::vector<std::uint32_t>{63, 64}));
  EXPECT_EQ(top_two(64), (std::vector<std::uint32_t>{63, 0}));
  EXPECT_EQ(top_two(1), (std::vector<std::uint32_t>{0, 0}));
}

TEST(Numeric, ExpIsCloseToTheRealOne) {
  for (float x = -86.9f; x < 88.0f; x += 0.0137f) {
    const double expected = std::exp(static_cast<double>(x));
    EXPECT_NEAR(numeric::exp(x) / expected, 1.0, 2.5e-7) << x;
  }
  EXPECT_EQ(numeric::exp(0.0f), 1.0f);
  EXPECT_EQ(numeric::exp(-1000.0f), 0.0f);
  EXPECT_EQ(numeric::exp(-std::numeric_limits<float>::infinity()), 0.0f);
  EXPECT_TRUE(numeric::is_finite(numeric::exp(1e30f)));
  EXPECT_TRUE(std::isnan(numeric::exp(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Numeric, FastLogIsCloseToTheLogarithmAtEveryMagnitude) {
  const numeric::FastLog& ln = numeric::FastLog::instance();
  std::mt19937_64 random(18);
  std::uniform_real_distribution<double> mantissa(1.0, 2.0);
  for (int exponent = -1022; exponent <= 1023; ++exponent) {
    for (int i = 0; i < 200; ++i) {
      const double x = std::ldexp(mantissa(random), exponent);
      const double expected = std::log(x);
      ASSERT_NEAR(ln(x), expected, 1e-9 + std::abs(expected) * 1e-15) << x;
    }
  }
  for (int i = 0; i <= 128 * 64; ++i) {  // the edges of the table's parts among them
    const double x = 1.0 + i / (128.0 * 64.0);
    ASSERT_NEAR(ln(x), std::log(x), 1e-9) << x;
  }
}

TEST(Numeric, FastLogHasTheSameBitsEverywhere) {
  const numeric::FastLog& ln = numeric::FastLog::instance();
  std::mt19937_64 random(19);
  std::uint64_t hash = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t bits = (random() >> 12) | (1 + random() % 2046) << 52;
    hash = (hash ^ std::bit_cast<std::uint64_t>(ln(std::bit_cast<double>(bits)))) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  EXPECT_EQ(hash, 615804553376797064u);
  EXPECT_EQ(ln(0.5), -0x1.62e42fef25354p-1);
  EXPECT_EQ(ln(1e-7), -0x1.01e3b843ea9f4p+4);
  EXPECT_EQ(ln(1.0), 0x1.f9a6d8p-35);
  EXPECT_EQ(ln(10.0), 0x1.26bb1bbb624b7p+1);
}

TEST(Numeric, DoubleFunctionsAreCloseToTheRealOnes) {
  std::mt19937 random(8);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int i = 0; i < 100000; ++i) {
    const double angle = uniform(random) * 67108864.0;
    const numeric::SinCos result = numeric::sin_cos(angle);
    EXPECT_NEAR(result.sine, std::sin(angle), 1e-14) << angle;
    EXPECT_NEAR(result.cosine, std::cos(angle), 1e-14) << angle;
    const double x = std::exp(uniform(random) * 100);
    EXPECT_NEAR(numeric::log(x), std::log(x), 1e-13) << x;
    const double y = uniform(random) * 600;
    EXPECT_NEAR(numeric::exp(y) / std::exp(y), 1.0, 1e-14) << y;
  }
  EXPECT_NEAR(numeric::power(500000.0, -0.75), std::pow(500000.0, -0.75), 1e-18);
}

TEST(Numeric, HalfFloatsConvertExactly) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = numeric::from_binary16(static_cast<std::uint16_t>(bits));
    const std::uint32_t exponent = (bits >> 10) & 31;
    const double magnitude = exponent == 0 ? std::ldexp(bits & 1023, -24)
                                           : std::ldexp(1024 + (bits & 1023), static_cast<int>(exponent) - 25);
    if (exponent == 31) {
      EXPECT_FALSE(numeric::is_finite(value));
    } else {
      EXPECT_EQ(value, static_cast<float>((bits & 0x8000) ? -magnitude : magnitude)) << bits;
    }
  }
}

}  // namespace
}  // namespace tacit::kernels
