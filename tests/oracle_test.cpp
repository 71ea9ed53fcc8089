// SPDX-License-Identifier: MIT
// The oracle gives the logits that an independent engine gave for every dense llama model of the conformance kit, reads
// the metadata that those models leave out, and its sliding band means what it says.
#include "oracle/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/file.h"
#include "oracle/family.h"
#include "support/gguf_writer.h"
#include "support/shared_data.h"

namespace tacit {
namespace {

using gguf::TensorType;
using oracle::Matrix;
using oracle::Model;
using test::GgufWriter;
using test::shared_data_path;
using Tokens = std::vector<std::int32_t>;

nlohmann::json read_json(const std::filesystem::path& path) { return nlohmann::json::parse(std::ifstream(path)); }

Result<Model> load_model(const std::filesystem::path& path, std::size_t context_length = 0) {
  TACIT_ASSIGN(const MappedFile mapped, MappedFile::open(path.string()));
  TACIT_ASSIGN(const gguf::File file, gguf::File::parse(mapped.bytes(), path.filename().string()));
  return oracle::load(file, context_length);
}

double largest_difference(std::span<const double> a, std::span<const double> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference;  // a NaN is kept
  }
  return largest;
}

std::vector<double> read_floats(const std::filesystem::path& path) {
  const auto mapped = MappedFile::open(path.string());
  EXPECT_TRUE(mapped.ok()) << mapped.error().message;
  if (!mapped.ok()) return {};
  const ByteSpan bytes = mapped.value().bytes();
  std::vector<double> floats;
  for (std::size_t i = 0; i < bytes.size(); i += 4) floats.push_back(load_unaligned<float>(bytes.data() + i));
  return floats;
}

void expect_reference(const std::filesystem::path& model_path, const std::filesystem::path& tokens_path,
                      const std::filesystem::path& logits_path, double tolerance, std::size_t context_length = 0) {
  SCOPED_TRACE(model_path.filename());
  const Result<Model> model = load_model(model_path, context_length);
  ASSERT_TRUE(model.ok()) << model.error().message;
  const Tokens tokens = read_json(tokens_path).at("tokens").get<Tokens>();
  const double difference = largest_difference(oracle::logits(model.value(), tokens).values, read_floats(logits_path));
  EXPECT_LE(difference, tolerance);
  std::printf("%s: largest difference %.2e\n", model_path.stem().c_str(), difference);
}

TEST(Oracle, ReproducesEveryModelOfTheKit) {
  TACIT_NEEDS_SHARED("conformance/models");
  const auto folder = shared_data_path("conformance/models");
  std::set<std::string> seen;
  for (const auto& entry : read_json(folder / "manifest.json")) {
    const auto stem = folder / entry.at("name").get<std::string>();
    expect_reference(stem.string() + ".gguf", stem.string() + ".tokens.json", stem.string() + ".logits.f32", 2e-4,
                     entry.at("n_ctx").get<std::size_t>());
    seen.insert(entry.at("arch").get<std::string>());
  }
  for (const oracle::Family& family : oracle::families()) {
    EXPECT_EQ(seen.contains(std::string(family.name)), family.name != "openelm") << family.name;
  }
}

TEST(Oracle, ReproducesQuantisedModelsOfTheKitAndRefusesTypesItDoesNotKnow) {
  TACIT_NEEDS_SHARED("conformance/quants");
  const auto folder = shared_data_path("conformance/quants");
  const std::set<std::string> known = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q6_K"};
  int known_count = 0, unknown_count = 0;
  for (const auto& entry : read_json(folder / "manifest.json")) {
    const auto stem = folder / entry.at("type").get<std::string>();
    const auto& types = entry.at("tensor_types").items();
    if (std::all_of(types.begin(), types.end(), [&](const auto& type) { return known.contains(type.key()); })) {
      expect_reference(stem.string() + ".gguf", folder / "tokens.json", stem.string() + ".logits_dequant.f32", 1e-3);
      ++known_count;
    } else {
      const auto model = load_model(stem.string() + ".gguf");
      ASSERT_FALSE(model.ok()) << stem;
      EXPECT_NE(model.error().message.find("is of type"), std::string::npos) << model.error().message;
      ++unknown_count;
    }
  }
  EXPECT_GE(known_count, 4);
  EXPECT_GT(unknown_count, 0);
}

// A random model, small enough to be made in a test: width 8, two heads that share one key-value head, vocabulary 11.
constexpr std::uint64_t kWidth = 8, kHidden = 12, kVocabulary = 11;

void add_random_tensor(GgufWriter& writer, const std::string& name, const std::vector<std::uint64_t>& shape) {
  std::seed_seq seed(name.begin(), name.end());
  std::mt19937 random(seed);
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) count *= dimension;
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random()) / 2147483648.0f - 1.0f;
  writer.add_tensor_of(name, TensorType::kF32, shape, values);
}

