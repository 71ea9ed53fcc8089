// SPDX-License-Identifier: MIT
#include "shapes.h"

#include <cmath>
#include <string>

#include "support/gguf_writer.h"

namespace tacit::bench {
namespace {

constexpr std::uint64_t kBlock = 32;
constexpr std::uint64_t kBlockBytes = 34;
// Distributions over 50,000 tokens are then about as sharp as those of trained models on text, 5 bits or so: what
// experts do depends on it.
constexpr float kLogitDeviation = 3.8f;

class Builder {
 public:
  explicit Builder(const Shape& shape) : shape_(shape) {}

  ByteVector build() {
    const Shape& s = shape_;
    const std::uint64_t head_dim = s.width / s.head_count;
    writer_.add("general.architecture", std::string("llama"))
        .add("llama.block_count", s.layer_count)
        .add("llama.embedding_length", s.width)
        .add("llama.feed_forward_length", s.ffn_width)
        .add("llama.context_length", std::uint32_t{2048})
        .add("llama.attention.head_count", s.head_count)
        .add("llama.attention.head_count_kv", s.kv_head_count)
        .add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    matrix("token_embd.weight", s.width, s.vocabulary_size);
    norm("output_norm.weight", kLogitDeviation);
    for (std::uint32_t layer = 0; layer < s.layer_count; ++layer) {
      const std::string prefix = "blk." + std::to_string(layer) + ".";
      norm(prefix + "attn_norm.weight", 1.0f);
      matrix(prefix + "attn_q.weight", s.width, s.width);
      matrix(prefix + "attn_k.weight", s.width, s.kv_head_count * head_dim);
      matrix(prefix + "attn_v.weight", s.width, s.kv_head_count * head_dim);
      matrix(prefix + "attn_output.weight", s.width, s.width);
      norm(prefix + "ffn_norm.weight", 1.0f);
      matrix(prefix + "ffn_gate.weight", s.width, s.ffn_width);
      matrix(prefix + "ffn_up.weight", s.width, s.ffn_width);
      matrix(prefix + "ffn_down.weight", s.ffn_width, s.width);
    }
    return writer_.bytes();
  }

 private:
  void norm(const std::string& name, float weight) {
    writer_.add_tensor_of(name, gguf::TensorType::kF32, {shape_.width}, std::vector<float>(shape_.width, weight));
  }

  // Integers of all eight bits with one binary16 scale, so that a row of the product is about as large as its input.
  void matrix(const std::string& name, std::uint64_t inputs, std::uint64_t outputs) {
    constexpr double kIntegerDeviation = 74;  // of -128 to 127, evenly
    const double scale = 1.0 / (kIntegerDeviation * std::sqrt(static_cast<double>(inputs)));
    const int exponent = static_cast<int>(std::floor(std::log2(scale)));
    const auto fraction = static_cast<std::uint16_t>((scale / std::exp2(exponent) - 1) * 1024);
    const auto half = static_cast<std::uint16_t>(((exponent + 15) << 10) | fraction);
    ByteVector data(inputs / kBlock * kBlockBytes * outputs);
    for (std::size_t i = 0; i < data.size(); i += 8) {
      random_ = random_ * 6364136223846793005u + 1442695040888963407u;
      const std::uint64_t bits = random_ ^ (random_ >> 29);
      std::memcpy(data.data() + i, &bits, std::min<std::size_t>(8, data.size() - i));
    }
    for (std::size_t i = 0; i < data.size(); i += kBlockBytes) std::memcpy(data.data() + i, &half, sizeof(half));
    writer_.add_tensor(name, gguf::TensorType::kQ8_0, {inputs, outputs}, data);
  }

  const Shape& shape_;
  test::GgufWriter writer_;
  std::uint64_t random_ = 1;
};

}  // namespace

ByteVector random_model(const Shape& shape) { return Builder(shape).build(); }

}  // namespace tacit::bench
