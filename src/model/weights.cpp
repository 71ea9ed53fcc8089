// SPDX-License-Identifier: MIT
// Q8_0 and Q4_0 keep their integers and scales exactly; float tensors become wide blocks (kernels.h) once, here.
#include "model/weights.h"

#include <array>
#include <cstring>
#include <string>

#include "numeric/float_formats.h"

namespace tacit {
namespace {

using gguf::TensorType;
using kernels::kBlock;
using kernels::kTile;
using kernels::WeightFormat;

// One block of weights as integers with a scale.
struct IntegerBlock {
  std::array<std::int16_t, kBlock> values;
  float scale;
};

// Q8_0: binary16 scale, 32 int8.  Q4_0: binary16 scale, 16 bytes: element i in the low nibble of byte i, element
// i + 16 in its high nibble, each 8 too large. (ggml-common.h, block_q8_0 and block_q4_0.)
constexpr std::size_t kQ8Bytes = 34;
constexpr std::size_t kQ4Bytes = 18;

IntegerBlock read_q8_block(const std::uint8_t* source) {
  IntegerBlock block;
  block.scale = numeric::from_binary16(load_unaligned<std::uint16_t>(source));
  for (std::uint32_t k = 0; k < kBlock; ++k) block.values[k] = static_cast<std::int8_t>(source[2 + k]);
  return block;
}

IntegerBlock read_q4_block(const std::uint8_t* source) {
  IntegerBlock block;
  block.scale = numeric::from_binary16(load_unaligned<std::uint16_t>(source));
  for (std::uint32_t k = 0; k < kBlock / 2; ++k) {
    block.values[k] = static_cast<std::int16_t>((source[2 + k] & 15) - 8);
    block.values[k + kBlock / 2] = static_cast<std::int16_t>((source[2 + k] >> 4) - 8);
  }
  return block;
}

WeightFormat format_of(TensorType type) {
  switch (type) {
    case TensorType::kQ8_0: return WeightFormat::kInt8;
    case TensorType::kQ4_0: return WeightFormat::kInt4;
    default: return WeightFormat::kWide;
  }
}

// Puts one block of output `o` into its tile block, in the layout that kernels.h draws.
void store_block(const IntegerBlock& block, WeightFormat format, std::uint32_t o, std::uint8_t* tile_block) {
  for (std::uint32_t k = 0; k < kBlock; ++k) {
    const std::uint32_t byte = (k / 4) * 64 + o * 4 + k % 4;
    switch (format) {
      case WeightFormat::kInt8: tile_block[byte] = static_cast<std::uint8_t>(block.values[k] + 128); break;
      case WeightFormat::kInt4:
        tile_block[byte % 256] |= static_cast<std::uint8_t>((block.values[k] + 8) << (k < 16 ? 0 : 4));
        break;
      case WeightFormat::kWide:
        std::memcpy(tile_block + 2 * ((k / 2) * 32 + o * 2 + k % 2), &block.values[k], sizeof(std::int16_t));
        break;
    }
  }
  std::memcpy(tile_block + kernels::value_bytes(format) + o * sizeof(float), &block.scale, sizeof(float));
}

// The blocks of one row of a tensor.
class RowReader {
 public:
  RowReader(const gguf::Tensor& tensor, const kernels::Kernels& kernels)
      : tensor_(tensor),
        kernels_(kernels),
        width_(static_cast<std::uint32_t>(tensor.shape[0])),
        row_bytes_(tensor.shape[0] / tensor.type->block_elements * tensor.type->block_bytes),
        values_(kernels::round_up(width_, kBlock)),
        wide_(values_.size()),
        scales_(values_.size() / kBlock) {}

  void seek(std::uint64_t row) {
    row_ = tensor_.data.data() + row * row_bytes_;
    if (format_of(tensor_.type->type) != WeightFormat::kWide) return;
    dequantize(tensor_.type->type, row_, width_, values_.data());
    kernels_.quantize_wide(values_.data(), width_, wide_.data(), scales_.data());
  }

  [[nodiscard]] IntegerBlock block(std::uint32_t b) const {
    switch (tensor_.type->type) {
      case TensorType::kQ8_0: return read_q8_block(row_ + b * kQ8Bytes);
      case TensorType::kQ4_0: return read_q4_block(row_ + b * kQ4Bytes);
      default: break;
    }
    IntegerBlock block;
    std::memcpy(block.values.data(), wide_.data() + b * kBlock, sizeof(block.values));
    block.scale = scales_[b];
    return block;
  }

