// SPDX-License-Identifier: MIT
// Small random models, made in memory, that need no file: for tests of the engine's promises on shapes and tensor types
// of the test's choosing.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "support/gguf_writer.h"

namespace tacit::test {

struct TinyShape {
  std::uint32_t layer_count = 2;
  std::uint32_t width = 64;
  std::uint32_t head_count = 4;
  std::uint32_t kv_head_count = 2;
  std::uint32_t head_dim = 16;
  std::uint32_t ffn_width = 96;
  std::uint32_t vocabulary_size = 77;
  bool tied = false;
  // Types are dealt out in turn to the matrices of a layer.
  std::vector<gguf::TensorType> types = {gguf::TensorType::kQ8_0};
  std::uint32_t seed = 1;
};

// binary16 bits of a small positive normal number, rounded toward zero.
inline std::uint16_t half_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<std::uint16_t>((bits >> 31 << 15) | ((((bits >> 23) & 255) - 112) << 10) | ((bits >> 13) & 1023));
}

class TinyModelBuilder {
 public:
  explicit TinyModelBuilder(const TinyShape& shape) : shape_(shape), random_(shape.seed) {}

  ByteVector build() {
    writer_.add("general.architecture", std::string("llama"))
        .add("llama.block_count", shape_.layer_count)
        .add("llama.embedding_length", shape_.width)
        .add("llama.feed_forward_length", shape_.ffn_width)
        .add("llama.context_length", std::uint32_t{256})
        .add("llama.attention.head_count", shape_.head_count)
        .add("llama.attention.head_count_kv", shape_.kv_head_count)
        .add("llama.attention.key_length", shape_.head_dim)
        .add("llama.attention.value_length", shape_.head_dim)
        .add("llama.rope.dimension_count", shape_.head_dim)
        .add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    add_matrix("token_embd.weight", shape_.width, shape_.vocabulary_size, 1.0f);
    for (std::uint32_t layer = 0; layer < shape_.layer_count; ++layer) add_layer("blk." + std::to_string(layer) + ".");
    add_norm("output_norm.weight");
    if (!shape_.tied) add_matrix("output.weight", shape_.width, shape_.vocabulary_size, 3.0f);
    return writer_.bytes();
  }

 private:
  void add_layer(const std::string& prefix) {
    const std::uint32_t queries = shape_.head_count * shape_.head_dim;
    const std::uint32_t keys = shape_.kv_head_count * shape_.head_dim;
    add_norm(prefix + "attn_norm.weight");
    add_matrix(prefix + "attn_q.weight", shape_.width, queries, 2.0f);
    add_matrix(prefix + "attn_k.weight", shape_.width, keys, 2.0f);
    add_matrix(prefix + "attn_v.weight", shape_.width, keys, 1.0f);
    add_matrix(prefix + "attn_output.weight", queries, shape_.width, 1.0f);
    add_norm(prefix + "ffn_norm.weight");
    add_matrix(prefix + "ffn_gate.weight", shape_.width, shape_.ffn_width, 1.0f);
    add_matrix(prefix + "ffn_up.weight", shape_.width, shape_.ffn_width, 1.0f);
    add_matrix(prefix + "ffn_down.weight", shape_.ffn_width, shape_.width, 1.0f);
  }

  void add_norm(const std::string& name) {
    std::vector<float> weights(shape_.width);
    for (float& weight : weights) weight = 1.0f + 0.1f * normal_(random_);
    writer_.add_tensor_of(name, gguf::TensorType::kF32, {shape_.width}, weights);
  }

  // Elements with standard deviation gain / sqrt(inputs).
  void add_matrix(const std::string& name, std::uint32_t inputs, std::uint32_t outputs, float gain) {
    const gguf::TensorType type = shape_.types[next_type_++ % shape_.types.size()];
    const float deviation = gain / std::sqrt(static_cast<float>(inputs));
    ByteVector data;
    if (type == gguf::TensorType::kQ8_0 || type == gguf::TensorType::kQ4_0) {
      for (std::uint32_t i = 0; i < inputs * outputs; i += 32) append_block(data, type, deviation);
    } else {
      for (std::uint32_t i = 0; i < inputs * outputs; ++i) append_float(data, type, deviation * normal_(random_));
    }
    writer_.add_tensor(name, type, {inputs, outputs}, data);
  }

  void append_block(ByteVector& data, gguf::TensorType type, float deviation) {
    const bool eight = type == gguf::TensorType::kQ8_0;
    append_value(data, half_bits(deviation / (eight ? 73.0f : 4.6f)));
    for (std::uint32_t i = 0; i < (eight ? 32u : 16u); ++i) append_value(data, static_cast<std::uint8_t>(random_()));
  }

  static void append_float(ByteVector& data, gguf::TensorType type, float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    if (type == gguf::TensorType::kF32) return append_value(data, value);
    if (type == gguf::TensorType::kBF16) return append_value(data, static_cast<std::uint16_t>(bits >> 16));
    append_value(data, std::abs(value) < 1e-4f ? std::uint16_t{0} : half_bits(value));
  }

  TinyShape shape_;
  std::mt19937 random_;
  std::normal_distribution<float> normal_;
  GgufWriter writer_;
  std::size_t next_type_ = 0;
};

}  // namespace tacit::test
