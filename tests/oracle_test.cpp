// SPDX-License-Identifier: MIT
// The oracle gives the logits that an independent engine gave for every model of the conformance kit, gives the
// metadata that those leave out the values that they imply, refuses what it does not know, and its sliding band means
// what it says.
#include "oracle/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "oracle/family.h"
#include "support/model_parts.h"
#include "support/shared_data.h"

namespace tacit {
namespace {

using oracle::Matrix;
using oracle::Model;
using test::ModelParts;
using test::Setting;
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
  const std::set<std::string> others = {"openelm", "xverse", "starcoder", "arcee"};  // have tests of their own
  for (const oracle::Family& family : oracle::families()) {
    const std::string name(family.name);
    EXPECT_NE(seen.contains(name), others.contains(name)) << name;
  }
}

TEST(Oracle, ReproducesEveryQuantisedModelOfTheKit) {
  TACIT_NEEDS_SHARED("conformance/quants");
  const auto folder = shared_data_path("conformance/quants");
  for (const auto& entry : read_json(folder / "manifest.json")) {
    const auto stem = folder / entry.at("type").get<std::string>();
    expect_reference(stem.string() + ".gguf", folder / "tokens.json", stem.string() + ".logits_dequant.f32", 2e-4);
  }
}

Result<Model> load_parts(const ModelParts& parts, std::size_t context_length = 0) {
  const ByteVector bytes = parts.bytes();
  TACIT_ASSIGN(const gguf::File file, gguf::File::parse(bytes, "parts"));
  return oracle::load(file, context_length);
}

std::string refusal_of(const ModelParts& parts) {
  const Result<Model> model = load_parts(parts);
  EXPECT_FALSE(model.ok());
  return model.ok() ? "" : model.error().message;
}

std::vector<double> logits_of(const ModelParts& parts, const Tokens& tokens) {
  const Result<Model> model = load_parts(parts);
  EXPECT_TRUE(model.ok()) << model.error().message;
  return model.ok() ? oracle::logits(model.value(), tokens).values : std::vector<double>{};
}

ModelParts kit_model(const std::string& name) {
  const auto mapped = MappedFile::open(shared_data_path("conformance/models/" + name + ".gguf").string());
  const auto file = gguf::File::parse(mapped.value().bytes(), name);
  return ModelParts::of(file.value());
}

// A random model, small enough to be made in a test: width 8, two heads that share one key-value head, vocabulary 11.
constexpr std::uint32_t kWidth = 8, kHidden = 12, kVocabulary = 11;

ModelParts random_llama(std::uint32_t layer_count) {
  ModelParts parts{"llama", {}, {}};
  parts.settings = {{"block_count", layer_count},     {"embedding_length", kWidth},
                    {"feed_forward_length", kHidden}, {"attention.head_count", 2u},
                    {"attention.head_count_kv", 1u},  {"attention.layer_norm_rms_epsilon", 1e-3f}};
  parts.add_random("token_embd.weight", {kWidth, kVocabulary});
  parts.add_random("output_norm.weight", {kWidth});
  for (std::uint32_t i = 0; i < layer_count; ++i) {
    const std::string prefix = "blk." + std::to_string(i) + ".";
    parts.add_random(prefix + "attn_norm.weight", {kWidth});
    parts.add_random(prefix + "attn_q.weight", {kWidth, kWidth});
    parts.add_random(prefix + "attn_k.weight", {kWidth, kWidth / 2});
    parts.add_random(prefix + "attn_v.weight", {kWidth, kWidth / 2});
    parts.add_random(prefix + "attn_output.weight", {kWidth, kWidth});
    parts.add_random(prefix + "ffn_norm.weight", {kWidth});
    parts.add_random(prefix + "ffn_gate.weight", {kWidth, kHidden});
    parts.add_random(prefix + "ffn_up.weight", {kWidth, kHidden});
    parts.add_random(prefix + "ffn_down.weight", {kHidden, kWidth});
  }
  return parts;
}

Model random_model(std::uint32_t layer_count) { return load_parts(random_llama(layer_count)).value(); }

const Tokens kTokens = {1, 5, 2, 8, 10, 3, 0, 7, 7, 4, 9, 6, 5, 1, 2, 3};

// Long enough for the windows of the kit.
Tokens long_text() {
  Tokens tokens;
  for (std::int32_t i = 0; i < 60; ++i) tokens.push_back(i * i * 7 % 240);
  return tokens;
}

// Silence about a key means a value; another value is another model.
struct Implied {
  std::string model, key;
  Setting value, other;
};

const std::vector<Implied> kImplied = {
    {"llama2", "attention.head_count_kv", 4u, 2u},
    {"llama2", "rope.dimension_count", 16u, 8u},
    {"llama2", "rope.freq_base", 10000.0f, 500.0f},
    {"llama2", "rope.scaling.factor", 1.0f, 4.0f},
    {"llama2", "rope.scaling.attn_factor", 1.0f, 1.5f},
    {"llama_yarn", "rope.scaling.original_context_length", 512u, 64u},
    {"mistral_headdim", "expert_count", 0u, 2u},
    {"gemma2", "attention.sliding_window", 4096u, 20u},
    {"gemma2", "attention.sliding_window_pattern", 2u, 3u},
    {"gemma2", "rope.freq_base_swa", 10000.0f, 500.0f},
    {"gemma2", "attn_logit_softcapping", 50.0f, 5.0f},
    {"gemma2", "final_logit_softcapping", 30.0f, 5.0f},
    {"gemma3", "attention.sliding_window", 0u, 20u},
    {"gemma3", "attention.sliding_window_pattern", 6u, 3u},
    {"gemma3", "rope.freq_base_swa", 10000.0f, 500.0f},
    {"gemma3", "final_logit_softcapping", 0.0f, 5.0f},
    {"gpt_oss", "attention.sliding_window_pattern", 2u, 3u},
    {"gpt_oss", "rope.freq_base_swa", 150000.0f, 500.0f},
    {"cohere2", "attention.sliding_window_pattern", 4u, 2u},
    {"olmo2_swa", "attention.sliding_window", 0u, 20u},
    {"olmo2_swa", "attention.sliding_window_pattern", 4u, 2u},
    {"olmo", "attention.clamp_kqv", 0.0f, 0.5f},
    {"mpt", "attention.clamp_kqv", 0.0f, 0.5f},
    {"granite", "embedding_scale", 1.0f, 2.0f},
    {"granite", "residual_scale", 1.0f, 2.0f},
    {"granite", "attention.scale", 0.25f, 0.5f},
    {"granite", "rope.scaling.finetuned", true, false},
    {"deepseek_moe", "expert_weights_scale", 1.0f, 2.0f},
    {"rwkv6", "rescale_every_n_layers", 0u, 1u},
    {"mamba", "ssm.dt_b_c_rms", false, true},
};

TEST(Oracle, GivesSilentMetadataTheirImpliedValues) {
  TACIT_NEEDS_SHARED("conformance/models");
  const Tokens tokens = long_text();
  for (const Implied& implied : kImplied) {
    SCOPED_TRACE(implied.model + ": " + implied.key);
    ModelParts parts = kit_model(implied.model);
    parts.settings.erase(implied.key);
    const std::vector<double> silent = logits_of(parts, tokens);
    parts.settings[implied.key] = implied.value;
    EXPECT_LT(largest_difference(silent, logits_of(parts, tokens)), 1e-6);
    parts.settings[implied.key] = implied.other;
    const Result<Model> other = load_parts(parts);  // another shape is an error
    if (!other.ok()) continue;
    EXPECT_GT(largest_difference(silent, oracle::logits(other.value(), tokens).values), 1e-3);
  }
}

// Keys that llama.cpp does not read for these architectures, or not in this form.
TEST(Oracle, PassesOverKeysWithoutAMeaning) {
  TACIT_NEEDS_SHARED("conformance/models");
  const std::vector<Implied> ignored = {
      {"llama2", "attention.sliding_window", 8u, {}},
      {"phi3", "attention.sliding_window", 8u, {}},
      {"llama2", "rope.scaling.finetuned", false, {}},
      {"llama_yarn", "rope.scaling.yarn_beta_fast", 4.0f, {}},
      {"cohere2", "rope.freq_base_swa", 500.0f, {}},
      {"olmo2_swa", "rope.freq_base_swa", 500.0f, {}},
      {"qwen3moe", "expert_weights_scale", 3.0f, {}},
      {"gemma3", "attention.sliding_window_pattern", std::vector<std::uint32_t>{1, 0, 1, 0, 1, 0, 1}, {}},
  };
  const Tokens tokens = long_text();
  for (const Implied& key : ignored) {
    SCOPED_TRACE(key.model + ": " + key.key);
    ModelParts parts = kit_model(key.model);
    const std::vector<double> without = logits_of(parts, tokens);
    parts.settings[key.key] = key.value;
    EXPECT_EQ(logits_of(parts, tokens), without);
  }
}

// Scaling of positions is for the layers that see far.
TEST(Oracle, LeavesLocalLayersUnscaledWhereTheArchitectureDoes) {
  TACIT_NEEDS_SHARED("conformance/models");
  for (const bool local_scaled : {false, true}) {
    ModelParts parts = kit_model(local_scaled ? "gemma2" : "gemma3");
    parts.keep_layers(1);
    const std::vector<double> plain = logits_of(parts, long_text());
    parts.settings["rope.scaling.factor"] = 8.0f;
    EXPECT_EQ(largest_difference(plain, logits_of(parts, long_text())) > 1e-3, local_scaled);
  }
  ModelParts parts = kit_model("olmo2_swa");
  parts.keep_layers(1);
  const std::vector<double> plain = logits_of(parts, long_text());
  parts.settings["rope.scaling.type"] = "yarn";
  parts.settings["rope.scaling.factor"] = 8.0f;
  parts.settings["rope.scaling.attn_factor"] = 1.5f;
  EXPECT_EQ(logits_of(parts, long_text()), plain);
}

// A tensor that a file may have, filled with the number that makes it say nothing, or at random.
struct Optional {
  std::string model, tensor;
  std::vector<std::uint64_t> shape;
  float neutral;
};

TEST(Oracle, UsesTensorsThatAFileMayHave) {
  TACIT_NEEDS_SHARED("conformance/models");
  const std::vector<Optional> optionals = {
      {"llama2", "blk.0.attn_q.bias", {64}, 0},      {"llama2", "blk.1.attn_output.bias", {64}, 0},
      {"llama2", "rope_freqs.weight", {8}, 1},       {"exaone", "rope_freqs.weight", {8}, 1},
      {"granite", "rope_freqs.weight", {8}, 1},      {"qwen2", "output.bias", {287}, 0},
      {"mpt", "position_embd.weight", {64, 512}, 0}, {"mpt", "blk.0.attn_norm.bias", {64}, 0},
      {"mpt", "output_norm.bias", {64}, 0},
  };
  for (const Optional& optional : optionals) {
    SCOPED_TRACE(optional.model + ": " + optional.tensor);
    ModelParts parts = kit_model(optional.model);
    const std::vector<double> without = logits_of(parts, kTokens);
    parts.add_random(optional.tensor, optional.shape);
    EXPECT_GT(largest_difference(logits_of(parts, kTokens), without), 1e-3);
    std::ranges::fill(parts.tensors[optional.tensor].values, optional.neutral);
    EXPECT_LT(largest_difference(logits_of(parts, kTokens), without), 1e-12);
  }
}

TEST(Oracle, TakesTheWidthsOfExpertsFromTheFeedForwardWhereTheyAreNotGiven) {
  TACIT_NEEDS_SHARED("conformance/models");
  const ModelParts whole = kit_model("qwen2moe");
  const std::vector<double> expected = logits_of(whole, kTokens);
  ModelParts parts = whole;
  const std::uint32_t expert_width = std::get<std::uint32_t>(parts.settings["expert_feed_forward_length"]);
  parts.settings.erase("expert_feed_forward_length");
  parts.settings["feed_forward_length"] = expert_width * std::get<std::uint32_t>(parts.settings["expert_used_count"]);
  EXPECT_EQ(logits_of(parts, kTokens), expected);
  parts = whole;
  parts.settings["feed_forward_length"] = parts.settings["expert_shared_feed_forward_length"];
  parts.settings.erase("expert_shared_feed_forward_length");
  EXPECT_EQ(logits_of(parts, kTokens), expected);
}

TEST(Oracle, AddsASharedExpertToGraniteWhereItHasAWidth) {
  TACIT_NEEDS_SHARED("conformance/models");
  ModelParts parts = kit_model("granite_moe");
  const std::vector<double> without = logits_of(parts, kTokens);
  const std::uint32_t width = std::get<std::uint32_t>(parts.settings["embedding_length"]), shared_width = 10;
  parts.settings["expert_shared_feed_forward_length"] = shared_width;
  for (const std::string prefix : {"blk.0.", "blk.1."}) {
    parts.add_random(prefix + "ffn_gate_shexp.weight", {width, shared_width});
    parts.add_random(prefix + "ffn_up_shexp.weight", {width, shared_width});
    parts.add_random(prefix + "ffn_down_shexp.weight", {shared_width, width});
  }
  EXPECT_GT(largest_difference(logits_of(parts, kTokens), without), 1e-3);
  for (const std::string prefix : {"blk.0.", "blk.1."}) {
    std::ranges::fill(parts.tensors[prefix + "ffn_down_shexp.weight"].values, 0.0f);
  }
  EXPECT_EQ(logits_of(parts, kTokens), without);
}

TEST(Oracle, TakesLongFactorsForTextsBeyondTheOriginalContext) {
  TACIT_NEEDS_SHARED("conformance/models");
  ModelParts parts = kit_model("phi3_longrope_short");
  const std::size_t original = std::get<std::uint32_t>(parts.settings["rope.scaling.original_context_length"]);
  const auto with = [&](std::size_t context_length) {
    return oracle::logits(load_parts(parts, context_length).value(), kTokens).values;
  };
  const auto shorter = with(original), longer = with(original + 1);
  EXPECT_GT(largest_difference(shorter, longer), 1e-3);
  EXPECT_EQ(with(0), longer);  // the file's context_length is longer
  parts.settings["context_length"] = static_cast<std::uint32_t>(original);
  EXPECT_EQ(with(0), shorter);
  parts.settings.erase("rope.scaling.original_context_length");
  EXPECT_EQ(with(original), shorter);
}

TEST(Oracle, SpacesTheSlopesOfOtherNumbersOfHeadsAsAlibiDoes) {
  TACIT_NEEDS_SHARED("conformance/models");
  ModelParts parts = kit_model("mpt");
  parts.keep_layers(1);
  parts.settings["attention.head_count"] = parts.settings["attention.head_count_kv"] = 6u;
  parts.settings["attention.key_length"] = parts.settings["attention.value_length"] = 4u;
  parts.add_random("blk.0.attn_qkv.weight", {64, 3 * 6 * 4});
  parts.add_random("blk.0.attn_output.weight", {6 * 4, 64});
  const auto model = load_parts(parts);
  ASSERT_TRUE(model.ok()) << model.error().message;
  const auto& layer = std::get<oracle::TransformerLayer>(model.value().layers[0]);
  const std::vector<double> slopes = {0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125};
  EXPECT_LT(largest_difference(layer.attention.alibi_slopes, slopes), 1e-12);
}

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
    ModelParts parts = random_llama(1);
    parts.settings[key] = 4.0f;
    if (type != nullptr) parts.settings["rope.scaling.type"] = type;
    return logits_of(parts, kTokens);
  };
  const auto modern = with("rope.scaling.factor", "linear");
  const auto unscaled = logits_of(random_llama(1), kTokens);
  EXPECT_EQ(with("rope.scale_linear", nullptr), modern);
  EXPECT_EQ(with("rope.scaling.factor", nullptr), modern);
  EXPECT_EQ(with("rope.scaling.factor", "none"), unscaled);
  EXPECT_GT(largest_difference(modern, unscaled), 1e-3);
}

