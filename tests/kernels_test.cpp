// SPDX-License-Identifier: MIT
// Every kernel set this machine can run is compared with the reference set bit for bit, over lengths around every
// block and vector edge and over hostile values: zeros of both signs, subnormals, the largest magnitudes, NaN.
#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/reference.h"
#include "numeric/double_math.h"
#include "numeric/exp.h"
#include "numeric/fast_log.h"
#include "numeric/float_formats.h"

namespace tacit::kernels {
namespace {

using Random = std::mt19937;

// Floats that arithmetic is likely to get wrong, between ordinary ones.
std::vector<float> hostile_floats(std::uint32_t count, Random& random, bool extremes) {
  constexpr float kSpecial[] = {0.0f, -0.0f, 1e-40f, -1e-45f, 0x1p-101f, 0x1p-100f, 1e30f, -1e30f, 0.5f, -1.5f};
  std::normal_distribution<float> normal;
  std::vector<float> values(round_up(count, kBlock) + kBlock, 0.0f);
  for (std::uint32_t i = 0; i < count; ++i) {
    values[i] = normal(random) * std::exp2(static_cast<float>(random() % 8));
    if (extremes && random() % 4 == 0) values[i] = kSpecial[random() % std::size(kSpecial)];
  }
  return values;
}

template <class T>
::testing::AssertionResult same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes " << a.size() << ", " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0) {
      return ::testing::AssertionFailure() << "element " << i << ": " << +a[i] << " and " << +b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

class EveryKernelSet : public ::testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& set() const { return *GetParam(); }
  const Kernels& reference() const { return kReferenceKernels; }
};

std::vector<const Kernels*> every_set() {
  const KernelList list = available_kernels();
  return {list.sets, list.sets + list.count};
}

INSTANTIATE_TEST_SUITE_P(Sets, EveryKernelSet, ::testing::ValuesIn(every_set()),
                         [](const auto& test) { return std::string(test.param->name); });

TEST_P(EveryKernelSet, QuantizesLikeTheReference) {
  Random random(1);
  for (std::uint32_t count = 1; count <= 200; ++count) {
    const std::vector<float> x = hostile_floats(count, random, count % 2 == 0);
    const std::uint32_t blocks = round_up(count, kBlock) / kBlock;
    std::vector<std::int8_t> q[2];
    std::vector<std::int16_t> wide[2];
    std::vector<float> scales[2];
    std::vector<std::int32_t> sums[2];
    for (int i = 0; i < 2; ++i) {
      const Kernels& kernels = i == 0 ? reference() : set();
      q[i].resize(blocks * kBlock, 77);
      wide[i].resize(blocks * kBlock, 77);
      scales[i].resize(2 * blocks);
      sums[i].resize(blocks);
      kernels.quantize_narrow(x.data(), count, q[i].data(), scales[i].data(), sums[i].data());
      kernels.quantize_wide(x.data(), count, wide[i].data(), scales[i].data() + blocks);
    }
    EXPECT_TRUE(same_bits(q[0], q[1])) << count;
    EXPECT_TRUE(same_bits(wide[0], wide[1])) << count;
    EXPECT_TRUE(same_bits(scales[0], scales[1])) << count;
    EXPECT_TRUE(same_bits(sums[0], sums[1])) << count;
  }
}

TEST_P(EveryKernelSet, QuantizesValueGroupsLikeTheReference) {
  Random random(2);
  for (std::uint32_t count = 1; count <= kValueGroup; ++count) {
    const std::vector<float> x = hostile_floats(count, random, count % 2 == 0);
    std::vector<std::int8_t> q[2] = {std::vector<std::int8_t>(kValueGroup, 5),
                                     std::vector<std::int8_t>(kValueGroup, 5)};
    const float scale = reference().quantize_values(x.data(), count, q[0].data());
    EXPECT_EQ(scale, set().quantize_values(x.data(), count, q[1].data()));
    EXPECT_TRUE(same_bits(q[0], q[1])) << count;
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
      set().quantize_narrow(x.data(), 64, q.data(), scales.data(), sums.data());
      EXPECT_TRUE(std::isnan(scales[place / kBlock]));
      EXPECT_FALSE(std::isnan(scales[1 - place / kBlock]));
    }
  }
}

