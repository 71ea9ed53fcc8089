// SPDX-License-Identifier: MIT
// Every function of a kernel set, compared with the reference set bit for bit: over all lengths around vectors and
// blocks, all alignments that kernels.h allows and hostile values; nothing but the output may be written. The cases
// follow from a seed. Used by the tests and by bench/kernels.cpp, which also measures times.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/cpu/kernels/kernels.h"
#include "kernel_check/floats.h"
#include "kernel_check/memory.h"

namespace tacit::test {

// One call of a function, with its inputs.
struct KernelCase {
  std::string sizes;  // in words
  double work = 0;    // elements, or what else KernelFunction::unit says
  std::function<void(const kernels::Kernels&, Outputs&)> call;
};

struct CheckOptions {
  std::uint64_t seed = 1;
  std::uint32_t every = 1;  // of so many cases one is looked at
};

// Compares the cases that it is given; after the first failure none.
class CaseSink {
 public:
  CaseSink(const kernels::Kernels& set, const char* function, const CheckOptions& options)
      : set_(set), function_(function), options_(options) {}

  // make(Random&) returns a KernelCase.
  template <class Make>
  void add(Make make) {
    const std::uint64_t index = index_++;
    if (!failure_.empty() || index % options_.every != options_.seed % options_.every) return;
    Random random(options_.seed * 0x100000001b3 + index);
    compare(index, make(random));
  }

  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t compared_count() const { return compared_count_; }

 private:
  void compare(std::uint64_t index, const KernelCase& kernel_case);

  const kernels::Kernels& set_;
  const char* function_;
  CheckOptions options_;
  std::uint64_t index_ = 0;
  std::uint64_t compared_count_ = 0;
  std::string failure_;
};

struct KernelFunction {
  const char* name;  // of the field of Kernels
  const char* unit;  // of KernelCase::work
  void (*add_cases)(CaseSink& sink);
  std::vector<KernelCase> (*typical)(Random& random);  // what its time is measured with; repeated calls change no time
};

// One for each field of Kernels.
std::span<const KernelFunction> kernel_functions();

struct CheckResult {
  std::uint64_t compared_count = 0;  // cases
  std::string failure;               // names set, function, sizes, element, bits, seed; empty where all agree
};
CheckResult check(const kernels::Kernels& set, const KernelFunction& function, const CheckOptions& options);

// Parts of kernel_functions(): rows.cpp, products.cpp, counts.cpp.
std::span<const KernelFunction> row_functions();
std::span<const KernelFunction> product_functions();
std::span<const KernelFunction> count_functions();

}  // namespace tacit::test
