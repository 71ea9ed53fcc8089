// SPDX-License-Identifier: MIT
// Models of stated shapes with random Q8_0 weights, made in memory: speed depends on shapes, not on what was learnt.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace tacit::bench {

struct Shape {
  const char* name;
  std::uint32_t layer_count, width, head_count, kv_head_count, ffn_width, vocabulary_size;
};

// Of architecture `llama`, embeddings tied, heads of width / head_count, context 2048.
ByteVector random_model(const Shape& shape);

}  // namespace tacit::bench
