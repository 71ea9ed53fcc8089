// SPDX-License-Identifier: MIT
#include "store/engines.h"

#include "engine/cpu/cpu_engine.h"
#include "engine/cpu/kernels/kernels.h"

namespace tacit {

const std::string& kernel_sets() {
  static const std::string names = [] {
    std::string text;
    const kernels::KernelList list = kernels::available_kernels();
    for (std::uint32_t i = 0; i < list.count; ++i) text += (i > 0 ? "," : "") + std::string(list.sets[i]->name);
    return text;
  }();
  return names;
}

bool is_kernel_set(const std::string& name) { return kernels::find_kernels(name.c_str()) != nullptr; }

Result<std::unique_ptr<Engine>> make_engine(const LoadedModel& model, const EngineOptions& options) {
  TACIT_TRY(model.load_weights(*options.pool));
  return make_cpu_engine(model.model, model.weights(), *kernels::find_kernels(options.kernel_set.c_str()),
                         *options.pool);
}

std::uint64_t lane_bytes(const LoadedModel& model, std::uint32_t window) {
  return cpu_lane_bytes(model.model.config, window);
}

std::size_t lanes_max(const LoadedModel& model, std::uint32_t window) {
  return cpu_lanes_max(model.model.config, window);
}

}  // namespace tacit