// A key of the random model that is changed (or, without a value, left out), and what the error says.
struct Refusal {
  std::string key;
  std::optional<Setting> value;
  std::string message;
};

TEST(Oracle, RefusesMetadataThatMakeNoModel) {
  const std::vector<Refusal> refusals = {
      {"embedding_length", {}, "llama.embedding_length"},
      {"block_count", {}, "llama.block_count"},
      {"attention.head_count", {}, "llama.attention.head_count: found nothing, expected a number"},
      {"attention.head_count", 0u, "llama.attention.head_count: found 0, expected at least 1"},
      {"attention.head_count_kv", 0u, "llama.attention.head_count_kv: found 0, expected a divisor of 2"},
      {"attention.head_count", 3u, "tensor blk.0.attn_q.weight: found [8, 8], expected [8, 6]"},
      {"attention.head_count_kv", std::vector<std::uint32_t>{1, 1, 1},
       "llama.attention.head_count_kv: found an array of 3 values, expected 1 integers, one a layer"},
      {"attention.layer_norm_rms_epsilon", {}, "llama.attention.layer_norm_rms_epsilon"},
      {"feed_forward_length", {}, "llama.feed_forward_length: found nothing, expected at least 1"},
      {"feed_forward_length", 13u, "tensor blk.0.ffn_gate.weight: found [8, 12], expected [8, 13]"},
      {"rope.dimension_count", 3u, "llama.rope.dimension_count: found 3, expected an even number"},
      {"rope.freq_base", 1.0f, "llama.rope.freq_base: found 1.000000, expected a number above 1"},
      {"rope.scaling.factor", -2.0f, "llama.rope.scaling.factor: found -2.000000, expected a positive number"},
      {"rope.scaling.type", "ntk", "llama.rope.scaling.type: found ntk, expected none, linear, yarn or longrope"},
      {"expert_count", 2u, "llama.expert_used_count"},
  };
  for (const Refusal& refusal : refusals) {
    ModelParts parts = random_llama(1);
    parts.settings.erase(refusal.key);
    if (refusal.value) parts.settings[refusal.key] = *refusal.value;
    const Result<Model> model = load_parts(parts);
    ASSERT_FALSE(model.ok()) << refusal.message;
    EXPECT_EQ(model.error().code, ErrorCode::kModel);
    EXPECT_TRUE(model.error().message.starts_with("parts: ")) << model.error().message;
    EXPECT_NE(model.error().message.find(refusal.message), std::string::npos) << model.error().message;
  }
}

