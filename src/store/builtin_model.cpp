// SPDX-License-Identifier: MIT
#include "store/builtin_model.h"

#include <mutex>

extern "C" {
extern const std::uint8_t tacit_builtin_model_begin[];
extern const std::uint8_t tacit_builtin_model_end[];
}

namespace tacit {
namespace {

ByteSpan builtin_bytes() { return {tacit_builtin_model_begin, tacit_builtin_model_end}; }

}  // namespace

Result<std::shared_ptr<const LoadedModel>> builtin_model() {
  TACIT_ASSIGN(std::shared_ptr<const LoadedModel> model, builtin_model_without_weights());
  ThreadPool caller_alone(1);
  TACIT_TRY(model->load_weights(caller_alone));
  return model;
}

Result<std::shared_ptr<const LoadedModel>> builtin_model_without_weights() {
  static std::mutex mutex;
  static std::shared_ptr<const LoadedModel> model;
  const std::lock_guard<std::mutex> lock(mutex);
  if (model == nullptr) {
    TACIT_ASSIGN(model, LoadedModel::load(builtin_bytes(), "built-in model"));
  }
  return model;
}

const Sha256& builtin_model_fingerprint() {
  static const Sha256 fingerprint = sha256(builtin_bytes());
  return fingerprint;
}

}  // namespace tacit
