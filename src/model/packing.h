// SPDX-License-Identifier: MIT
// Weights of a file into the form that the kernels take, exactly where the contract has a form for their type. Knows
// types, not names or shapes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/page_arena.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "quants/dequantize.h"

namespace tacit {

// y = W x + bias, W packed.
struct Linear {
  std::span<std::uint8_t> storage;  // of the Packing that made it
  kernels::PackedMatrix packed;
  std::uint32_t input_count = 0;
  std::vector<float> bias;  // empty: none; padded with zeros to a multiple of kBlock
};

// Whether tensors of this type can be weights. `dequantize` (quants/dequantize.h) takes the same types.
bool is_weight_type(gguf::TensorType type);

// How weights of a type are held. Every packed weight is the very number that the file has, except in kWide: float types
// are quantised by blocks (spec/numeric.md, section 2).
kernels::WeightFormat format_of(gguf::TensorType type);

// Bytes of one row of a tensor: shape[0] elements.
std::size_t row_bytes(const gguf::Tensor& tensor);

// The packed matrices of a model. First all are named, which reads no weight; then all are filled at once.
class Packing {
 public:
  // `file_name` is for messages.
  explicit Packing(std::string file_name) : file_name_(std::move(file_name)) {}

  // The rows [first_row, first_row + row_count) of a tensor, counted through all its dimensions but the first, as a
  // matrix without a bias. Its numbers are there after fill(); the tensor's bytes must be there until then.
  Linear add(const gguf::Tensor& tensor, std::uint64_t first_row, std::uint32_t row_count);

  struct Hooks {
    std::function<void()> beside;               // what one of the threads does first, or null
    std::function<void(ByteSpan)> done_with;    // is told of bytes of the file that have been packed, by any thread; or null
  };
  // The result does not depend on the threads. Errors: kModel where a weight is not finite, naming the first in the file.
  [[nodiscard]] Status fill(ThreadPool& pool, const Hooks& hooks) const;

 private:
  // What one thread packs at a time: whole tiles of one matrix.
  struct Piece {
    gguf::Tensor tensor;
    std::uint64_t first_row;
    std::uint32_t row_count;
    kernels::WeightFormat format;
    std::uint8_t* target;

    [[nodiscard]] ByteSpan source() const;
    // The first row that has a weight that is not finite; else none.
    [[nodiscard]] std::optional<std::uint64_t> pack() const;
  };

  [[nodiscard]] Error not_finite(const Piece& piece, std::uint64_t row) const;

  std::string file_name_;
  PageArena arena_;
  std::vector<Piece> pieces_;
};

}  // namespace tacit