TEST(Oracle, RefusesTensorsThatAreMissingOrTooMany) {
  const ModelParts whole = random_llama(1);
  for (const auto& [name, part] : whole.tensors) {
    ModelParts parts = whole;
    parts.tensors.erase(name);
    const Result<Model> model = load_parts(parts);
    ASSERT_FALSE(model.ok()) << name;
    EXPECT_EQ(model.error().message, "parts: tensor " + name + " is missing");
  }
  ModelParts parts = whole;
  parts.add_random("blk.0.attn_q_norm.weight", {4});
  EXPECT_EQ(refusal_of(parts), "parts: tensor blk.0.attn_q_norm.weight has no place in architecture llama");
}

TEST(Oracle, RefusesOtherArchitecturesAndMissingKeysOfTheirs) {
  ModelParts parts = random_llama(1);
  parts.architecture = "clip";
  EXPECT_EQ(refusal_of(parts), "parts: architecture clip is not known here");
  TACIT_NEEDS_SHARED("conformance/models");
  const std::vector<std::pair<std::string, std::string>> needed = {
      {"cohere2", "attention.sliding_window"},
      {"cohere2", "logit_scale"},
      {"gpt_oss", "attention.sliding_window"},
      {"granite", "logit_scale"},
      {"mpt", "attention.max_alibi_bias"},
      {"gptneox_parallel", "use_parallel_residual"},
      {"gpt2", "context_length"},
      {"deepseek_moe", "expert_shared_count"},
      {"qwen3moe", "expert_used_count"},
      {"rwkv7", "wkv.head_size"},
      {"mamba", "ssm.state_size"},
  };
  for (const auto& [name, key] : needed) {
    parts = kit_model(name);
    parts.settings.erase(key);
    const Result<Model> model = load_parts(parts);
    ASSERT_FALSE(model.ok()) << name << " without " << key;
    EXPECT_NE(model.error().message.find("." + key), std::string::npos) << model.error().message;
  }
}

