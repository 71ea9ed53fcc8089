// SPDX-License-Identifier: MIT
// Q8_0 and Q4_0 keep their integers and scales exactly; float tensors become wide blocks (kernels.h) once, here.
#include "model/packing.h"

#include <array>
#include <cassert>
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
  explicit RowReader(const gguf::Tensor& tensor)
      : tensor_(tensor),
        kernels_(*kernels::find_kernels("")),
        width_(static_cast<std::uint32_t>(tensor.shape[0])),
        values_(kernels::round_up(width_, kBlock)),
        wide_(values_.size()),
        scales_(values_.size() / kBlock) {}

  void seek(std::uint64_t row) {
    row_ = tensor_.data.data() + row * row_bytes(tensor_);
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
  const std::uint8_t* row_ = nullptr;
  std::vector<float> values_;
  std::vector<std::int16_t> wide_;
  std::vector<float> scales_;
};

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

std::size_t row_bytes(const gguf::Tensor& tensor) {
  return tensor.shape[0] / tensor.type->block_elements * tensor.type->block_bytes;
}

Result<Linear> pack(const gguf::File& file, const gguf::Tensor& tensor, std::uint64_t first_row,
                    std::uint32_t row_count) {
  Linear result;
  result.input_count = static_cast<std::uint32_t>(tensor.shape[0]);
  kernels::PackedMatrix& packed = result.packed;
  packed.format = format_of(tensor.type->type);
  packed.output_count = row_count;
  packed.block_count = kernels::round_up(result.input_count, kBlock) / kBlock;
  const std::size_t block_bytes = kernels::tile_block_bytes(packed.format);
  result.storage = AlignedBuffer(block_bytes * packed.block_count * packed.tile_count());
  packed.data = result.storage.data();
  RowReader reader(tensor);
  for (std::uint32_t row = 0; row < row_count; ++row) {
    reader.seek(first_row + row);
    std::uint8_t* tile = result.storage.data() + (row / kTile) * packed.block_count * block_bytes;
    for (std::uint32_t b = 0; b < packed.block_count; ++b) {
      const IntegerBlock block = reader.block(b);
      if (!numeric::is_finite(block.scale)) {
        return model_error(file.name() + ": tensor " + std::string(tensor.name) + ": found a weight in row " +
                           std::to_string(first_row + row) + " that is infinite or no number, expected finite ones");
      }
      store_block(block, packed.format, row % kTile, tile + b * block_bytes);
    }
  }
  return result;
}

}  // namespace tacit
