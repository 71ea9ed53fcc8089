// SPDX-License-Identifier: MIT
// Which model it shall be: the one that an archive needs, or the one that a name means. Of the caller's model, the
// built-in one and those of the search path.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "store/loaded_model.h"
#include "store/model_search.h"

namespace tacit {

using SharedModel = std::shared_ptr<const LoadedModel>;

// The model that an archive says it was made with.
struct NeededModel {
  const Sha256& fingerprint;
  const std::string& name;
};

// The needed model, ready to compute: `given`, which may be null, or the built-in one; where nothing is given and
// `found` is not null, also the one that was left there, or one of the search path, which is left there then. Errors:
// kModel, saying what was needed, given and looked for.
Result<SharedModel> find_needed_model(const NeededModel& needed, const SharedModel& given, SharedModel* found,
                                      ThreadPool& pool);

// The file `name`, if there is one, or else the model that is called so (ModelSearch::find_named). Errors: those of
// LoadedModel::open and ModelSearch::find_named.
Result<SharedModel> find_named_model(const std::string& name);

// Hands over the built-in model, those of the search path and those of `paths`. False where `receive` returned false,
// which stops it. Errors: those of the built-in model.
Result<bool> list_models(const std::vector<std::string>& paths, const std::function<bool(const FoundModel&)>& receive);

}  // namespace tacit
