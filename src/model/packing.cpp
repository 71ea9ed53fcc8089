// SPDX-License-Identifier: MIT
// Quantised types keep their integers and scales exactly; float tensors become wide blocks (kernels.h) once, here.
#include "model/packing.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
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
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;  // packed: milliseconds of one thread
static_assert(quants::kRun == kHalf);

// One block of weights: scale * value + minimum, by halves.
struct IntegerBlock {
  std::array<std::int16_t, kBlock> values;
  std::array<float, 2> scales;
  std::array<float, 2> minimums;
};

bool is_finite(const IntegerBlock& block) {
  constexpr float kSmall = 0x1p100f;  // so are then all products and sums
  const auto is_small = [](float factor) { return std::abs(factor) < kSmall; };
  if (std::ranges::all_of(block.scales, is_small) && std::ranges::all_of(block.minimums, is_small)) return true;
  bool finite = true;
  for (std::uint32_t k = 0; k < kBlock; ++k) {
    const float product = static_cast<float>(block.values[k]) * block.scales[k / kHalf];
    finite &= numeric::is_finite(product + block.minimums[k / kHalf]);
  }
  return finite;
}

// The layouts that kernels.h draws: of a tile block the bytes of output `o`, four at a time, a step of 64 bytes apart.
constexpr std::uint32_t kGroup = 4;
constexpr std::uint32_t kGroupStep = kGroup * kTile;

void store_wide_values(const IntegerBlock& block, std::uint32_t o, std::uint8_t* tile_block) {
  for (std::uint32_t k = 0; k < kBlock; k += 2) {
    std::memcpy(tile_block + k / 2 * kGroupStep + o * kGroup, &block.values[k], kGroup);
  }
}

void store_narrow_values(const IntegerBlock& block, const kernels::FormatTraits& format, std::uint32_t o,
                         std::uint8_t* tile_block) {
  std::array<std::uint8_t, kBlock> numbers;
  for (std::uint32_t k = 0; k < kBlock; ++k) numbers[k] = static_cast<std::uint8_t>(block.values[k] + format.offset);
  if (format.bits == 5) {
    std::array<std::uint8_t, kGroup> fifths{};
    for (std::uint32_t k = 0; k < kBlock; ++k) {
      fifths[k % kGroup] |= static_cast<std::uint8_t>(numbers[k] >> 4 << k / kGroup);
    }
    std::memcpy(tile_block + kHalf / kGroup * kGroupStep + o * kGroup, fifths.data(), kGroup);
  }
  if (format.bits < 8) {
    for (std::uint32_t k = 0; k < kHalf; ++k) {
      numbers[k] = static_cast<std::uint8_t>((numbers[k] & 15) | numbers[k + kHalf] << 4);
    }
  }
  for (std::uint32_t k = 0; k < (format.bits == 8 ? kBlock : kHalf); k += kGroup) {
    std::memcpy(tile_block + k / kGroup * kGroupStep + o * kGroup, &numbers[k], kGroup);
  }
}

void store_block(const IntegerBlock& block, const kernels::FormatTraits& format, std::uint32_t o,
                 std::uint8_t* tile_block) {
  if (format.bits == 16) {
    store_wide_values(block, o, tile_block);
  } else {
    store_narrow_values(block, format, o, tile_block);
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

  [[nodiscard]] std::size_t block_count() const { return blocks_.size(); }

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

Linear Packing::add(const gguf::Tensor& tensor, std::uint64_t first_row, std::uint32_t row_count) {
  Linear result;
  result.input_count = static_cast<std::uint32_t>(tensor.shape[0]);
  kernels::PackedMatrix& packed = result.packed;
  packed.format = format_of(tensor.type->type);
  packed.output_count = row_count;
  packed.block_count = kernels::round_up(result.input_count, kBlock) / kBlock;
  const std::size_t tile_bytes = kernels::tile_block_bytes(packed.format) * packed.block_count;
  result.storage = arena_.allocate(tile_bytes * packed.tile_count());
  packed.data = result.storage.data();
  const auto tiles = static_cast<std::uint32_t>(std::clamp<std::size_t>(kPieceBytes / tile_bytes, 1, packed.tile_count()));
  for (std::uint32_t row = 0; row < row_count; row += tiles * kTile) {
    pieces_.push_back({tensor, first_row + row, std::min(tiles * kTile, row_count - row), packed.format,
                       result.storage.data() + tile_bytes * (row / kTile)});
  }
  return result;
}

ByteSpan Packing::Piece::source() const {
  return tensor.data.subspan(first_row * row_bytes(tensor), row_count * row_bytes(tensor));
}

std::optional<std::uint64_t> Packing::Piece::pack() const {
  const std::size_t block_bytes = kernels::tile_block_bytes(format);
  RowReader reader(tensor);
  for (std::uint32_t row = 0; row < row_count; ++row) {
    std::uint8_t* tile_block = target + block_bytes * reader.block_count() * (row / kTile);
    for (const IntegerBlock& block : reader.read(first_row + row)) {
      if (!is_finite(block)) return first_row + row;
      store_block(block, kernels::traits(format), row % kTile, tile_block);
      tile_block += block_bytes;
    }
  }
  return std::nullopt;
}

// In the order of the file, which is then read from its beginning to its end, once.
Status Packing::fill(ThreadPool& pool, const Hooks& hooks) const {
  std::vector<const Piece*> order;
  for (const Piece& piece : pieces_) order.push_back(&piece);
  std::ranges::stable_sort(order, {}, [](const Piece* piece) { return piece->source().data(); });
  std::vector<std::optional<std::uint64_t>> bad_rows(order.size());
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&] {
    while (!failed) {  // looked at before a piece is taken: those before the one that failed are then all finished
      const std::size_t i = next++;
      if (i >= order.size()) return;
      bad_rows[i] = order[i]->pack();
      if (bad_rows[i].has_value()) failed = true;
      if (hooks.done_with) hooks.done_with(order[i]->source());
    }
  };
  pool.run(pool.thread_count() + 1, [&](std::uint32_t task) {
    if (task > 0) return work();
    if (hooks.beside) hooks.beside();
  });
  const auto bad = std::ranges::find_if(bad_rows, [](const auto& row) { return row.has_value(); });
  if (bad == bad_rows.end()) return {};
  return not_finite(*order[static_cast<std::size_t>(bad - bad_rows.begin())], **bad);
}

Error Packing::not_finite(const Piece& piece, std::uint64_t row) const {
  return model_error(file_name_ + ": tensor " + std::string(piece.tensor.name) + ": found a weight in row " +
                     std::to_string(row) + " that is infinite or no number, expected finite ones");
}

}  // namespace tacit