struct AlignedBytes {
  explicit AlignedBytes(std::size_t size) : storage(size + 64) {}
  std::uint8_t* data() {
    return reinterpret_cast<std::uint8_t*>((reinterpret_cast<std::uintptr_t>(storage.data()) + 63) / 64 * 64);
  }
  std::vector<std::uint8_t> storage;
};

// Random packed weights with every value that the format allows, the extreme ones often.
void fill_weights(PackedMatrix& matrix, std::uint8_t* data, Random& random) {
  matrix.data = data;
  std::normal_distribution<float> normal;
  for (std::uint32_t i = 0; i < matrix.tile_count() * matrix.block_count; ++i) {
    std::uint8_t* block = data + i * tile_block_bytes(matrix.format);
    for (std::size_t j = 0; j < value_bytes(matrix.format); ++j) {
      block[j] = random() % 8 == 0 ? (random() % 2 ? 0 : 255) : static_cast<std::uint8_t>(random());
    }
    if (matrix.format == WeightFormat::kWide) {
      for (std::size_t j = 0; j < value_bytes(matrix.format); j += 2) {
        const auto value = static_cast<std::int16_t>(static_cast<std::int32_t>(random() % (2 * kWideMax + 1)) -
                                                     static_cast<std::int32_t>(kWideMax));
        std::memcpy(block + j, &value, 2);
      }
    }
    for (std::size_t j = value_bytes(matrix.format); j < tile_block_bytes(matrix.format); j += 4) {
      const float factor = normal(random) * 0.01f;
      std::memcpy(block + j, &factor, 4);
    }
  }
}

TEST_P(EveryKernelSet, MultipliesLikeTheReference) {
  Random random(3);
  for (const auto& [format, bits, offset, part_count, has_minimum] : kWeightFormats) {
    for (std::uint32_t row_count = 1; row_count <= 19; ++row_count) {
      const std::uint32_t width = 1 + random() % 200;
      PackedMatrix matrix{nullptr, 1 + static_cast<std::uint32_t>(random() % 50), round_up(width, kBlock) / kBlock,
                          format};
      AlignedBytes bytes(matrix.tile_count() * matrix.block_count * tile_block_bytes(format));
      fill_weights(matrix, bytes.data(), random);
      std::vector<std::int8_t> narrow(row_count * matrix.block_count * kBlock);
      std::vector<std::int16_t> wide(narrow.size());
      std::vector<float> scales(row_count * matrix.block_count);
      std::vector<std::int32_t> sums(scales.size());
      for (std::uint32_t r = 0; r < row_count; ++r) {
        const std::vector<float> x = hostile_floats(width, random, r % 3 == 0);
        const std::size_t block = r * matrix.block_count;
        reference().quantize_wide(x.data(), width, wide.data() + block * kBlock, scales.data() + block);
        reference().quantize_narrow(x.data(), width, narrow.data() + block * kBlock, scales.data() + block,
                                    sums.data() + block);
      }
      const QuantizedRows rows{narrow.data(), wide.data(), scales.data(), sums.data()};
      const std::size_t stride = matrix.tile_count() * kTile;
      std::vector<float> out[2] = {std::vector<float>(row_count * stride, 9.0f),
                                   std::vector<float>(row_count * stride, 9.0f)};
      reference().matmul(matrix, 0, matrix.tile_count(), rows, row_count, out[0].data(), stride);
      const std::uint32_t cut = matrix.tile_count() / 2;  // a product may be cut between tiles
      set().matmul(matrix, cut, matrix.tile_count(), rows, row_count, out[1].data(), stride);
      set().matmul(matrix, 0, cut, rows, row_count, out[1].data(), stride);
      EXPECT_TRUE(same_bits(out[0], out[1])) << bits << " bits, " << part_count << " parts, rows " << row_count;
    }
  }
}