TEST(OracleRelatives, DoAsTheArchitectureThatTheyShareAGraphWith) {
  TACIT_NEEDS_SHARED("conformance/models");
  for (const auto& [model, relative] : {std::pair{"llama2", "xverse"}, std::pair{"gpt2", "starcoder"}}) {
    ModelParts parts = kit_model(model);
    const std::vector<double> logits = logits_of(parts, long_text());
    parts.architecture = relative;
    EXPECT_EQ(logits_of(parts, long_text()), logits) << relative;
  }
}

// What comes out of a squared ReLU grows fourfold when twice as much goes in, and is nothing where that is negative.
TEST(OracleRelatives, SquareAndRectifyInArcee) {
  ModelParts parts = random_llama(1);
  parts.architecture = "arcee";
  parts.tensors.erase("blk.0.ffn_gate.weight");
  const std::vector<double> logits = logits_of(parts, kTokens);
  ModelParts scaled = parts;
  for (float& value : scaled.tensors["blk.0.ffn_up.weight"].values) value *= 2;
  EXPECT_GT(largest_difference(logits_of(scaled, kTokens), logits), 1e-3);
  for (float& value : scaled.tensors["blk.0.ffn_down.weight"].values) value /= 4;
  EXPECT_LT(largest_difference(logits_of(scaled, kTokens), logits), 1e-12);
  for (float& value : scaled.tensors["blk.0.ffn_up.weight"].values) value *= -1;
  EXPECT_GT(largest_difference(logits_of(scaled, kTokens), logits), 1e-3);
}

