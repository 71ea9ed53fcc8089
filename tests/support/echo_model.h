// SPDX-License-Identifier: MIT
// A model of one layer that expects every byte to be followed by the same one, made in memory for tests of files.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/byte_vocabulary.h"
#include "support/gguf_writer.h"

namespace tacit::test {

inline constexpr std::uint32_t kEchoWidth = 64;
inline constexpr std::uint32_t kEchoVocabulary = 3 + 256;  // <unk>, <s>, </s> and the bytes

inline ByteVector echo_model(const std::string& name, std::uint32_t seed, const std::string& architecture = "llama",
                             const std::string& tokenizer = "llama") {
  std::mt19937 random(seed);
  std::vector<std::string> pieces = {"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types = {2, 3, 3};
  append_byte_tokens(pieces, types);
  GgufWriter writer;
  writer.add("general.architecture", architecture).add("general.name", name);
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, std::uint32_t>>{
           {"llama.block_count", 1}, {"llama.embedding_length", kEchoWidth}, {"llama.feed_forward_length", 32},
           {"llama.context_length", 128}, {"llama.attention.head_count", 2}, {"llama.attention.head_count_kv", 2},
           {"llama.rope.dimension_count", 32}}) {
    writer.add(key, value);
  }
  writer.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  writer.add("tokenizer.ggml.model", tokenizer).add_array("tokenizer.ggml.tokens", pieces);
  writer.add_array("tokenizer.ggml.scores", std::vector<float>(pieces.size(), 0.0f));
  writer.add_array("tokenizer.ggml.token_type", types).add("tokenizer.ggml.add_space_prefix", false);
  const auto add = [&](const std::string& tensor, std::uint64_t inputs, std::uint64_t outputs, float scale) {
    std::vector<float> weights(inputs * outputs);
    for (float& weight : weights) weight = random() % 2 == 0 ? scale : -scale;
    writer.add_tensor_of(tensor, gguf::TensorType::kF32, {inputs, outputs}, weights);
  };
  const std::vector<float> ones(kEchoWidth, 1.0f);
  add("token_embd.weight", kEchoWidth, kEchoVocabulary, 1);
  for (const char* norm : {"blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"}) {
    writer.add_tensor_of(norm, gguf::TensorType::kF32, {kEchoWidth}, ones);
  }
  for (const char* matrix : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
    add(std::string("blk.0.") + matrix + ".weight", kEchoWidth, kEchoWidth, 0);
  }
  add("blk.0.ffn_gate.weight", kEchoWidth, 32, 0);
  add("blk.0.ffn_up.weight", kEchoWidth, 32, 0);
  add("blk.0.ffn_down.weight", 32, kEchoWidth, 0);
  return writer.bytes();
}

// Mostly one letter, as the model expects: less than the bit a letter that other compressors need, and long enough to
// pay for the model's name in the header.
inline std::string echo_text() {
  std::mt19937 random(1);
  std::string text(12'000, 'z');
  for (char& letter : text) letter = random() % 10 == 0 ? 'y' : 'z';
  return text;
}

}  // namespace tacit::test
