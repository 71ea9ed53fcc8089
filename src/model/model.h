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

  // Of linear layers, as many experts as a token uses counted; attention's own products are left out.
  [[nodiscard]] std::uint64_t multiply_adds_per_token() const;
};

}  // namespace tacit