// OpenELM gives every layer its own numbers of heads and its own feed-forward width. Heads of 4 elements, width 8.
ModelParts random_openelm(const std::vector<std::uint32_t>& heads, const std::vector<std::uint32_t>& kv_heads,
                          const std::vector<std::uint32_t>& hidden_widths) {
  constexpr std::uint32_t kHeadDim = 4;
  ModelParts parts{"openelm", {}, {}};
  parts.settings = {{"block_count", static_cast<std::uint32_t>(heads.size())},
                    {"embedding_length", kWidth},
                    {"feed_forward_length", hidden_widths},
                    {"attention.head_count", heads},
                    {"attention.head_count_kv", kv_heads},
                    {"attention.key_length", kHeadDim},
                    {"attention.value_length", kHeadDim},
                    {"rope.dimension_count", kHeadDim},
                    {"attention.layer_norm_rms_epsilon", 1e-3f}};
  parts.add_random("token_embd.weight", {kWidth, kVocabulary});
  parts.add_random("output_norm.weight", {kWidth});
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const std::string prefix = "blk." + std::to_string(i) + ".";
    parts.add_random(prefix + "attn_norm.weight", {kWidth});
    parts.add_random(prefix + "attn_qkv.weight", {kWidth, kHeadDim * (heads[i] + 2 * kv_heads[i])});
    parts.add_random(prefix + "attn_q_norm.weight", {kHeadDim});
    parts.add_random(prefix + "attn_k_norm.weight", {kHeadDim});
    parts.add_random(prefix + "attn_output.weight", {kHeadDim * heads[i], kWidth});
    parts.add_random(prefix + "ffn_norm.weight", {kWidth});
    parts.add_random(prefix + "ffn_gate.weight", {kWidth, hidden_widths[i]});
    parts.add_random(prefix + "ffn_up.weight", {kWidth, hidden_widths[i]});
    parts.add_random(prefix + "ffn_down.weight", {hidden_widths[i], kWidth});
  }
  return parts;
}

