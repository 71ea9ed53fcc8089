// SPDX-License-Identifier: MIT
// Elements of tensors in float64, by decoders of the oracle's own.
#pragma once

#include <cstdint>

#include "gguf/gguf.h"

namespace tacit::oracle {

// Decodes the block at `block`, of type `type`, to the numbers `out`, as many as one block has (F32, F16 and BF16:
// one). False for a type that is not known here.
bool decode_block(gguf::TensorType type, const std::uint8_t* block, double* out);

}  // namespace tacit::oracle