// Sums of products are largest where all weights and all activations are at an end of their range.
TEST_P(EveryKernelSet, MultipliesTheLargestNumbersLikeTheReference) {
  constexpr std::uint32_t kBlocks = 3, kRows = 9;
  for (const auto& [format, bits, offset, part_count, has_minimum] : kWeightFormats) {
    for (const std::uint8_t byte : {0x00, 0xff}) {
      for (const int sign : {1, -1}) {
        PackedMatrix matrix{nullptr, kTile, kBlocks, format};
        AlignedBytes bytes(kBlocks * tile_block_bytes(format));
        Random random(10);
        fill_weights(matrix, bytes.data(), random);
        for (std::uint32_t b = 0; b < kBlocks; ++b) {
          std::uint8_t* values = bytes.data() + b * tile_block_bytes(format);
          std::memset(values, byte, value_bytes(format));
          if (format != WeightFormat::kWide) continue;
          const auto largest = static_cast<std::int16_t>(byte == 0 ? kWideMax : -static_cast<int>(kWideMax));
          for (std::uint32_t i = 0; i < kBlock * kTile; ++i) std::memcpy(values + 2 * i, &largest, 2);
        }
        const std::vector<std::int8_t> narrow(kRows * kBlocks * kBlock, static_cast<std::int8_t>(sign * 127));
        const std::vector<std::int16_t> wide(kRows * kBlocks * kBlock, static_cast<std::int16_t>(sign * 4095));
        const std::vector<float> scales(kRows * kBlocks, 0.01f);
        const std::vector<std::int32_t> sums(kRows * kBlocks, sign * 127 * static_cast<int>(kBlock));
        const QuantizedRows rows{narrow.data(), wide.data(), scales.data(), sums.data()};
        std::vector<float> out[2] = {std::vector<float>(kRows * kTile), std::vector<float>(kRows * kTile)};
        reference().matmul(matrix, 0, 1, rows, kRows, out[0].data(), kTile);
        set().matmul(matrix, 0, 1, rows, kRows, out[1].data(), kTile);
        EXPECT_TRUE(same_bits(out[0], out[1])) << bits << " bits, " << part_count << " parts, byte " << +byte;
      }
    }
  }
}