Model random_model(std::uint32_t layer_count, const std::function<void(GgufWriter&)>& add_metadata = {}) {
  GgufWriter writer;
  writer.add("general.architecture", "llama").add("llama.block_count", layer_count);
  writer.add("llama.embedding_length", std::uint32_t{kWidth}).add("llama.feed_forward_length", std::uint32_t{kHidden});
  writer.add("llama.attention.head_count", std::uint32_t{2}).add("llama.attention.head_count_kv", std::uint32_t{1});
  writer.add("llama.attention.layer_norm_rms_epsilon", 1e-3f);
  if (add_metadata) add_metadata(writer);
  add_random_tensor(writer, "token_embd.weight", {kWidth, kVocabulary});
  add_random_tensor(writer, "output_norm.weight", {kWidth});
  for (std::uint32_t i = 0; i < layer_count; ++i) {
    const std::string prefix = "blk." + std::to_string(i) + ".";
    add_random_tensor(writer, prefix + "attn_norm.weight", {kWidth});
    add_random_tensor(writer, prefix + "attn_q.weight", {kWidth, kWidth});
    add_random_tensor(writer, prefix + "attn_k.weight", {kWidth, kWidth / 2});
    add_random_tensor(writer, prefix + "attn_v.weight", {kWidth, kWidth / 2});
    add_random_tensor(writer, prefix + "attn_output.weight", {kWidth, kWidth});
    add_random_tensor(writer, prefix + "ffn_norm.weight", {kWidth});
    add_random_tensor(writer, prefix + "ffn_gate.weight", {kWidth, kHidden});
    add_random_tensor(writer, prefix + "ffn_up.weight", {kWidth, kHidden});
    add_random_tensor(writer, prefix + "ffn_down.weight", {kHidden, kWidth});
  }
  const ByteVector bytes = writer.bytes();
  const auto file = gguf::File::parse(bytes, "random");
  return oracle::load(file.value()).value();
}

const Tokens kTokens = {1, 5, 2, 8, 10, 3, 0, 7, 7, 4, 9, 6, 5, 1, 2, 3};

// Logits of `changed` against those of kTokens, position by position: the first that differs.
std::size_t first_difference(const Model& model, const Tokens& changed, const oracle::AttentionRule& rule,
                             std::size_t from) {
  const Matrix a = oracle::logits(model, kTokens, rule), b = oracle::logits(model, changed, rule);
  std::size_t p = from;
  while (p < a.row_count && largest_difference(a.row(p), b.row(p)) < 1e-9) ++p;
  return p;
}

TEST(Oracle, TakesTheLegacyNameOfTheLinearFactor) {
  const auto with = [](const char* key, const char* type) {
    return oracle::logits(random_model(1,
                                       [&](GgufWriter& w) {
                                         w.add(key, 4.0f);
                                         if (type != nullptr) w.add("llama.rope.scaling.type", type);
                                       }),
                          kTokens)
        .values;
  };
  const auto modern = with("llama.rope.scaling.factor", "linear");
  const auto unscaled = oracle::logits(random_model(1), kTokens).values;
  EXPECT_EQ(with("llama.rope.scale_linear", nullptr), modern);
  EXPECT_EQ(with("llama.rope.scaling.factor", nullptr), modern);
  EXPECT_EQ(with("llama.rope.scaling.factor", "none"), unscaled);
  EXPECT_GT(largest_difference(modern, unscaled), 1e-3);
}

TEST(Oracle, LooksOnlyBack) {
  Tokens changed = kTokens;
  changed[9] = 0;
  EXPECT_EQ(first_difference(random_model(2), changed, {}, 0), 9u);
}

TEST(OracleBand, EqualsFullAttentionWhileTheTextFits) {
  const Model model = random_model(2);
  const Matrix full = oracle::logits(model, kTokens), band = oracle::logits(model, kTokens, {kTokens.size()});
  EXPECT_EQ(full.values, band.values);
}

TEST(OracleBand, ForgetsWhatLeftTheWindowButNotTheSink) {
  constexpr std::size_t kWindow = 6;
  const Model model = random_model(1);
  Tokens changed = kTokens;
  changed[3] = 0;
  // Position 3 is seen last from p with p - kWindow + 2 == 3.
  EXPECT_EQ(first_difference(model, changed, {kWindow}, 3 + kWindow - 1), kTokens.size());
  EXPECT_EQ(first_difference(model, changed, {kWindow}, 3 + kWindow - 2), 3 + kWindow - 2);
  changed = kTokens;
  changed[0] = 0;
  EXPECT_EQ(first_difference(model, changed, {kWindow}, kTokens.size() - 1), kTokens.size() - 1);
}

TEST(OracleBand, SeesTheSinkAndTheLastTokensAsATextOfTheirOwn) {
  // With one layer, logits depend on what is attended to and at which distance, and on nothing else.
  constexpr std::size_t kWindow = 6;
  const Model model = random_model(1);
  const Matrix band = oracle::logits(model, kTokens, {kWindow});
  for (std::size_t p = kWindow; p < kTokens.size(); ++p) {
    Tokens seen = {kTokens[0]};
    for (std::size_t j = p - kWindow + 2; j <= p; ++j) seen.push_back(kTokens[j]);
    ASSERT_EQ(seen.size(), kWindow);
    EXPECT_LT(largest_difference(band.row(p), oracle::logits(model, seen).row(kWindow - 1)), 1e-12) << p;
  }
}

}  // namespace
}  // namespace tacit
