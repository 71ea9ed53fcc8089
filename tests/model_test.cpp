// SPDX-License-Identifier: MIT
// What a model must be to be loaded: a tensor or a number that is not as its architecture says is refused by name, and
// nothing that a file claims makes the engine ask for memory without bound. And contexts extended by rope scaling.
#include "model/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "engine/cpu/cache.h"
#include "engine/cpu/forward.h"
#include "oracle/oracle.h"
#include "support/cpu_model.h"
#include "support/family_models.h"
#include "support/lanes.h"

namespace tacit {
namespace {

using test::FamilyModel;
using test::ModelParts;

ModelParts model_of(std::string_view architecture, bool experts = false) {
  return FamilyModel::make(*find_family(architecture), experts);
}

std::string refusal_of(const ByteVector& bytes) {
  const auto file = gguf::File::parse(bytes, "m.gguf");
  EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message);
  const auto model = Model::load(file.value());
  if (!model.ok()) return model.error().message;
  ThreadPool caller(1);
  const auto packed = PackedWeights::pack(model.value().weights, caller, {});
  return packed.ok() ? "accepted" : packed.error().message;
}

std::string refusal_after(ModelParts parts, const std::function<void(ModelParts&)>& change) {
  change(parts);
  return refusal_of(parts.bytes());
}

TEST(Model, LoadsTheSmallestModelOfEveryArchitecture) {
  for (const Family& family : families()) {
    EXPECT_EQ(refusal_of(FamilyModel::make(family, false).bytes()), "accepted") << family.architecture;
  }
  for (const char* architecture : {"llama", "olmoe", "qwen3moe", "gpt-oss"}) {
    EXPECT_EQ(refusal_of(model_of(architecture, true).bytes()), "accepted") << architecture;
  }
}

struct Kind {
  const char* architecture;
  bool experts;
  const char* tensor;
  std::vector<std::uint64_t> found;
  const char* message;
};
const std::vector<Kind> kKinds = {
    {"llama", false, "blk.1.attn_k.weight", {32, 8}, "found shape [32, 8], expected [32, 16]"},
    {"llama", true, "blk.1.ffn_up_exps.weight", {32, 32, 3}, "found shape [32, 32, 3], expected [32, 32, 4]"},
    {"rwkv6", false, "blk.0.time_mix_w2.weight", {4, 32}, "found shape [4, 32], expected [4, 32, 5]"},
    {"rwkv7", false, "blk.1.time_mix_v2.weight", {4, 31}, "found shape [4, 31], expected [4, 32]"},
    {"mamba", false, "blk.1.ssm_a", {4, 32, 2}, "found shape [4, 32, 2], expected [4, 32]"},
};

TEST(Model, RefusesATensorThatIsMissing) {
  for (const Kind& kind : kKinds) {
    EXPECT_EQ(refusal_after(model_of(kind.architecture, kind.experts),
                            [&](ModelParts& parts) { ASSERT_EQ(parts.tensors.erase(kind.tensor), 1u); }),
              std::string("m.gguf: tensor ") + kind.tensor + " is missing");
  }
}

TEST(Model, RefusesATensorOfAnotherShape) {
  for (const Kind& kind : kKinds) {
    EXPECT_EQ(refusal_after(model_of(kind.architecture, kind.experts),
                            [&](ModelParts& parts) { parts.add_random(kind.tensor, kind.found); }),
              std::string("m.gguf: tensor ") + kind.tensor + ": " + kind.message);
  }
}

TEST(Model, RefusesATensorOfIntegers) {
  for (const Kind& kind : kKinds) {
    const ModelParts parts = model_of(kind.architecture, kind.experts);
    ByteVector bytes = parts.bytes();
    const std::size_t dimensions = parts.tensors.at(kind.tensor).shape.size();
    test::patch(bytes, test::offset_after(bytes, kind.tensor) + 4 + 8 * dimensions,
                static_cast<std::uint32_t>(gguf::TensorType::kI32));
    EXPECT_EQ(refusal_of(bytes),
              std::string("m.gguf: tensor ") + kind.tensor + ": found type I32, expected one of real numbers");
  }
}

TEST(Model, RefusesATensorThatItsArchitectureDoesNotUse) {
  for (const Kind& kind : kKinds) {
    EXPECT_EQ(refusal_after(model_of(kind.architecture, kind.experts),
                            [](ModelParts& parts) { parts.add_random("blk.1.more.weight", {32}); }),
              "m.gguf: tensor blk.1.more.weight: found, expected only tensors that its architecture uses");
  }
}

TEST(Model, RefusesAWeightThatIsNoNumber) {
  for (const Kind& kind : kKinds) {
    const std::string refusal = refusal_after(model_of(kind.architecture, kind.experts), [&](ModelParts& parts) {
      parts.tensors[kind.tensor].values[5] = std::nanf("");
    });
    EXPECT_TRUE(refusal.starts_with(std::string("m.gguf: tensor ") + kind.tensor + ": found a ")) << refusal;
    EXPECT_TRUE(refusal.ends_with(" infinite or no number, expected finite ones")) << refusal;
  }
}

TEST(Model, RefusesArchitecturesAndRopeScalingsThatItDoesNotKnow) {
  const auto llama_with = [](const char* key, const test::Setting& value) {
    return refusal_after(model_of("llama"), [&](ModelParts& parts) { parts.settings[key] = value; });
  };
  EXPECT_EQ(llama_with("rope.scaling.type", std::string("dynamic")),
            "m.gguf: llama.rope.scaling.type: found \"dynamic\", expected \"none\", \"linear\", \"yarn\" or "
            "\"longrope\"");
  const std::string refusal = refusal_after(model_of("llama"), [](ModelParts& parts) { parts.architecture = "t5"; });
  EXPECT_TRUE(refusal.starts_with("m.gguf: general.architecture: found \"t5\", expected one of arcee, ")) << refusal;
}

TEST(Model, RefusesNumbersThatNoModelHas) {
  struct Case {
    const char* architecture;
    const char* key;
    test::Setting value;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"llama", "attention.layer_norm_rms_epsilon", 1e-30f, "found 0.000000, expected a number from 1e-15 to 1e15"},
      {"llama", "logit_scale", -1.0f, "found -1.000000, expected a number from 1e-15 to 1e15"},
      {"llama", "attention.scale", 1e30f,
       "found 1000000015047466219876688855040.000000, expected a number from 1e-15 to 1e15"},
      {"llama", "rope.freq_base", 1.0f, "found 1.000000, expected a number above 1, at most 1e15"},
      {"llama", "rope.dimension_count", 7u, "found 7, expected an even number"},
      {"llama", "attention.head_count_kv", 3u, "found 3, expected a divisor of the 4 query heads"},
      {"llama", "attention.head_count", std::vector<std::uint32_t>{4, 4, 4},
       "found an array of 3, expected one integer for each of 2 layers"},
      {"bloom", "attention.max_alibi_bias", 1024.0f, "found 1024.000000, expected at most 512"},
      {"rwkv7", "wkv.head_size", 5u, "found 5, expected a divisor of the width 32"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(refusal_after(model_of(c.architecture), [&](ModelParts& parts) { parts.settings[c.key] = c.value; }),
              std::string("m.gguf: ") + c.architecture + "." + c.key + ": " + c.message);
  }
}

// One key head for thousands of query heads is a small file and a small cache, and a large matrix of scores.
TEST(Model, RefusesWindowsWhoseScoresDoNotFit) {
  Config config;
  config.family = find_family("llama");
  config.layer_count = 1;
  config.head_dim = config.value_dim = 1;
  config.layers = {LayerConfig{.head_count = 4096, .kv_head_count = 1}};
  EXPECT_EQ(LaneCache::excess(config, 1024, 64, 1), "");
  EXPECT_EQ(
      LaneCache::excess(config, limits::kWindowMax, 64, 1),
      "window: found 1048576 tokens, whose attention scores need 2199224582144 bytes, expected at most 4294967296");
}

// Logits of tokens 1, 5 and 3, as a text of their own.
std::vector<float> logits_of_a_text(const Model& model, Forward& forward, LaneCache& cache) {
  const std::vector<Row> rows = {{0, 0, 1}, {0, 1, 5}, {0, 2, 3}};
  const std::vector<std::uint32_t> numbers = {0, 1, 2};
  const std::size_t stride = kernels::round_up(model.config.vocabulary_size, kernels::kTile);
  std::vector<float> logits(numbers.size() * stride);
  forward.run({&cache, 1}, rows);
  forward.logits(numbers, logits.data(), stride);
  return logits;
}

// A number that is not finite, in one row, stays with that row: also where rows have padding, which kernels go through
// as well. One model has a norm of heads, whose memory all models of a thread share; the other a width of 40.
TEST(Forward, LeavesNothingOfATextThatOverflowed) {
  const auto check = [](const ModelParts& parts, const std::string& overflowing, std::size_t first, std::size_t count) {
    ModelParts wrong = parts;
    std::fill_n(wrong.tensors[overflowing].values.begin() + static_cast<std::ptrdiff_t>(first), count, 3e38f);
    const ByteVector bytes = parts.bytes(), wrong_bytes = wrong.bytes();
    const auto file = gguf::File::parse(bytes, "m.gguf"), wrong_file = gguf::File::parse(wrong_bytes, "wrong.gguf");
    const auto model = Model::load(file.value()), wrong_model = Model::load(wrong_file.value());
    ASSERT_TRUE(model.ok() && wrong_model.ok());
    const PackedWeights weights = test::pack(model.value()), wrong_weights = test::pack(wrong_model.value());
    const kernels::KernelList sets = kernels::available_kernels();
    for (std::uint32_t set = 0; set < sets.count; ++set) {
      const kernels::Kernels& kernels = *sets.sets[set];
      LaneCache cache(model.value().config, 16, 16);
      Forward forward(model.value(), weights, kernels, 16, nullptr);
      Forward wrong_forward(wrong_model.value(), wrong_weights, kernels, 16, nullptr);
      const std::vector<float> expected = logits_of_a_text(model.value(), forward, cache);
      const std::vector<float> wrong_logits = logits_of_a_text(wrong_model.value(), wrong_forward, cache);
      EXPECT_TRUE(std::ranges::any_of(wrong_logits, [](float logit) { return std::isnan(logit); })) << kernels.name;
      EXPECT_EQ(logits_of_a_text(model.value(), forward, cache), expected) << kernels.name;
      // Rows of the same forward pass: token 7 comes after the one that overflows.
      const Row row{0, 0, 7};
      const auto alone = [&](Forward& of) {
        std::vector<float> logits(kernels::round_up(model.value().config.vocabulary_size, kernels::kTile));
        const std::uint32_t number = 0;
        of.run({&cache, 1}, {&row, 1});
        of.logits({&number, 1}, logits.data(), logits.size());
        return logits;
      };
      Forward fresh(wrong_model.value(), wrong_weights, kernels, 16, nullptr);
      const std::vector<float> of_fresh = alone(fresh), of_used = alone(wrong_forward);
      EXPECT_TRUE(std::equal(of_used.begin(), of_used.end(), of_fresh.begin(), [](float a, float b) {
        return a == b || (std::isnan(a) && std::isnan(b));
      })) << kernels.name;
    }
  };
  check(model_of("qwen3"), "blk.0.attn_q.weight", 0, 32 * 32);
  // Token 5 alone: the other tokens' rows stay finite.
  check(FamilyModel::make(*find_family("gpt2"), false, 40), "token_embd.weight", 5 * 40, 40);
}

// Divergence of the engine's distributions from the float ones, in nats a token.
double divergence_of(const Model& model, const oracle::Matrix& expected, const std::vector<TokenId>& tokens,
                     std::uint32_t window) {
  const auto found = test::run_lanes(model, {kernels::find_kernels(""), 1, 1, 32, window}, {tokens})[0];
  return test::mean_divergence(expected.values, found, model.config.vocabulary_size);
}

// The families that the kit has no model of; of the others forward_test.cpp says it.
TEST(Model, StaysCloseToFloatInTheArchitecturesWithoutAReference) {
  std::vector<TokenId> tokens;
  for (std::uint32_t i = 0; i < 32; ++i) tokens.push_back(static_cast<TokenId>(i * i * 7 % 40));
  for (const char* architecture : {"arcee", "openelm", "starcoder", "xverse"}) {
    ModelParts parts = model_of(architecture);
    if (std::string_view(architecture) == "xverse") parts.add_random("output.weight", {32, 40});  // never tied
    for (auto& [name, tensor] : parts.tensors) {  // logits that are no single token's
      if (name.find("norm") != std::string::npos) continue;
      for (float& value : tensor.values) value *= 0.3f;
    }
    const ByteVector bytes = parts.bytes();
    const auto file = gguf::File::parse(bytes, "m.gguf");
    ASSERT_TRUE(file.ok());
    const auto model = Model::load(file.value());
    ASSERT_TRUE(model.ok()) << model.error().message;
    const auto oracle_model = oracle::load(file.value(), 64);
    ASSERT_TRUE(oracle_model.ok()) << oracle_model.error().message;
    const oracle::Matrix expected = oracle::logits(oracle_model.value(), tokens);
    EXPECT_LT(divergence_of(model.value(), expected, tokens, 64), 0.005) << architecture;
  }
}

// A text four times as long as what the model was first trained on, and windows that hold all and half of it.
void expect_close_when_stretched(const std::function<void(ModelParts&)>& stretch) {
  constexpr std::uint32_t kOriginalContext = 24, kTextLength = 96;
  ModelParts parts = model_of("llama");
  // Scores that tell positions apart, and logits that are no single token's.
  for (auto& [name, tensor] : parts.tensors) {
    const bool is_norm = name.find("norm") != std::string::npos;
    const bool is_score = name.find("attn_q") != std::string::npos || name.find("attn_k") != std::string::npos;
    for (float& value : tensor.values) value = is_norm ? 1.0f : value * (is_score ? 0.5f : 0.3f);
  }
  const ByteVector plain_bytes = parts.bytes();
  parts.settings["context_length"] = 4 * kOriginalContext;
  parts.settings["rope.scaling.original_context_length"] = kOriginalContext;
  stretch(parts);
  const ByteVector bytes = parts.bytes();
  const auto file = gguf::File::parse(bytes, "stretched");
  const auto plain_file = gguf::File::parse(plain_bytes, "plain");
  const auto model = Model::load(file.value());
  ASSERT_TRUE(model.ok()) << model.error().message;
  std::vector<TokenId> tokens;
  for (std::uint32_t i = 0; i < kTextLength; ++i) tokens.push_back(static_cast<TokenId>(i * i * 7 % 40));
  for (const std::uint32_t window : {256u, 48u}) {
    const oracle::AttentionRule rule{window < kTextLength ? window : 0};
    const auto logits = [&](const gguf::File& of) {
      return oracle::logits(oracle::load(of, window).value(), tokens, rule);
    };
    EXPECT_LT(divergence_of(model.value(), logits(file.value()), tokens, window), 0.0005) << window;
    // The same model without the scaling is another one, or this test would show nothing.
    EXPECT_GT(divergence_of(model.value(), logits(plain_file.value()), tokens, window), 0.005) << window;
  }
}

void add_divisors(ModelParts& parts, const std::string& name, std::vector<float> divisors) {
  parts.tensors[name] = {{divisors.size()}, std::move(divisors)};
}

TEST(RopeScaling, StaysCloseToFloatBeyondTheOriginalContextWhenLinear) {
  expect_close_when_stretched([](ModelParts& parts) {
    parts.settings["rope.scaling.type"] = std::string("linear");
    parts.settings["rope.scaling.factor"] = 4.0f;
  });
}

TEST(RopeScaling, StaysCloseToFloatBeyondTheOriginalContextByYarn) {
  expect_close_when_stretched([](ModelParts& parts) {
    parts.settings["rope.scaling.type"] = std::string("yarn");
    parts.settings["rope.scaling.factor"] = 4.0f;
  });
}

TEST(RopeScaling, StaysCloseToFloatBeyondTheOriginalContextByLlama3Divisors) {
  expect_close_when_stretched([](ModelParts& parts) {
    add_divisors(parts, "rope_freqs.weight", {1.0f, 2.5f, 6.0f, 8.0f});
  });
}

TEST(RopeScaling, StaysCloseToFloatBeyondTheOriginalContextByLongRope) {
  expect_close_when_stretched([](ModelParts& parts) {
    parts.settings["rope.scaling.type"] = std::string("longrope");
    parts.settings["rope.scaling.attn_factor"] = 1.19f;
    add_divisors(parts, "rope_factors_short.weight", {1.0f, 1.1f, 1.2f, 1.3f});
    add_divisors(parts, "rope_factors_long.weight", {1.5f, 3.0f, 5.0f, 9.0f});
  });
}

}  // namespace
}  // namespace tacit