 private:
  const gguf::Tensor& tensor_;
  const kernels::Kernels& kernels_;
  std::uint32_t width_;
  std::size_t row_bytes_;
  const std::uint8_t* row_ = nullptr;
  std::vector<float> values_;
  std::vector<std::int16_t> wide_;
  std::vector<float> scales_;
};

std::string shape_text(std::uint64_t inputs, std::uint64_t outputs) {
  return "[" + std::to_string(inputs) + ", " + std::to_string(outputs) + "]";
}

// Looks tensors up by name, checks and packs them.
class Loader {
 public:
  explicit Loader(const gguf::File& file) : file_(file), kernels_(*kernels::find_kernels("")) {}

  [[nodiscard]] Result<const gguf::Tensor*> find(const std::string& name, std::uint64_t inputs,
                                                 std::uint64_t outputs) const {
    const gguf::Tensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) return model_error(file_.name() + ": tensor " + name + " is missing");
    if (tensor->shape[0] != inputs || tensor->shape[1] != outputs || tensor->shape[2] != 1 || tensor->shape[3] != 1) {
      return model_error(file_.name() + ": tensor " + name + ": found shape " +
                         shape_text(tensor->shape[0], tensor->shape[1]) + ", expected " + shape_text(inputs, outputs));
    }
    if (!is_weight_type(tensor->type->type)) {
      return model_error(file_.name() + ": tensor " + name + ": found type " + std::string(tensor->type->name) +
                         ", expected F32, F16, BF16, Q8_0 or Q4_0");
    }
    return tensor;
  }

  [[nodiscard]] Result<std::vector<float>> vector(const std::string& name, std::uint32_t size) const {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name, size, 1));
    std::vector<float> values(kernels::round_up(size, kBlock), 0.0f);
    dequantize(tensor->type->type, tensor->data.data(), size, values.data());
    TACIT_TRY(check_finite(name, values));
    return values;
  }

  [[nodiscard]] Result<Linear> linear(const std::string& name, std::uint32_t inputs, std::uint32_t outputs) const {
    TACIT_ASSIGN(const gguf::Tensor* tensor, find(name + ".weight", inputs, outputs));
    TACIT_ASSIGN(Linear result, pack(*tensor));
    if (file_.find_tensor(name + ".bias") != nullptr) {
      TACIT_ASSIGN(result.bias, vector(name + ".bias", outputs));
    }
    return result;
  }

  [[nodiscard]] Result<Linear> pack(const gguf::Tensor& tensor) const {
    Linear result;
    result.input_count = static_cast<std::uint32_t>(tensor.shape[0]);
    kernels::PackedMatrix& packed = result.packed;
    packed.format = format_of(tensor.type->type);
    packed.output_count = static_cast<std::uint32_t>(tensor.shape[1]);
    packed.block_count = kernels::round_up(result.input_count, kBlock) / kBlock;
    const std::size_t block_bytes = kernels::tile_block_bytes(packed.format);
    result.storage = AlignedBuffer(block_bytes * packed.block_count * packed.tile_count());
    packed.data = result.storage.data();
    RowReader reader(tensor, kernels_);
    for (std::uint32_t row = 0; row < packed.output_count; ++row) {
      reader.seek(row);
      std::uint8_t* tile = result.storage.data() + (row / kTile) * packed.block_count * block_bytes;
      for (std::uint32_t b = 0; b < packed.block_count; ++b) {
        const IntegerBlock block = reader.block(b);
        if (!numeric::is_finite(block.scale)) {
          return model_error(file_.name() + ": tensor " + std::string(tensor.name) + ": found a weight in row " +
                             std::to_string(row) + " that is infinite or no number, expected finite ones");
        }
        store_block(block, packed.format, row % kTile, tile + b * block_bytes);
      }
    }
    return result;
  }

 private:
  [[nodiscard]] Status check_finite(const std::string& name, const std::vector<float>& values) const {
    for (const float value : values) {
      if (numeric::is_finite(value)) continue;
      return model_error(file_.name() + ": tensor " + name +
                         ": found a value that is infinite or no number, expected finite ones");
    }
    return {};
  }

  const gguf::File& file_;
  const kernels::Kernels& kernels_;
};