TEST(OracleOpenElm, ReadsHeadsAndWidthsOfEveryLayer) {
  const std::vector<std::uint32_t> heads = {4, 6, 8}, kv_heads = {1, 3, 2}, hidden_widths = {5, 12, 20};
  const auto loaded = load_parts(random_openelm(heads, kv_heads, hidden_widths));
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  ASSERT_EQ(loaded.value().layers.size(), heads.size());
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const auto& layer = std::get<oracle::TransformerLayer>(loaded.value().layers[i]);
    EXPECT_EQ(layer.attention.head_count, heads[i]);
    EXPECT_EQ(layer.attention.kv_head_count, kv_heads[i]);
    EXPECT_EQ(layer.attention.query.weight.row_count, 4 * heads[i]);
    EXPECT_EQ(layer.attention.value.weight.row_count, 4 * kv_heads[i]);
    EXPECT_EQ(std::get<oracle::FeedForward>(layer.feed_forward).up.weight.row_count, hidden_widths[i]);
  }
  EXPECT_EQ(loaded.value().output.weight.values, loaded.value().token_embedding.values);
}

TEST(OracleOpenElm, RefusesArraysThatDoNotFit) {
  ModelParts parts = random_openelm({4, 6}, {1, 3}, {5, 12});
  parts.settings["attention.head_count"] = std::vector<std::uint32_t>{4, 6, 8};
  EXPECT_EQ(refusal_of(parts),
            "parts: openelm.attention.head_count: found an array of 3 values, expected 2 integers, one a layer");
  parts.settings["attention.head_count"] = std::vector<std::uint32_t>{4, 3};
  EXPECT_EQ(refusal_of(parts), "parts: tensor blk.1.attn_qkv.weight: found [8, 48], expected [8, 36]");
  parts.settings["attention.head_count"] = std::vector<std::uint32_t>{4, 5};
  EXPECT_EQ(refusal_of(parts), "parts: openelm.attention.head_count_kv: found 3, expected a divisor of 5");
  parts.settings["attention.head_count"] = std::vector<std::uint32_t>{4, 6};
  parts.add_random("output.weight", {kWidth, kVocabulary});
  EXPECT_EQ(refusal_of(parts), "parts: tensor output.weight has no place in architecture openelm");
}

