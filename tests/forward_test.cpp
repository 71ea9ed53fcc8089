// SPDX-License-Identifier: MIT
// The engine's promises: identical bits for every kernel set, thread count, batch of lanes and prefill chunk, text
// longer than the window included; and logits close to a float64 forward pass of the same model.
#include "engine/cpu/forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "oracle/oracle.h"
#include "support/cpu_model.h"
#include "support/lanes.h"
#include "support/shared_data.h"
#include "support/tiny_model.h"
#include "tokenizer/tokenizer.h"

namespace tacit {
namespace {

using gguf::TensorType;
using test::Combinations;
using test::divergence;
using test::first_difference;
using test::random_tokens;
using test::run_lanes;
using test::TinyModelBuilder;
using test::TinyShape;

// A model with the file that it points into.
struct OwnedModel {
  explicit OwnedModel(ByteVector file_bytes) : bytes(std::move(file_bytes)) {
    auto parsed = gguf::File::parse(bytes, "test model");
    EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
    file = std::move(parsed).value();
    auto loaded = Model::load(file);
    EXPECT_TRUE(loaded.ok()) << (loaded.ok() ? "" : loaded.error().message);
    model = std::move(loaded).value();
  }
  OwnedModel(const OwnedModel&) = delete;
  ByteVector bytes;
  gguf::File file;
  Model model;
};

ByteVector read_file(const std::string& path) {
  const auto mapped = MappedFile::open(path);
  EXPECT_TRUE(mapped.ok()) << path;
  const ByteSpan bytes = mapped.value().bytes();
  return {bytes.begin(), bytes.end()};
}

const Combinations kAll = {{1, 2, 5}, {1, 3, 16}, {1, 7, 64}};
const Combinations kFew = {{1, 3}, {1, 3}, {1, 7, 64}};

void expect_same_bits_everywhere(const Model& model, std::uint32_t window, std::uint32_t length,
                                 const Combinations& combinations = kAll) {
  EXPECT_EQ(first_difference(model, window, length, combinations), "");
}

TEST(Forward, GivesTheSameBitsForEverySetThreadLaneAndChunkWithEightBitWeights) {
  const OwnedModel owned(TinyModelBuilder(TinyShape{}).build());
  expect_same_bits_everywhere(owned.model, 256, 80);
}

TEST(Forward, GivesTheSameBitsWhenTheTextIsLongerThanTheWindow) {
  const OwnedModel owned(TinyModelBuilder(TinyShape{}).build());
  expect_same_bits_everywhere(owned.model, 24, 150);
}

TEST(Forward, GivesTheSameBitsForEveryTensorTypeAndOddShapes) {
  TinyShape shape;
  shape.width = 96;
  shape.head_count = 6;
  shape.kv_head_count = 3;
  shape.head_dim = 12;
  shape.ffn_width = 100;
  shape.types = {TensorType::kF16, TensorType::kF32, TensorType::kBF16};
  const OwnedModel floats(TinyModelBuilder(shape).build());
  expect_same_bits_everywhere(floats.model, 40, 70);
  shape.head_count = 2;
  shape.kv_head_count = 1;
  shape.head_dim = 160;  // more than one group of values
  shape.ffn_width = 160;
  shape.tied = true;
  shape.types = {TensorType::kQ4_0, TensorType::kQ8_0, TensorType::kBF16};
  const OwnedModel mixed(TinyModelBuilder(shape).build());
  expect_same_bits_everywhere(mixed.model, 40, 70);
}

TEST(Forward, GivesTheSameBitsOnKitModelsOfEveryArchitecture) {
  TACIT_NEEDS_SHARED("conformance/models");
  for (const auto& path : test::shared_files("conformance/models", ".gguf")) {
    SCOPED_TRACE(path.stem());
    const OwnedModel owned(read_file(path));
    expect_same_bits_everywhere(owned.model, 40, 70, kFew);  // beyond the window
  }
}

TEST(Forward, ALaneDoesNotRememberTheTextBefore) {
  const OwnedModel owned(TinyModelBuilder(TinyShape{}).build());
  const auto first = random_tokens(60, owned.model.config.vocabulary_size, 1);
  const auto second = random_tokens(60, owned.model.config.vocabulary_size, 2);
  const kernels::Kernels& kernels = *kernels::find_kernels("");
  LaneCache cache(owned.model.config, 32, 64);
  const PackedWeights weights = test::pack(owned.model);
  Forward forward(owned.model, weights, kernels, 32, nullptr);
  const std::uint32_t stride = kernels::round_up(owned.model.config.vocabulary_size, kernels::kTile);
  std::vector<float> last(stride);
  for (const auto& tokens : {first, second}) {
    for (std::uint32_t p = 0; p < tokens.size(); ++p) {
      const Row row{0, p, tokens[p]};
      forward.run({&cache, 1}, {&row, 1});
    }
    const std::uint32_t index = 0;
    forward.logits({&index, 1}, last.data(), stride);
  }
  const auto alone = run_lanes(owned.model, {&kernels, 1, 1, 1, 32}, {second})[0];
  EXPECT_TRUE(std::equal(alone.end() - owned.model.config.vocabulary_size, alone.end(), last.begin()));
}

double mean_divergence(const OwnedModel& owned, const std::vector<TokenId>& tokens, std::uint32_t window) {
  const auto loaded = oracle::load(owned.file, window);
  EXPECT_TRUE(loaded.ok()) << (loaded.ok() ? "" : loaded.error().message);
  const auto found = run_lanes(owned.model, {kernels::find_kernels(""), 2, 1, 64, window}, {tokens})[0];
  // With learned positions every window is a text of its own.
  const std::size_t piece = owned.model.config.learns_positions() ? window : tokens.size();
  double total = 0;
  for (std::size_t begin = 0; begin < tokens.size(); begin += piece) {
    const std::span<const TokenId> part = std::span(tokens).subspan(begin, std::min(piece, tokens.size() - begin));
    const oracle::Matrix expected = oracle::logits(loaded.value(), part, {window >= part.size() ? 0 : window});
    for (std::size_t p = 0; p < part.size(); ++p) {
      const std::size_t vocabulary = expected.column_count;
      total += divergence(expected.row(p), std::span(found).subspan((begin + p) * vocabulary, vocabulary));
    }
  }
  return total / static_cast<double>(tokens.size());
}

// Where two experts are nearly as good, quantisation can make the router choose the other one, and a random model's
// logits are then those of another model at that position.
double divergence_bound(const OwnedModel& owned) { return owned.model.config.expert_count > 0 ? 0.1 : 0.005; }

TEST(Forward, StaysCloseToFloatOnKitModelsAlsoBeyondTheWindow) {
  TACIT_NEEDS_SHARED("conformance/models");
  for (const auto& path : test::shared_files("conformance/models", ".gguf")) {
    const OwnedModel owned(read_file(path));
    auto tokens_path = path;
    const auto tokens = nlohmann::json::parse(std::ifstream(tokens_path.replace_extension(".tokens.json")))["tokens"]
                            .get<std::vector<TokenId>>();
    for (const std::uint32_t window : {256u, 40u}) {
      if (window > owned.model.config.window_max()) continue;  // more than there are learned positions
      const double mean = mean_divergence(owned, tokens, window);
      std::printf("KL %s, window %u: %.6f nats per token\n", path.stem().c_str(), window, mean);
      EXPECT_LT(mean, divergence_bound(owned)) << path << ", window " << window;
    }
  }
}

TEST(Forward, GivesTheSameBitsForQuantisedKitModels) {
  TACIT_NEEDS_SHARED("conformance/quants");
  for (const char* name : {"Q2_K", "NVFP4"}) {  // the first has Q3_K, Q4_K and Q6_K as well
    const OwnedModel owned(read_file(test::shared_data_path(std::string("conformance/quants/") + name + ".gguf")));
    expect_same_bits_everywhere(owned.model, 8, 17);
  }
}

// Nothing but the activations is rounded: a type costs no more than the next one.
TEST(Forward, StaysCloseToFloatForEveryTensorType) {
  TACIT_NEEDS_SHARED("conformance/quants");
  const auto folder = test::shared_data_path("conformance/quants");
  const auto tokens =
      nlohmann::json::parse(std::ifstream(folder / "tokens.json")).at("tokens").get<std::vector<TokenId>>();
  const auto paths = test::shared_files("conformance/quants", ".gguf");
  for (const auto& path : paths) {
    const OwnedModel owned(read_file(path));
    const std::uint32_t vocabulary_size = owned.model.config.vocabulary_size;
    const ByteVector reference = read_file((folder / path.stem()).string() + ".logits_dequant.f32");
    const auto found = run_lanes(owned.model, {kernels::find_kernels(""), 1, 1, 64, 256}, {tokens})[0];
    ASSERT_EQ(reference.size(), tokens.size() * vocabulary_size * sizeof(float)) << path;
    double total = 0;
    for (std::size_t p = 0; p < tokens.size(); ++p) {
      std::vector<double> expected(vocabulary_size);
      for (std::size_t i = 0; i < vocabulary_size; ++i) {
        expected[i] = load_unaligned<float>(reference.data() + 4 * (p * vocabulary_size + i));
      }
      total += divergence(expected, std::span(found).subspan(p * vocabulary_size, vocabulary_size));
    }
    EXPECT_LT(total / static_cast<double>(tokens.size()), 0.0045) << path;
  }
  EXPECT_EQ(paths.size(), 25u);
}

constexpr const char* kText =
    "To keep a loaf of bread fresh for a few days, let it cool down fully before you wrap it. Warm bread gives off "
    "steam, and steam makes the crust soft. A paper bag is good for the first day; after that, a clean cloth or a "
    "bread box will slow down the drying. Do not put bread in the fridge, because the cold makes it stale faster. "
    "If you have more than you can eat, cut it into slices and freeze them. You can then take out one slice at a "
    "time and toast it.\n\nHere are three things to remember:\n1. Cool the bread before wrapping.\n2. Keep it dry, "
    "but not too dry.\n3. Freeze what you do not need this week.\n";

TEST(Forward, StaysCloseToFloatOnTheBuiltInModelAlsoBeyondTheWindow) {
  const OwnedModel owned(read_file(TACIT_SOURCE_DIR "/models/tacit-small-q8_0.gguf"));
  const auto tokenizer = Tokenizer::load(owned.file);
  ASSERT_TRUE(tokenizer.ok());
  std::vector<TokenId> tokens{tokenizer.value()->context_start_token()};
  for (const TokenId token : tokenizer.value()->encode(as_bytes(kText))) tokens.push_back(token);
  for (const std::uint32_t window : {256u, 48u}) {
    const double mean = mean_divergence(owned, tokens, window);
    std::printf("KL built-in model, window %u: %.6f nats per token over %zu tokens\n", window, mean, tokens.size());
    EXPECT_LT(mean, 0.001);
  }
}

TEST(Forward, RefusesModelsItCannotRunAndNamesTheReason) {
  const auto with_metadata = [](auto change) {
    test::GgufWriter writer;
    change(writer);
    const ByteVector bytes = writer.bytes();
    const auto file = gguf::File::parse(bytes, "m.gguf");
    EXPECT_TRUE(file.ok());
    const auto config = Config::load(file.value());
    return config.ok() ? std::string("accepted") : config.error().message;
  };
  EXPECT_EQ(with_metadata([](auto& w) { w.add("general.architecture", std::string("bert")); })
                .rfind("m.gguf: general.architecture: found \"bert\", expected one of arcee, deepseek, ", 0),
            0u);
  const auto add_architecture = [](auto& w) { w.add("general.architecture", std::string("llama")); };
  EXPECT_NE(with_metadata(add_architecture).find("llama.block_count"), std::string::npos);
}

}  // namespace
}  // namespace tacit
