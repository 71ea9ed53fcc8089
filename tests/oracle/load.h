// SPDX-License-Identifier: MIT
// The parts of loading that have a file of their own.
#pragma once

#include <string>

#include "oracle/family.h"
#include "oracle/model.h"
#include "oracle/reader.h"

namespace tacit::oracle {

// What all layers share.
struct Shape {
  std::size_t width = 0;
  std::size_t layer_count = 0;
  double norm_epsilon = 0;
};

// load.cpp: the norm `name` of rows of `width` elements.
Result<Norm> load_norm(Reader& reader, const Family& family, const Shape& shape, const std::string& name);

// load_rope.cpp: rotation of heads of `head_dim` elements on layers without a window, or (`local`) with one.
Result<Rope> load_rope(Reader& reader, const Family& family, std::size_t head_dim, bool local,
                       std::size_t context_length);

// load_recurrent.cpp: layer `index`, of the kind that the family names.
Result<Layer> load_recurrent_layer(Reader& reader, const Family& family, const Shape& shape, std::size_t index);

}  // namespace tacit::oracle
