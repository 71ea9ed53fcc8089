// SPDX-License-Identifier: MIT
// The model that is linked into the library: loaded once, when first asked for, and shared.
#pragma once

#include <memory>

#include "store/loaded_model.h"

namespace tacit {

// Errors: kModel (only if the library was built with a file that is no usable model).
Result<std::shared_ptr<const LoadedModel>> builtin_model();
// The same, but LoadedModel::load_weights is left to the caller, who has more threads or needs no weights.
Result<std::shared_ptr<const LoadedModel>> builtin_model_without_weights();
// SHA-256 of its file, without loading it.
const Sha256& builtin_model_fingerprint();

}  // namespace tacit