// With the same heads everywhere and its fused tensor split, OpenELM's layers are Qwen 3's.
TEST(OracleOpenElm, IsQwen3WhereEveryLayerIsTheSame) {
  ModelParts parts = random_openelm({4, 4}, {2, 2}, {12, 12});
  const std::vector<double> fused = logits_of(parts, kTokens);
  parts.architecture = "qwen3";
  for (const std::string prefix : {"blk.0.", "blk.1."}) {
    const std::vector<float> qkv = parts.tensors[prefix + "attn_qkv.weight"].values;
    parts.tensors.erase(prefix + "attn_qkv.weight");
    parts.tensors[prefix + "attn_q.weight"] = {{kWidth, 16}, {qkv.begin(), qkv.begin() + 128}};
    parts.tensors[prefix + "attn_k.weight"] = {{kWidth, 8}, {qkv.begin() + 128, qkv.begin() + 192}};
    parts.tensors[prefix + "attn_v.weight"] = {{kWidth, 8}, {qkv.begin() + 192, qkv.end()}};
  }
  for (const char* key : {"attention.head_count", "attention.head_count_kv", "feed_forward_length"}) {
    const std::uint32_t first = std::get<std::vector<std::uint32_t>>(parts.settings[key])[0];
    parts.settings[key] = first;
  }
  EXPECT_EQ(logits_of(parts, kTokens), fused);
}

