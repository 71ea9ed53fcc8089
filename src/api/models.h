// SPDX-License-Identifier: MIT
// The tacit_model of clients.
#pragma once

#include <tacit/tacit.h>

#include <memory>
#include <vector>

#include "store/loaded_model.h"

struct tacit_model {
  std::shared_ptr<const tacit::LoadedModel> loaded;
  std::vector<tacit_tensor_type> tensor_types;
};

namespace tacit {

// For a client, who closes it.
tacit_model* new_model(std::shared_ptr<const LoadedModel> loaded);

}  // namespace tacit