Result<LayerWeights> load_layer(const Loader& loader, const Config& config, std::uint32_t layer) {
  const std::string prefix = "blk." + std::to_string(layer) + ".";
  const std::uint32_t width = config.width;
  LayerWeights weights;
  TACIT_ASSIGN(weights.attention_norm, loader.vector(prefix + "attn_norm.weight", width));
  TACIT_ASSIGN(weights.query, loader.linear(prefix + "attn_q", width, config.head_count * config.head_dim));
  TACIT_ASSIGN(weights.key, loader.linear(prefix + "attn_k", width, config.kv_head_count * config.head_dim));
  TACIT_ASSIGN(weights.value, loader.linear(prefix + "attn_v", width, config.kv_head_count * config.value_dim));
  TACIT_ASSIGN(weights.attention_output,
               loader.linear(prefix + "attn_output", config.head_count * config.value_dim, width));
  TACIT_ASSIGN(weights.ffn_norm, loader.vector(prefix + "ffn_norm.weight", width));
  TACIT_ASSIGN(weights.gate, loader.linear(prefix + "ffn_gate", width, config.ffn_width));
  TACIT_ASSIGN(weights.up, loader.linear(prefix + "ffn_up", width, config.ffn_width));
  TACIT_ASSIGN(weights.down, loader.linear(prefix + "ffn_down", config.ffn_width, width));
  return weights;
}

}  // namespace

bool is_weight_type(TensorType type) {
  switch (type) {
    case TensorType::kF32:
    case TensorType::kF16:
    case TensorType::kBF16:
    case TensorType::kQ8_0:
    case TensorType::kQ4_0: return true;
    default: return false;
  }
}

void dequantize(TensorType type, const std::uint8_t* source, std::uint64_t count, float* out) {
  const auto expand = [&](auto read_block, std::size_t block_bytes) {
    for (std::uint64_t i = 0; i < count; i += kBlock) {
      const IntegerBlock block = read_block(source + i / kBlock * block_bytes);
      for (std::uint32_t k = 0; k < kBlock; ++k) out[i + k] = static_cast<float>(block.values[k]) * block.scale;
    }
  };
  switch (type) {
    case TensorType::kF32: std::memcpy(out, source, count * sizeof(float)); return;
    case TensorType::kF16:
      for (std::uint64_t i = 0; i < count; ++i) out[i] = numeric::from_binary16(load_unaligned<std::uint16_t>(source + 2 * i));
      return;
    case TensorType::kBF16:
      for (std::uint64_t i = 0; i < count; ++i) out[i] = numeric::from_bfloat16(load_unaligned<std::uint16_t>(source + 2 * i));
      return;
    case TensorType::kQ8_0: return expand(read_q8_block, kQ8Bytes);
    case TensorType::kQ4_0: return expand(read_q4_block, kQ4Bytes);
    default: assert(!"not a weight type");
  }
}

Result<Weights> Weights::load(const gguf::File& file, const Config& config) {
  const Loader loader(file);
  Weights weights;
  TACIT_ASSIGN(const gguf::Tensor* embedding, loader.find("token_embd.weight", config.width, config.vocabulary_size));
  weights.embedding = *embedding;
  for (std::uint32_t layer = 0; layer < config.layer_count; ++layer) {
    TACIT_ASSIGN(LayerWeights layer_weights, load_layer(loader, config, layer));
    weights.layers.push_back(std::move(layer_weights));
  }
  TACIT_ASSIGN(weights.output_norm, loader.vector("output_norm.weight", config.width));
  if (file.find_tensor("output.weight") != nullptr) {
    TACIT_ASSIGN(weights.output, loader.linear("output", config.width, config.vocabulary_size));
  } else {
    TACIT_ASSIGN(weights.output, loader.pack(weights.embedding));
  }
  return weights;
}

void Weights::embed(std::uint32_t token, float* out) const {
  const std::size_t row_bytes = embedding.shape[0] / embedding.type->block_elements * embedding.type->block_bytes;
  dequantize(embedding.type->type, embedding.data.data() + token * row_bytes, embedding.shape[0], out);
}

}  // namespace tacit