// Heads beyond the first of a layer do as if they were in a layer of so many heads: a head whose values are zero may as
// well not be there.
TEST(OracleOpenElm, MixesTheHeadsOfEveryLayer) {
  ModelParts small = random_openelm({2, 4}, {1, 2}, {12, 5});
  ModelParts large = random_openelm({2, 6}, {1, 3}, {12, 5});
  const auto& from = small.tensors["blk.1.attn_qkv.weight"].values;
  auto& to = large.tensors["blk.1.attn_qkv.weight"].values;
  constexpr std::size_t kHead = 4 * kWidth;  // elements of one head's rows
  std::fill(to.begin(), to.end(), 0.0f);
  std::copy_n(from.begin(), 4 * kHead, to.begin());                            // queries
  std::copy_n(from.begin() + 4 * kHead, 2 * kHead, to.begin() + 6 * kHead);    // keys
  std::copy_n(from.begin() + 6 * kHead, 2 * kHead, to.begin() + 9 * kHead);    // values
  const auto& output_from = small.tensors["blk.1.attn_output.weight"].values;  // [8, 4 heads * 4]
  auto& output_to = large.tensors["blk.1.attn_output.weight"].values;          // [8, 6 heads * 4]
  for (std::size_t i = 0; i < kWidth; ++i) std::copy_n(output_from.begin() + 16 * i, 16, output_to.begin() + 24 * i);
  EXPECT_LT(largest_difference(logits_of(small, kTokens), logits_of(large, kTokens)), 1e-12);
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

// With one layer, logits depend on what is attended to and at which distance, and on nothing else.
void expect_text_of_its_own(const Model& model, const Tokens& tokens, std::size_t window) {
  const Matrix band = oracle::logits(model, tokens, {window});
  for (std::size_t p = window; p < tokens.size(); ++p) {
    Tokens seen = {tokens[0]};
    for (std::size_t j = p - window + 2; j <= p; ++j) seen.push_back(tokens[j]);
    ASSERT_EQ(seen.size(), window);
    EXPECT_LT(largest_difference(band.row(p), oracle::logits(model, seen).row(window - 1)), 1e-9) << p;
  }
}

TEST(OracleBand, SeesTheSinkAndTheLastTokensAsATextOfTheirOwn) { expect_text_of_its_own(random_model(1), kTokens, 6); }

TEST(OracleBand, IsATextOfItsOwnForEveryArchitectureWithAttention) {
  TACIT_NEEDS_SHARED("conformance/models");
  for (const auto& entry : read_json(shared_data_path("conformance/models/manifest.json"))) {
    ModelParts parts = kit_model(entry.at("name"));
    const oracle::Family& family = *oracle::find_family(parts.architecture);
    // Positions that are learned cannot move; recurrent models have no window.
    if (family.learned_positions == oracle::Presence::kAlways) continue;
    if (family.layer != oracle::LayerKind::kTransformer) continue;
    SCOPED_TRACE(entry.at("name"));
    parts.keep_layers(1);
    const Tokens text = long_text();
    expect_text_of_its_own(load_parts(parts).value(), {text.begin(), text.begin() + 16}, 8);
    if (family.sliding.window == oracle::Presence::kNever) continue;
    parts.settings["attention.sliding_window"] = 5u;  // a layer that sees less than the band
    expect_text_of_its_own(load_parts(parts).value(), {text.begin(), text.begin() + 16}, 8);
  }
}

}  // namespace
}  // namespace tacit
