// SPDX-License-Identifier: MIT
// Quantised types keep their integers and scales exactly; float tensors become wide blocks (kernels.h) once, here.
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

constexpr std::uint32_t kHalf = kBlock / 2;
static_assert(quants::kRun == kHalf);

// One block of weights: scale * value + minimum, by halves.
struct IntegerBlock {
  std::array<std::int16_t, kBlock> values;
  std::array<float, 2> scales;
  std::array<float, 2> minimums;
};

bool is_finite(const IntegerBlock& block) {
  bool finite = true;
  for (std::uint32_t k = 0; k < kBlock; ++k) {
    const float product = static_cast<float>(block.values[k]) * block.scales[k / kHalf];
    finite &= numeric::is_finite(product + block.minimums[k / kHalf]);
  }
  return finite;
}

// Puts one block of output `o` into its tile block, in the layout that kernels.h draws.
void store_block(const IntegerBlock& block, const kernels::FormatTraits& format, std::uint32_t o,
                 std::uint8_t* tile_block) {
  for (std::uint32_t k = 0; k < kBlock; ++k) {
    const std::uint32_t byte = (k / 4) * 64 + o * 4 + k % 4;
    const auto number = static_cast<std::uint32_t>(block.values[k] + format.offset);
    if (format.bits == 16) {
      std::memcpy(tile_block + 2 * ((k / 2) * 32 + o * 2 + k % 2), &block.values[k], sizeof(std::int16_t));
    } else if (format.bits == 8) {
      tile_block[byte] = static_cast<std::uint8_t>(number);
    } else {
      tile_block[byte % 256] |= static_cast<std::uint8_t>((number & 15) << (k < kHalf ? 0 : 4));
      if (format.bits == 5) tile_block[256 + byte % 64] |= static_cast<std::uint8_t>(number >> 4 << k / 4);
    }
  }
  std::uint8_t* factors = tile_block + kernels::value_bytes(format.format) + o * sizeof(float);
  for (std::uint32_t part = 0; part < format.part_count; ++part, factors += kernels::kScaleBytes) {
    std::memcpy(factors, &block.scales[part], sizeof(float));
    if (!format.has_minimum) continue;
    std::memcpy(factors + format.part_count * kernels::kScaleBytes, &block.minimums[part], sizeof(float));
  }
}

// The blocks of one row of a tensor.
class RowReader {
 public:
  explicit RowReader(const gguf::Tensor& tensor)
      : tensor_(tensor),
        block_type_(quants::find_block_type(tensor.type->type)),
        width_(static_cast<std::uint32_t>(tensor.shape[0])),
        blocks_(kernels::round_up(width_, kBlock) / kBlock) {}

  const std::vector<IntegerBlock>& read(std::uint64_t row) {
    const std::uint8_t* source = tensor_.data.data() + row * row_bytes(tensor_);
    if (block_type_ != nullptr) {
      take_integers(source);
    } else {
      quantize_floats(source);
    }
    return blocks_;
  }

 private:
  void take_integers(const std::uint8_t* source) {
    const std::uint32_t size = tensor_.type->block_elements;
    quants::Integers integers;
    for (std::uint32_t first = 0; first < width_; first += size, source += tensor_.type->block_bytes) {
      block_type_->decode(source, integers);
      for (std::uint32_t i = 0; i < size / kBlock; ++i) {
        IntegerBlock& block = blocks_[first / kBlock + i];
        std::copy_n(integers.values.begin() + i * kBlock, kBlock, block.values.begin());
        std::copy_n(integers.scales.begin() + 2 * i, 2, block.scales.begin());
        std::copy_n(integers.minimums.begin() + 2 * i, 2, block.minimums.begin());
      }
    }
  }

  void quantize_floats(const std::uint8_t* source) {
    floats_.resize(blocks_.size() * kBlock);
    wide_.resize(floats_.size());
    scales_.resize(blocks_.size());
    dequantize(tensor_.type->type, source, width_, floats_.data());
    kernels_.quantize_wide(floats_.data(), width_, wide_.data(), scales_.data());
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      std::copy_n(wide_.begin() + static_cast<std::ptrdiff_t>(b * kBlock), kBlock, blocks_[b].values.begin());
      blocks_[b].scales.fill(scales_[b]);
      blocks_[b].minimums.fill(0);
    }
  }

  const gguf::Tensor& tensor_;
  const quants::BlockType* block_type_;
  const kernels::Kernels& kernels_ = *kernels::find_kernels("");
  std::uint32_t width_;
  std::vector<IntegerBlock> blocks_;
  std::vector<float> floats_;
  std::vector<std::int16_t> wide_;
  std::vector<float> scales_;
};

}  // namespace

bool is_weight_type(TensorType type) { return is_dequantizable(type); }

WeightFormat format_of(TensorType type) {
  switch (type) {
    case TensorType::kQ4_0:
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0: return WeightFormat::kInt4;
    case TensorType::kQ4_1:
    case TensorType::kQ4_K: return WeightFormat::kInt4Minimum;
    case TensorType::kQ3_K: return WeightFormat::kInt4Halves;
    case TensorType::kQ2_K: return WeightFormat::kInt4HalvesMinimum;
    case TensorType::kQ5_0:
    case TensorType::kMXFP4:
    case TensorType::kIQ1_S:
    case TensorType::kIQ3_S: return WeightFormat::kInt5;
    case TensorType::kQ5_1:
    case TensorType::kQ5_K: return WeightFormat::kInt5Minimum;
    case TensorType::kNVFP4:
    case TensorType::kIQ1_M: return WeightFormat::kInt5Halves;
    case TensorType::kQ8_0:
    case TensorType::kIQ4_NL:
    case TensorType::kIQ4_XS:
    case TensorType::kIQ2_XXS:
    case TensorType::kIQ3_XXS: return WeightFormat::kInt8;
    case TensorType::kQ6_K:
    case TensorType::kIQ2_XS:
    case TensorType::kIQ2_S: return WeightFormat::kInt8Halves;
    default: return WeightFormat::kWide;
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
    std::uint8_t* tile_block = result.storage.data() + block_bytes * packed.block_count * (row / kTile);
    for (const IntegerBlock& block : reader.read(first_row + row)) {
      if (!is_finite(block)) {
        return model_error(file.name() + ": tensor " + std::string(tensor.name) + ": found a weight in row " +
                           std::to_string(first_row + row) + " that is infinite or no number, expected finite ones");
      }
      store_block(block, kernels::traits(packed.format), row % kTile, tile_block);
      tile_block += block_bytes;
    }
  }
  return result;
}

}  // namespace tacit
