// SPDX-License-Identifier: MIT
// Quantised types keep their integers and scales exactly; float tensors become int16 blocks (kernels.h) once, here.
#include "engine/cpu/packed_weights.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include "numeric/float_formats.h"
#include "quants/dequantize.h"

namespace tacit {
namespace {

using gguf::TensorType;
using kernels::kBlock;
using kernels::kTile;
using kernels::WeightFormat;

constexpr std::uint32_t kHalf = kBlock / 2;
constexpr std::size_t kTaskBytes = std::size_t{1} << 20;  // packed: milliseconds of one thread
static_assert(quants::kRun == kHalf);
static_assert(kVectorPadding == kBlock);

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

void store_int16_values(const IntegerBlock& block, std::uint32_t o, std::uint8_t* tile_block) {
  for (std::uint32_t k = 0; k < kBlock; k += 2) {
    std::memcpy(tile_block + k / 2 * kGroupStep + o * kGroup, &block.values[k], kGroup);
  }
}

void store_int8_values(const IntegerBlock& block, const kernels::FormatTraits& format, std::uint32_t o,
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
    store_int16_values(block, o, tile_block);
  } else {
    store_int8_values(block, format, o, tile_block);
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
    const std::uint8_t* source = tensor_.data.data() + row * tensor_.row_bytes();
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
    int16_.resize(floats_.size());
    scales_.resize(blocks_.size());
    dequantize(tensor_.type->type, source, width_, floats_.data());
    kernels_.quantize_int16(floats_.data(), width_, int16_.data(), scales_.data());
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      std::copy_n(int16_.begin() + static_cast<std::ptrdiff_t>(b * kBlock), kBlock, blocks_[b].values.begin());
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
  std::vector<std::int16_t> int16_;
  std::vector<float> scales_;
};

// What one thread packs at a time: whole tiles of one matrix.
struct Task {
  MatrixRows rows;
  kernels::WeightFormat format;
  std::uint8_t* target;
};

void add_tasks(const MatrixRows& rows, const kernels::PackedMatrix& matrix, std::uint8_t* target,
               std::vector<Task>& tasks) {
  const std::size_t tile_bytes = kernels::tile_block_bytes(matrix.format) * matrix.block_count;
  const auto tiles =
      static_cast<std::uint32_t>(std::clamp<std::size_t>(kTaskBytes / tile_bytes, 1, matrix.tile_count()));
  for (std::uint32_t row = 0; row < rows.row_count; row += tiles * kTile) {
    const std::uint32_t row_count = std::min(tiles * kTile, rows.row_count - row);
    tasks.push_back(
        {{rows.tensor, rows.first_row + row, row_count}, matrix.format, target + tile_bytes * (row / kTile)});
  }
}

// The first row that has a weight that is not finite; else none.
std::optional<std::uint64_t> pack_rows(const Task& task) {
  const std::size_t block_bytes = kernels::tile_block_bytes(task.format);
  RowReader reader(task.rows.tensor);
  for (std::uint32_t row = 0; row < task.rows.row_count; ++row) {
    std::uint8_t* tile_block = task.target + block_bytes * reader.block_count() * (row / kTile);
    for (const IntegerBlock& block : reader.read(task.rows.first_row + row)) {
      if (!is_finite(block)) return task.rows.first_row + row;
      store_block(block, kernels::traits(task.format), row % kTile, tile_block);
      tile_block += block_bytes;
    }
  }
  return std::nullopt;
}

}  // namespace

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
    default: return WeightFormat::kInt16;
  }
}

Result<PackedWeights> PackedWeights::pack(const Weights& weights, ThreadPool& pool, const Hooks& hooks) {
  PackedWeights packed;
  std::vector<Task> tasks;
  for (const MatrixRows& rows : weights.matrices) {
    kernels::PackedMatrix& matrix = packed.matrices_.emplace_back();
    matrix.format = format_of(rows.tensor.type->type);
    matrix.output_count = rows.row_count;
    matrix.block_count = kernels::round_up(static_cast<std::uint32_t>(rows.tensor.shape[0]), kBlock) / kBlock;
    std::uint8_t* const target = packed.arena_.allocate(packed_bytes(matrix)).data();
    matrix.data = target;
    add_tasks(rows, matrix, target, tasks);
  }
  // In the order of the file, which is then read from its beginning to its end, once.
  std::ranges::stable_sort(tasks, {}, [](const Task& task) { return task.rows.bytes().data(); });
  std::vector<std::optional<std::uint64_t>> bad_rows(tasks.size());
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&] {
    while (!failed) {  // looked at before a task is taken: those before the one that failed are then all finished
      const std::size_t i = next++;
      if (i >= tasks.size()) return;
      bad_rows[i] = pack_rows(tasks[i]);
      if (bad_rows[i].has_value()) failed = true;
      if (hooks.on_consumed) hooks.on_consumed(tasks[i].rows.bytes());
    }
  };
  pool.run(pool.thread_count() + 1, [&](std::uint32_t thread) {
    if (thread > 0) return work();
    if (hooks.concurrent_task) hooks.concurrent_task();
  });
  const auto bad = std::ranges::find_if(bad_rows, [](const auto& row) { return row.has_value(); });
  if (bad == bad_rows.end()) return packed;
  const Task& task = tasks[static_cast<std::size_t>(bad - bad_rows.begin())];
  return model_error(weights.file_name + ": tensor " + std::string(task.rows.tensor.name) + ": found a weight in row " +
                     std::to_string(**bad) + " that is infinite or no number, expected finite ones");
}

}  // namespace tacit
