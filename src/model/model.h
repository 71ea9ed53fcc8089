// SPDX-License-Identifier: MIT
// What a model is: its shape and where its weights are. Immutable: any number of engines may share it.
#pragma once

#include <cstdint>

#include "base/token.h"
#include "model/config.h"
#include "model/weights.h"

namespace tacit {

struct Model {
  Config config;
  Weights weights;

  // Checks all and reads all but the numbers of matrices, which engines read; `file`'s bytes must outlive the model.
  // Errors: kModel, naming file, key or tensor, found and expected.
  static Result<Model> load(const gguf::File& file) {
    Model model;
    TACIT_ASSIGN(model.config, Config::load(file));
    TACIT_ASSIGN(model.weights, Weights::load(file, model.config));
    return model;
  }

  // Of linear layers, as many ffn experts as a token uses counted; attention's own products are left out.
  [[nodiscard]] std::uint64_t multiply_adds_per_token() const;
};

}  // namespace tacit
