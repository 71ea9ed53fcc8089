// SPDX-License-Identifier: MIT
// Every tensor type: dequantised values as an independent engine has them (the conformance kit), packed weights that
// are the dequantised ones exactly, and bytes that nobody meant as weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/file.h"
#include "engine/cpu/kernels/reference.h"
#include "engine/cpu/packed_weights.h"
#include "numeric/float_formats.h"
#include "quants/dequantize.h"
#include "support/gguf_writer.h"
#include "support/shared_data.h"

namespace tacit {
namespace {

using gguf::TensorType;
using Random = std::mt19937;

constexpr TensorType kFloatTypes[] = {TensorType::kF32, TensorType::kF16, TensorType::kBF16};
constexpr TensorType kBlockTypes[] = {
    TensorType::kQ4_0,    TensorType::kQ4_1,  TensorType::kQ5_0,    TensorType::kQ5_1,   TensorType::kQ8_0,
    TensorType::kQ2_K,    TensorType::kQ3_K,  TensorType::kQ4_K,    TensorType::kQ5_K,   TensorType::kQ6_K,
    TensorType::kIQ1_S,   TensorType::kIQ1_M, TensorType::kIQ2_XXS, TensorType::kIQ2_XS, TensorType::kIQ2_S,
    TensorType::kIQ3_XXS, TensorType::kIQ3_S, TensorType::kIQ4_NL,  TensorType::kIQ4_XS, TensorType::kTQ1_0,
    TensorType::kTQ2_0,   TensorType::kMXFP4, TensorType::kNVFP4,
};

std::vector<TensorType> every_type() {
  std::vector<TensorType> types(std::begin(kFloatTypes), std::end(kFloatTypes));
  types.insert(types.end(), std::begin(kBlockTypes), std::end(kBlockTypes));
  return types;
}

const gguf::TensorTypeInfo& info_of(TensorType type) {
  return *gguf::find_tensor_type(static_cast<std::uint32_t>(type));
}

std::vector<float> floats_of(TensorType type, const std::uint8_t* source, std::uint64_t count) {
  std::vector<float> values(count);
  dequantize(type, source, count, values.data());
  return values;
}

bool all_finite(std::span<const float> values) { return std::ranges::all_of(values, numeric::is_finite); }

ByteVector random_bytes(std::size_t count, Random& random) {
  ByteVector bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// Random blocks of a type, those with a scale that is not finite left out.
ByteVector finite_blocks(TensorType type, std::size_t element_count, Random& random) {
  ByteVector bytes;
  while (bytes.size() < element_count / info_of(type).block_elements * info_of(type).block_bytes) {
    const ByteVector block = random_bytes(info_of(type).block_bytes, random);
    if (all_finite(floats_of(type, block.data(), info_of(type).block_elements))) append_bytes(bytes, block);
  }
  return bytes;
}

struct OneTensor {
  OneTensor(TensorType type, std::uint64_t width, std::uint64_t height, const ByteVector& data)
      : bytes(test::GgufWriter().add_tensor("w", type, {width, height}, data).bytes()),
        file(gguf::File::parse(bytes, "one.gguf").value()),
        tensor(*file.find_tensor("w")) {}

  ByteVector bytes;
  gguf::File file;
  const gguf::Tensor& tensor;
};

// Rows of a tensor as the only matrix of a model.
Result<PackedWeights> pack(const gguf::File& file, const gguf::Tensor& tensor, std::uint64_t first_row,
                           std::uint32_t row_count) {
  Weights weights;
  weights.file_name = file.name();
  weights.matrices.push_back({tensor, first_row, row_count});
  ThreadPool pool(2);
  return PackedWeights::pack(weights, pool, {});
}

// The weights [output, input] that a packed matrix stands for: what the reference kernel makes of each unit vector.
std::vector<float> unpack(const kernels::PackedMatrix& packed, std::uint32_t input_count) {
  const std::uint32_t width = packed.block_count * kernels::kBlock;
  std::vector<float> weights(std::size_t{packed.output_count} * input_count);
  std::vector<float> out(packed.tile_count() * kernels::kTile);
  for (std::uint32_t k = 0; k < input_count; ++k) {
    std::vector<std::int8_t> int8(width);
    std::vector<std::int16_t> int16(width);
    std::vector<float> scales(packed.block_count);
    std::vector<std::int32_t> sums(packed.block_count);
    int8[k] = 1;
    int16[k] = 1;
    scales[k / kernels::kBlock] = 1;
    sums[k / kernels::kBlock] = 1;
    kernels::kReferenceKernels.matmul(packed, 0, packed.tile_count(),
                                      {int8.data(), int16.data(), scales.data(), sums.data()}, 1, out.data(),
                                      out.size());
    for (std::uint32_t o = 0; o < packed.output_count; ++o) weights[std::size_t{o} * input_count + k] = out[o];
  }
  return weights;
}

::testing::AssertionResult same_bits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes " << a.size() << ", " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) {
      return ::testing::AssertionFailure() << "element " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

struct EveryTensorType : ::testing::TestWithParam<TensorType> {};
struct EveryBlockType : EveryTensorType {};
struct EveryFloatType : EveryTensorType {};

std::string type_name(const ::testing::TestParamInfo<TensorType>& test) {
  return std::string(info_of(test.param).name);
}
INSTANTIATE_TEST_SUITE_P(Types, EveryTensorType, ::testing::ValuesIn(every_type()), type_name);
INSTANTIATE_TEST_SUITE_P(Types, EveryBlockType, ::testing::ValuesIn(kBlockTypes), type_name);
INSTANTIATE_TEST_SUITE_P(Types, EveryFloatType, ::testing::ValuesIn(kFloatTypes), type_name);

TEST_P(EveryBlockType, IsPackedAsItIsDequantised) {
  Random random(1);
  constexpr std::uint32_t kWidth = 512, kHeight = 19;
  const ByteVector blocks = finite_blocks(GetParam(), kWidth * kHeight, random);
  const OneTensor one(GetParam(), kWidth, kHeight, blocks);
  const auto expected = floats_of(GetParam(), blocks.data(), kWidth * kHeight);
  auto packed = pack(one.file, one.tensor, 0, kHeight);
  ASSERT_TRUE(packed.ok()) << packed.error().message;
  const std::vector<float> weights = unpack(packed.value()[0], static_cast<std::uint32_t>(one.tensor.shape[0]));
  ASSERT_EQ(weights.size(), expected.size());
  for (std::size_t i = 0; i < weights.size(); ++i) ASSERT_EQ(weights[i], expected[i]) << i;  // zeros may differ in sign
  auto part = pack(one.file, one.tensor, 2, 3);
  ASSERT_TRUE(part.ok());
  const std::vector<float> rows = unpack(part.value()[0], static_cast<std::uint32_t>(one.tensor.shape[0]));
  for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i], expected[2 * kWidth + i]) << i;
}

TEST_P(EveryFloatType, IsQuantisedWithinHalfAStep) {
  Random random(2);
  constexpr std::uint32_t kWidth = 75, kHeight = 5;
  std::normal_distribution<float> normal;
  std::vector<float> values(kWidth * kHeight);
  for (float& value : values) value = normal(random);
  ByteVector bytes;
  for (const float value : values) {
    // The upper half is a bfloat16; any two bytes are some binary16.
    const auto* parts = reinterpret_cast<const std::uint8_t*>(&value);
    bytes.insert(bytes.end(), parts + 4 - info_of(GetParam()).block_bytes, parts + 4);
  }
  const OneTensor one(GetParam(), kWidth, kHeight, bytes);
  const auto expected = floats_of(GetParam(), bytes.data(), kWidth * kHeight);
  auto packed = pack(one.file, one.tensor, 0, kHeight);
  ASSERT_TRUE(packed.ok()) << packed.error().message;
  const std::vector<float> weights = unpack(packed.value()[0], static_cast<std::uint32_t>(one.tensor.shape[0]));
  for (std::uint32_t row = 0; row < kHeight; ++row) {
    for (std::uint32_t k = 0; k < kWidth; ++k) {
      const std::uint32_t end = std::min(kWidth, k / 32 * 32 + 32);
      float largest = 0;
      for (std::uint32_t i = k / 32 * 32; i < end; ++i)
        largest = std::max(largest, std::abs(expected[row * kWidth + i]));
      EXPECT_NEAR(weights[row * kWidth + k], expected[row * kWidth + k],
                  largest * 0.501f / kernels::kInt16MagnitudeMax);
    }
  }
}

TEST_P(EveryTensorType, TakesAnyBytesAndRefusesWeightsThatAreNotFinite) {
  Random random(3);
  constexpr std::uint32_t kWidth = 256;
  const std::size_t size = kWidth / info_of(GetParam()).block_elements * info_of(GetParam()).block_bytes;
  std::uint32_t refused_count = 0;
  for (int round = 0; round < 300; ++round) {
    ByteVector bytes = random_bytes(size, random);
    if (round < 3) std::ranges::fill(bytes, static_cast<std::uint8_t>(round == 0 ? 0 : round == 1 ? 255 : 0x7f));
    const OneTensor one(GetParam(), kWidth, 1, bytes);
    const bool finite = all_finite(floats_of(GetParam(), bytes.data(), kWidth));
    const auto packed = pack(one.file, one.tensor, 0, 1);
    ASSERT_EQ(packed.ok(), finite) << round;
    refused_count += finite ? 0 : 1;
    if (!finite) {
      EXPECT_EQ(packed.error().message,
                "one.gguf: tensor w: found a weight in row 0 that is infinite or no number, expected finite ones");
    }
  }
  if (GetParam() == TensorType::kNVFP4) {
    EXPECT_EQ(refused_count, 0u);  // its scales are always finite
  } else {
    EXPECT_GT(refused_count, 0u);
  }
}

// Two matrices of several pieces each, the second one first in the file.
struct TwoMatrices {
  static constexpr std::uint32_t kWidth = 1024, kHeight = 4100;

