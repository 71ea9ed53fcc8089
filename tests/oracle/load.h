// SPDX-License-Identifier: MIT
// The parts of loading. Every part asks `reader` for what its family and the file's numbers say must be there.
#pragma once

#include <string>
#include <variant>
#include <vector>

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

// What may differ from layer to layer, and the sizes of heads, which do not.
struct Heads {
  std::vector<std::size_t> query_counts, kv_counts;
  std::vector<std::size_t> hidden_widths;  // 0 where the file is silent
  std::size_t key_dim = 0, value_dim = 0;
};

struct Loader {
  const Family& family;
  Reader& reader;
  Shape shape;
  Heads heads;
  std::size_t context_length = 0;
};

// load.cpp
Result<Norm> load_norm(Reader& reader, const Family& family, const Shape& shape, const std::string& name);
// `count` rows from row `first` on, of a tensor that holds several layers' rows.
Linear rows(const Linear& all, std::size_t first, std::size_t count);

// load_attention.cpp and load_experts.cpp: those of layer `index`, whose tensors' names begin with `prefix`.
Result<Attention> load_attention(const Loader& l, const std::string& prefix, std::size_t index);
Result<std::variant<FeedForward, Experts>> load_feed_forward(const Loader& l, const std::string& prefix,
                                                             std::size_t index);

// load_rope.cpp: rotation of heads of `head_dim` elements on layers without a window, or (`local`) with one.
Result<Rope> load_rope(Reader& reader, const Family& family, std::size_t head_dim, bool local,
                       std::size_t context_length);

// load_recurrent.cpp: layer `index`, of the kind that the family names.
Result<Layer> load_recurrent_layer(Reader& reader, const Family& family, const Shape& shape, std::size_t index);

}  // namespace tacit::oracle
