// SPDX-License-Identifier: MIT
// A model: its shape and its weights. Immutable once its weights are there, so any number of forward passes may share it.
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
    TACIT_ASSIGN(Model model, outline(file));
    ThreadPool caller_alone(1);
    TACIT_TRY(model.weights.packing.fill(caller_alone, {}));
    return model;
  }
  // The same but for what Weights::outline leaves open.
  static Result<Model> outline(const gguf::File& file) {
    Model model;
    TACIT_ASSIGN(model.config, Config::load(file));
    TACIT_ASSIGN(model.weights, Weights::outline(file, model.config));
    return model;
  }

  // Of linear layers, as many experts as a token uses counted; attention's own products are left out.
  [[nodiscard]] std::uint64_t multiply_adds_per_token() const;
};

}  // namespace tacit
