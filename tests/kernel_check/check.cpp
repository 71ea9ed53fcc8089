// SPDX-License-Identifier: MIT
#include "kernel_check/check.h"

#include "engine/cpu/kernels/reference.h"

namespace tacit::test {

// A field that no function here stands for would go unchecked: all but the name are pointers.
static_assert(sizeof(kernels::Kernels) == 20 * sizeof(void*), "a new kernel needs cases: rows, products or counts.cpp");

void CaseSink::compare(std::uint64_t index, const KernelCase& kernel_case) {
  Outputs expected, found;
  kernel_case.call(kernels::kReferenceKernels, expected);
  kernel_case.call(set_, found);
  ++compared_count_;
  const auto difference = Outputs::difference(expected, found);
  if (!difference.has_value()) return;
  failure_ = std::string(set_.name) + ": " + function_ + ", " + kernel_case.sizes + ": " + *difference + "; seed " +
             std::to_string(options_.seed) + ", case " + std::to_string(index);
}

std::span<const KernelFunction> kernel_functions() {
  static const std::vector<KernelFunction> functions = [] {
    std::vector<KernelFunction> all;
    for (const auto& part : {row_functions(), product_functions(), count_functions()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return functions;
}

CheckResult check(const kernels::Kernels& set, const KernelFunction& function, const CheckOptions& options) {
  CaseSink sink(set, function.name, options);
  function.add_cases(sink);
  return {sink.compared_count(), sink.failure()};
}

}  // namespace tacit::test