  explicit TwoMatrices(const ByteVector& data)
      : bytes(test::GgufWriter()
                  .add_tensor("b", TensorType::kQ8_0, {kWidth, kHeight}, data)
                  .add_tensor("a", TensorType::kQ8_0, {kWidth, kHeight}, data)
                  .bytes()),
        file(gguf::File::parse(bytes, "two.gguf").value()) {
    weights.file_name = "two.gguf";
    for (const char* name : {"a", "b"}) weights.matrices.push_back({*file.find_tensor(name), 0, kHeight});
  }

  ByteVector bytes;
  gguf::File file;
  Weights weights;
};

TEST(PackedWeights, GivesTheSameBytesOnAnyNumberOfThreads) {
  Random random(5);
  const ByteVector data =
      finite_blocks(TensorType::kQ8_0, std::size_t{TwoMatrices::kWidth} * TwoMatrices::kHeight, random);
  const TwoMatrices one(data), many(data);
  ThreadPool one_thread(1), three_threads(3);
  const auto one_packed = PackedWeights::pack(one.weights, one_thread, {});
  std::atomic<std::size_t> done_bytes{0};
  std::atomic<int> task_count{0};
  const auto many_packed = PackedWeights::pack(
      many.weights, three_threads,
      {.concurrent_task = [&] { ++task_count; }, .on_consumed = [&](ByteSpan part) { done_bytes += part.size(); }});
  ASSERT_TRUE(one_packed.ok() && many_packed.ok());
  EXPECT_EQ(task_count, 1);
  EXPECT_EQ(done_bytes, 2 * data.size());
  const auto bytes_of = [](const kernels::PackedMatrix& matrix) { return ByteSpan(matrix.data, packed_bytes(matrix)); };
  for (std::uint32_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(std::ranges::equal(bytes_of(one_packed.value()[i]), bytes_of(many_packed.value()[i]))) << i;
    EXPECT_TRUE(std::ranges::equal(bytes_of(one_packed.value()[0]), bytes_of(one_packed.value()[i]))) << i;
  }
}

TEST(PackedWeights, NamesTheFirstWeightOfTheFileThatIsNotFinite) {
  const std::size_t row_bytes = TwoMatrices::kWidth / 32 * 34;
  ByteVector data(row_bytes * TwoMatrices::kHeight);
  for (const std::size_t row : {1500, 1501, 4000}) data[row * row_bytes + 1] = 0x7c;  // a scale that is infinite
  const TwoMatrices two(data);
  for (int round = 0; round < 20; ++round) {
    ThreadPool pool(1 + round % 4);
    const auto status = PackedWeights::pack(two.weights, pool, {});
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().message,
              "two.gguf: tensor b: found a weight in row 1500 that is infinite or no number, expected finite ones");
  }
}

