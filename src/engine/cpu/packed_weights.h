// SPDX-License-Identifier: MIT
// The matrices of a model in the form that the kernels take, exactly where the contract has a form for their type.
// Knows types, not names.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/page_arena.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/cpu/kernels/kernels.h"
#include "gguf/gguf.h"
#include "model/weights.h"

namespace tacit {

// How weights of a type are held. Every packed weight is the very number that the file has, except in kInt16: float
// types are quantised by blocks (spec/numeric.md, section 2).
kernels::WeightFormat format_of(gguf::TensorType type);

// All matrices of a model, packed. Immutable: any number of forward passes may share it.
class PackedWeights {
 public:
  struct Hooks {
    std::function<void()> concurrent_task;        // what one of the threads does first, or null
    std::function<void(ByteSpan)> on_consumed;  // is told of bytes of the file that were packed, by any thread; or null
  };
  // Reads the numbers of all matrices, which must be there until then. The result does not depend on the threads.
  // Errors: kModel where a weight is not finite, naming the first in the file.
  static Result<PackedWeights> pack(const Weights& weights, ThreadPool& pool, const Hooks& hooks);

  // That of Weights::matrices[index].
  [[nodiscard]] const kernels::PackedMatrix& operator[](std::uint32_t index) const { return matrices_[index]; }

 private:
  PageArena arena_;
  std::vector<kernels::PackedMatrix> matrices_;
};

inline std::size_t packed_bytes(const kernels::PackedMatrix& matrix) {
  return kernels::tile_block_bytes(matrix.format) * matrix.block_count * matrix.tile_count();
}

}  // namespace tacit
