// SPDX-License-Identifier: MIT
// A model: its shape and its weights. Immutable once loaded, so any number of forward passes may share it.
#pragma once

#include <cstdint>

#include "base/token.h"
#include "model/config.h"
#include "model/weights.h"

namespace tacit {

struct Model {
  Config config;
  Weights weights;

  // `file`'s bytes must outlive the model. Errors: kModel, naming file, key or tensor, found and expected.
  static Result<Model> load(const gguf::File& file) {
    Model model;
    TACIT_ASSIGN(model.config, Config::load(file));
    TACIT_ASSIGN(model.weights, Weights::load(file, model.config));
    return model;
  }

  [[nodiscard]] std::uint64_t multiply_adds_per_token() const {
    const Config& c = config;
    const std::uint64_t attention = std::uint64_t{c.width} * (c.head_count + c.kv_head_count) * (c.head_dim + c.value_dim);
    const std::uint64_t ffn = std::uint64_t{3} * c.width * c.ffn_width;
    return c.layer_count * (attention + ffn) + std::uint64_t{c.width} * c.vocabulary_size;
  }
};

}  // namespace tacit