TEST_P(EveryKernelSet, RowKernelsMatchTheReference) {
  using RowFunction = void (*)(const Kernels& kernels, const float* x, const float* w, std::uint32_t count, float* out);
  struct Case {
    const char* name;
    RowFunction run;
  };
  // `out` holds a copy of w.
  const Case cases[] = {
      {"rms_norm", [](const Kernels& k, const float* x, const float* w, std::uint32_t n, float* out) {
         k.rms_norm(x, w, n, 1e-5f, out);
       }},
      {"layer_norm", [](const Kernels& k, const float* x, const float* w, std::uint32_t n, float* out) {
         k.layer_norm(x, w, nullptr, n, 1e-5f, out);
       }},
      {"layer_norm with bias", [](const Kernels& k, const float* x, const float* w, std::uint32_t n, float* out) {
         k.layer_norm(x, w, w, n, 1e-5f, out);
       }},
      {"swiglu", [](const Kernels& k, const float* x, const float* w, std::uint32_t n, float* out) {
         k.swiglu(x, w, n, out);
       }},
      {"geglu", [](const Kernels& k, const float* x, const float* w, std::uint32_t n, float* out) {
         k.geglu(x, w, n, out);
       }},
      {"gelu", [](const Kernels& k, const float*, const float*, std::uint32_t n, float* out) { k.gelu(out, n); }},
      {"soft_cap", [](const Kernels& k, const float*, const float*, std::uint32_t n, float* out) {
         k.soft_cap(out, n, 3.5f);
       }},
      {"add", [](const Kernels& k, const float* x, const float*, std::uint32_t n, float* out) { k.add(x, n, out); }},
  };
  Random random(4);
  for (std::uint32_t count = 1; count <= 130; ++count) {
    const std::vector<float> x = hostile_floats(count, random, count % 2 == 0);
    const std::vector<float> w = hostile_floats(count, random, count % 2 == 0);
    for (const Case& test : cases) {
      std::vector<float> out[2] = {w, w};
      test.run(reference(), x.data(), w.data(), count, out[0].data());
      test.run(set(), x.data(), w.data(), count, out[1].data());
      for (std::vector<float>& row : out) {
        EXPECT_EQ(std::count(row.begin() + count, row.begin() + round_up(count, kBlock), 0.0f),
                  round_up(count, kBlock) - count)
            << test.name << " in the padding of " << count;
        row.resize(count);
      }
      EXPECT_TRUE(same_bits(out[0], out[1])) << test.name << " of " << count;
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

TEST_P(EveryKernelSet, RotatesLikeTheReference) {
  Random random(5);
  for (std::uint32_t head_dim = 2; head_dim <= 80; head_dim += 2) {
    for (const std::uint32_t pairs : {head_dim / 2, head_dim / 4}) {
      const std::vector<float> x = hostile_floats(3 * head_dim, random, false);
      const std::vector<float> c = hostile_floats(pairs, random, false);
      const std::vector<float> s = hostile_floats(pairs, random, false);
      std::vector<float> pairs_of[2] = {x, x}, halves[2] = {x, x};
      for (int i = 0; i < 2; ++i) {
        const Kernels& kernels = i == 0 ? reference() : set();
        kernels.rotate_pairs(pairs_of[i].data(), 3, head_dim, pairs, c.data(), s.data());
        kernels.rotate_halves(halves[i].data(), 3, head_dim, pairs, c.data(), s.data());
      }
      EXPECT_TRUE(same_bits(pairs_of[0], pairs_of[1])) << head_dim;
      EXPECT_TRUE(same_bits(halves[0], halves[1])) << head_dim;
    }
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

TEST_P(EveryKernelSet, AttendsLikeTheReference) {
  Random random(6);
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t slots = 32 * (2 + random() % 6);
    const std::uint32_t dim = 1 + random() % 150;
    const std::uint32_t groups = round_up(dim, kValueGroup) / kValueGroup;
    std::vector<float> scores = hostile_floats(slots, random, false);
    const std::vector<float> residual = hostile_floats(slots, random, true);
    std::vector<std::int8_t> values(slots * round_up(dim, kTile));
    for (std::int8_t& v : values) v = static_cast<std::int8_t>(random() % 255 - 127);
    std::vector<float> value_scales = hostile_floats(groups * slots, random, false);
    for (float& v : value_scales) v = std::fabs(v);
    // A sink, a band that wraps: the last block is the sink's; what is outside of the spans is never looked at.
    const std::uint32_t ring = slots - 32;
    const std::uint32_t begin = random() % ring;
    const std::uint32_t end = random() % (begin + 1);
    SlotSpan spans[3] = {{ring, ring + 1}, {begin, ring}, {0, end}};
    std::uint32_t span_count = end > 0 ? 3 : 2;
    if (round % 2 == 0) {
      spans[0] = {0, begin + 1};
      span_count = 1;
    }
    for (std::uint32_t s = 0; s < slots; ++s) {
      bool used = false;
      for (std::uint32_t i = 0; i < span_count; ++i) used |= s >= spans[i].begin && s < spans[i].end;
      if (!used) scores[s] = value_scales[s] = std::numeric_limits<float>::quiet_NaN();
    }
    const AttentionHead head{scores.data(), residual.data(),     0.125f, spans, span_count, dim,
                             values.data(), value_scales.data(), slots};
    std::vector<float> out[2] = {std::vector<float>(dim), std::vector<float>(dim)};
    reference().attend(head, out[0].data());
    set().attend(head, out[1].data());
    EXPECT_TRUE(same_bits(out[0], out[1])) << "slots " << slots << ", dim " << dim;
    const float sink = static_cast<float>(round % 7) - 3.0f;
    AttentionHead with_sink = head;
    with_sink.sink = &sink;
    std::vector<float> sunk[2] = {out[0], out[0]};
    reference().attend(with_sink, sunk[0].data());
    set().attend(with_sink, sunk[1].data());
    EXPECT_TRUE(same_bits(sunk[0], sunk[1])) << "slots " << slots << ", dim " << dim;
    EXPECT_LE(std::fabs(sunk[0][0]), std::fabs(out[0][0]));  // the sink takes weight and gives nothing
    EXPECT_TRUE(numeric::is_finite(out[0][0]));
  }
}

TEST_P(EveryKernelSet, CountsFrequenciesLikeTheReference) {
  Random random(7);
  for (std::uint32_t count = 1; count <= 300; ++count) {
    const std::vector<float> logits = hostile_floats(count, random, false);
    std::vector<std::uint32_t> f[2] = {std::vector<std::uint32_t>(count), std::vector<std::uint32_t>(count)};
    for (const float scale : {1.0f, 1.0f / 0.7f, 0.3f, 1e30f}) {
      const std::uint64_t total = reference().frequencies(logits.data(), count, scale, f[0].data());
      EXPECT_EQ(total, set().frequencies(logits.data(), count, scale, f[1].data()));
      EXPECT_EQ(total, set().sum(f[0].data(), count));
      EXPECT_TRUE(same_bits(f[0], f[1])) << count;
      for (const std::uint32_t frequency : f[0]) EXPECT_GE(frequency, 1u);
      EXPECT_EQ(*std::max_element(f[0].begin(), f[0].end()), kernels::kFrequencyOne);
    }
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

std::vector<std::uint32_t> random_weights(std::uint32_t count, Random& random) {
  std::vector<std::uint32_t> weights(count);
  for (std::uint32_t& weight : weights) {
    weight = static_cast<std::uint32_t>(random() % kernels::kFrequencyOne >> random() % 31) + 1;
  }
  if (count > 0) weights[random() % count] = kernels::kFrequencyOne;
  return weights;
}

TEST_P(EveryKernelSet, MixesLikeTheReference) {
  Random random(8);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (std::uint32_t count = 1; count <= 200; ++count) {
    const auto a = random_weights(count, random);
    const auto b = random_weights(count, random);
    std::vector<kernels::MixtureCut> cuts(4);
    for (kernels::MixtureCut& cut : cuts) {
      cut = {a[random() % count], a[random() % count], 0.2f * uniform(random)};
      if (cut.lowest > cut.highest) std::swap(cut.lowest, cut.highest);
    }
    for (const std::vector<kernels::MixturePart>& parts : std::vector<std::vector<kernels::MixturePart>>{
             {{a.data(), 0.01f, nullptr, 0}},
             {{a.data(), 0, cuts.data(), 3}, {b.data(), 0.1f, cuts.data() + 1, 3}},
             {{b.data(), 0, cuts.data(), 1}, {a.data(), 1e-9f, cuts.data(), 0}, {a.data(), 0, cuts.data() + 3, 1}}}) {
      std::vector<std::uint32_t> f[2] = {std::vector<std::uint32_t>(count), std::vector<std::uint32_t>(count)};
      const auto part_count = static_cast<std::uint32_t>(parts.size());
      const std::uint64_t total = reference().mix(parts.data(), part_count, count, f[0].data());
      EXPECT_EQ(total, set().mix(parts.data(), part_count, count, f[1].data()));
      EXPECT_EQ(total, set().sum(f[1].data(), count));
      EXPECT_TRUE(same_bits(f[0], f[1])) << count;
      for (const std::uint32_t frequency : f[0]) EXPECT_GE(frequency, 1u);
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
  Random random(9);
  for (std::uint32_t count = 1; count <= 200; ++count) {
    const auto weights = random_weights(count, random);
    for (int i = 0; i < 4; ++i) {
      std::uint32_t lowest = weights[random() % count];
      std::uint32_t highest = i == 0 ? kernels::kFrequencyOne * 2 - 1 : weights[random() % count];
      if (lowest > highest) std::swap(lowest, highest);
      std::vector<std::uint32_t> expected;
      for (std::uint32_t token = 0; token < count; ++token) {
        if (weights[token] >= lowest && weights[token] <= highest) expected.push_back(token);
      }
      std::vector<std::uint32_t> tokens(count);
      tokens.resize(set().collect(weights.data(), count, lowest, highest, tokens.data()));
      EXPECT_EQ(tokens, expected) << count;
    }
  }
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
  Random random(8);
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
