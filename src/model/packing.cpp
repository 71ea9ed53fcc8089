// SPDX-License-Identifier: MIT
// Types whose integers fit a format of the kernels keep them, and their scales, exactly; the others, float tensors among
// them, become wide or 8-bit blocks (kernels.h) once, here.
#include "model/packing.h"

#include <algorithm>
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

// One block of weights: scale * value + minimum.
struct IntegerBlock {
  std::array<std::int16_t, kBlock> values;
  float scale;
  float minimum;
};

bool is_finite(const IntegerBlock& block) {
  return std::ranges::all_of(block.values, [&](std::int16_t value) {
    return numeric::is_finite(static_cast<float>(value) * block.scale + block.minimum);
  });
}

// Puts one block of output `o` into its tile block, in the layout that kernels.h draws.
void store_block(const IntegerBlock& block, WeightFormat format, std::uint32_t o, std::uint8_t* tile_block) {
  for (std::uint32_t k = 0; k < kBlock; ++k) {
    const std::uint32_t byte = (k / 4) * 64 + o * 4 + k % 4;
    const auto value = static_cast<std::uint32_t>(block.values[k] + kernels::offset_of(format));
    if (format == WeightFormat::kWide) {
      std::memcpy(tile_block + 2 * ((k / 2) * 32 + o * 2 + k % 2), &block.values[k], sizeof(std::int16_t));
    } else if (format == WeightFormat::kInt8) {
      tile_block[byte] = static_cast<std::uint8_t>(value);
    } else {
      tile_block[byte % 256] |= static_cast<std::uint8_t>((value & 15) << (k < 16 ? 0 : 4));
      if (kernels::has_fifth_bit(format)) tile_block[256 + byte % 64] |= static_cast<std::uint8_t>(value >> 4 << k / 4);
    }
  }
  std::uint8_t* scales = tile_block + kernels::value_bytes(format) + o * sizeof(float);
  std::memcpy(scales, &block.scale, sizeof(float));
  if (kernels::has_minimum(format)) std::memcpy(scales + kernels::kScaleBytes, &block.minimum, sizeof(float));
}

// The blocks of one row of a tensor.
class RowReader {
 public:
  explicit RowReader(const gguf::Tensor& tensor)
      : tensor_(tensor),
        packing_(packing_of(tensor.type->type)),
        width_(static_cast<std::uint32_t>(tensor.shape[0])),
        blocks_(kernels::round_up(width_, kBlock) / kBlock) {}

  const std::vector<IntegerBlock>& read(std::uint64_t row) {
    const std::uint8_t* source = tensor_.data.data() + row * row_bytes(tensor_);
    if (packing_.is_exact) {
      read_integers(source);
    } else {
      convert(source);
    }
    return blocks_;
  }

 private:
  void read_integers(const std::uint8_t* source) {
    const quants::BlockType& type = *quants::find_block_type(tensor_.type->type);
    quants::Integers integers;
    for (std::uint32_t i = 0; i < width_; i += tensor_.type->block_elements, source += tensor_.type->block_bytes) {
      type.decode(source, integers);
      for (std::uint32_t k = 0; k < tensor_.type->block_elements; k += kBlock) {
        IntegerBlock& block = blocks_[(i + k) / kBlock];
        std::copy_n(integers.values.begin() + k, kBlock, block.values.begin());
        block.scale = integers.scales[k / quants::kRun];
        block.minimum = integers.minimums[k / quants::kRun];
      }
    }
  }

  void convert(const std::uint8_t* source) {
    values_.resize(blocks_.size() * kBlock);
    scales_.resize(blocks_.size());
    dequantize(tensor_.type->type, source, width_, values_.data());
    if (packing_.format == WeightFormat::kWide) {
      wide_.resize(values_.size());
      kernels_.quantize_wide(values_.data(), width_, wide_.data(), scales_.data());
      take(wide_.data());
    } else {
      narrow_.resize(values_.size());
      sums_.resize(blocks_.size());
      kernels_.quantize_narrow(values_.data(), width_, narrow_.data(), scales_.data(), sums_.data());
      take(narrow_.data());
    }
  }

  template <class T>
  void take(const T* quantized) {
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      std::copy_n(quantized + b * kBlock, kBlock, blocks_[b].values.begin());
      blocks_[b].scale = scales_[b];
      blocks_[b].minimum = 0;
    }
  }

  const gguf::Tensor& tensor_;
  const kernels::Kernels& kernels_ = *kernels::find_kernels("");
  Packing packing_;
  std::uint32_t width_;
  std::vector<IntegerBlock> blocks_;
  std::vector<float> values_;
  std::vector<std::int16_t> wide_;
  std::vector<std::int8_t> narrow_;
  std::vector<std::int32_t> sums_;
  std::vector<float> scales_;
};

}  // namespace

bool is_weight_type(TensorType type) { return is_dequantizable(type); }

Packing packing_of(TensorType type) {
  switch (type) {
    case TensorType::kQ4_0:
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0: return {WeightFormat::kInt4, true};
    case TensorType::kQ4_1:
    case TensorType::kQ4_K: return {WeightFormat::kInt4Minimum, true};
    case TensorType::kQ5_0:
    case TensorType::kMXFP4:
    case TensorType::kIQ1_S:
    case TensorType::kIQ3_S: return {WeightFormat::kInt5, true};
    case TensorType::kQ5_1:
    case TensorType::kQ5_K: return {WeightFormat::kInt5Minimum, true};
    case TensorType::kQ8_0:
    case TensorType::kIQ4_NL:
    case TensorType::kIQ4_XS:
    case TensorType::kIQ2_XXS:
    case TensorType::kIQ3_XXS: return {WeightFormat::kInt8, true};
    case TensorType::kQ2_K:
    case TensorType::kQ3_K:
    case TensorType::kQ6_K:
    case TensorType::kIQ1_M:
    case TensorType::kIQ2_XS:
    case TensorType::kIQ2_S:
    case TensorType::kNVFP4: return {WeightFormat::kInt8, false};
    default: return {WeightFormat::kWide, false};
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
  packed.format = packing_of(tensor.type->type).format;
  packed.output_count = row_count;
  packed.block_count = kernels::round_up(result.input_count, kBlock) / kBlock;
  const std::size_t block_bytes = kernels::tile_block_bytes(packed.format);
  result.storage = AlignedBuffer(block_bytes * packed.block_count * packed.tile_count());
  packed.data = result.storage.data();
  RowReader reader(tensor);
  for (std::uint32_t row = 0; row < row_count; ++row) {
    std::uint8_t* tile_block = result.storage.data() + (row / kTile) * packed.block_count * block_bytes;
    for (const IntegerBlock& block : reader.read(first_row + row)) {
      if (!is_finite(block)) {
        return model_error(file.name() + ": tensor " + std::string(tensor.name) + ": found a weight in row " +
                           std::to_string(first_row + row) + " that is infinite or no number, expected finite ones");
      }
      store_block(block, packed.format, row % kTile, tile_block);
      tile_block += block_bytes;
    }
  }
  return result;
}

}  // namespace tacit