std::uint64_t hash_of(std::span<const float> values) {
  std::uint64_t hash = 0;
  for (const float value : values) {
    hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

// Taken when all rows of the kit were equal, for where the kit is not at hand.
TEST(Quants, DequantisesTheSameBitsAsWhenTheKitWasCompared) {
  const std::vector<std::uint64_t> expected = {
      // in the order of every_type()
      1427795555683815609u,  1925217535610207012u,  16670588484797395039u, 16155050701778026357u, 14595286618100142737u,
      11246087040817623123u, 11025542953267656993u, 9192703852183215001u,  9342564845678067914u,  3058153303739965138u,
      13148682790417202955u, 11203417241943474907u, 12289151302490872955u, 1243657251155251392u,  6556593768545603275u,
      4602482135887040597u,  7067568380620275387u,  14292810383139473349u, 9349117657156953443u,  9786931713654932612u,
      10729130120149339388u, 10539749171687960565u, 13831296095308818697u, 6274441858740458909u,  15822727862771544863u,
      1421908009010445885u,
  };
  std::vector<std::uint64_t> found;
  for (const TensorType type : every_type()) {
    Random random(4);
    const ByteVector blocks = finite_blocks(type, 16384, random);
    found.push_back(hash_of(floats_of(type, blocks.data(), 16384)));
  }
  EXPECT_EQ(found, expected);
}

TEST(Quants, RefusesTypesThatAreNoWeights) {
  for (const TensorType type : {TensorType::kQ8_1, TensorType::kQ8_K, TensorType::kI8, TensorType::kI16,
                                TensorType::kI32, TensorType::kI64, TensorType::kF64}) {
    EXPECT_FALSE(is_weight_type(type)) << info_of(type).name;
  }
  for (const TensorType type : every_type()) EXPECT_TRUE(is_weight_type(type)) << info_of(type).name;
}

TEST(Quants, AScaleOfMxfp4ThatOverflowsWithItsIntegersIsRefused) {
  ByteVector block(17, 0x77);  // the largest integer, 12, everywhere
  for (const auto& [exponent, finite] : {std::pair{252, true}, {253, false}, {255, false}}) {
    block[0] = static_cast<std::uint8_t>(exponent);
    const OneTensor one(TensorType::kMXFP4, 32, 1, block);
    EXPECT_EQ(pack(one.file, one.tensor, 0, 1).ok(), finite) << exponent;
  }
}

TEST(Quants, EqualsTheRowsOfTheKitToTheBit) {
  TACIT_NEEDS_SHARED("conformance/quants");
  std::set<TensorType> types;
  for (const auto& path : test::shared_files("conformance/quants", ".gguf")) {
    SCOPED_TRACE(path.filename());
    const auto mapped = MappedFile::open(path.string());
    ASSERT_TRUE(mapped.ok());
    const auto file = gguf::File::parse(mapped.value().bytes(), path.filename());
    ASSERT_TRUE(file.ok());
    const std::string stem = (path.parent_path() / path.stem()).string();
    const auto rows = MappedFile::open(stem + ".rows.f32");
    ASSERT_TRUE(rows.ok());
    const nlohmann::json description = nlohmann::json::parse(std::ifstream(stem + ".rows.json"));
    for (const auto& entry : description.at("tensors")) {
      const gguf::Tensor& tensor = *file.value().find_tensor(entry.at("tensor").get<std::string>());
      const std::uint64_t count = tensor.shape[0] * entry.at("rows").get<std::uint64_t>();
      std::vector<float> expected(count);
      std::memcpy(expected.data(), rows.value().bytes().data() + 4 * entry.at("offset_floats").get<std::size_t>(),
                  4 * count);
      EXPECT_TRUE(same_bits(floats_of(tensor.type->type, tensor.data.data(), count), expected)) << tensor.name;
      types.insert(tensor.type->type);
    }
  }
  for (const TensorType type : every_type()) {
    EXPECT_TRUE(types.contains(type) || type == TensorType::kF32) << "no tensor of " << info_of(type).name;
  }
}

}  // namespace
}  // namespace tacit
