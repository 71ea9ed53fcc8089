// SPDX-License-Identifier: MIT
// Every function of every kernel set that this machine can run: compared with the reference set bit for bit
// (tests/kernel_check/check.h), then timed beside it. Ends at the first difference, with exit code 1.
//
//   tacit_kernels [--check] [--seed N] [--csv FILE] [NAME...]
#include "engine/cpu/kernels/kernels.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/float_environment.h"
#include "engine/cpu/kernels/reference.h"
#include "kernel_check/check.h"
#include "timing.h"

namespace tacit::bench {
namespace {

struct Options {
  bool times = true;
  test::CheckOptions check;
  std::string csv;
  std::vector<std::string> names;  // parts of the functions' names; none: all functions
  [[nodiscard]] bool wants(const std::string& function) const {
    const auto holds = [&](const std::string& name) { return function.find(name) != std::string::npos; };
    return names.empty() || std::any_of(names.begin(), names.end(), holds);
  }
};

// Of the processor, of the fastest of some batches: what else the machine does only adds to it.
double seconds_per_call(const kernels::Kernels& set, const test::KernelCase& kernel_case) {
  constexpr double kBatchSeconds = 200e-6;  // the clock of the processor counts microseconds
  constexpr int kBatches = 20;
  test::Outputs outputs;
  const auto run = [&](int calls) {
    for (int i = 0; i < calls; ++i) {
      kernel_case.call(set, outputs);
      outputs.rewind();
    }
  };
  run(1);
  int calls = 1;
  while (best_of(1, [&] { run(calls); }) < kBatchSeconds) calls *= 2;
  return best_of(kBatches, [&] { run(calls); }) / calls;
}

void print_times(const kernels::Kernels& set, const test::KernelFunction& function, std::ostream* csv) {
  test::Random random(1);
  for (const test::KernelCase& kernel_case : function.typical(random)) {
    const double reference = 1e9 * seconds_per_call(kernels::kReferenceKernels, kernel_case) / kernel_case.work;
    const double own = 1e9 * seconds_per_call(set, kernel_case) / kernel_case.work;
    std::printf("  %9.4f %9.4f ns per %-13s %6.1f times as fast   %s\n", reference, own, function.unit, reference / own,
                kernel_case.sizes.c_str());
    std::fflush(stdout);
    if (csv == nullptr) continue;
    *csv << set.name << ',' << function.name << ",\"" << kernel_case.sizes << "\"," << function.unit << ',' << reference
         << ',' << own << ',' << reference / own << '\n';
  }
}

// False at the first difference.
bool check_and_time(const kernels::Kernels& set, const test::KernelFunction& function, const Options& options,
                    std::ostream* csv) {
  std::printf("%s: %s", set.name, function.name);  // before the check, which may end with a fault
  std::fflush(stdout);
  const test::CheckResult result = test::check(set, function, options.check);
  if (!result.failure.empty()) {
    std::printf("\n");
    std::fprintf(stderr, "%s\n", result.failure.c_str());
    return false;
  }
  std::printf(", %llu cases like the reference\n", static_cast<unsigned long long>(result.compared_count));
  // The reference is compared with itself for its guards; its times stand beside those of the others.
  if (options.times && &set != &kernels::kReferenceKernels) print_times(set, function, csv);
  return true;
}

int run(const Options& options) {
  const DefaultFloatEnvironment environment;
  counts_processor_time = true;
  std::ofstream csv;
  if (!options.csv.empty()) {
    csv.open(options.csv);
    csv << "set,function,sizes,unit,reference_ns,set_ns,ratio\n";
  }
  const kernels::KernelList list = kernels::available_kernels();
  bool any = false;
  for (std::uint32_t i = 0; i < list.count; ++i) {
    for (const test::KernelFunction& function : test::kernel_functions()) {
      if (!options.wants(function.name)) continue;
      any = true;
      if (!check_and_time(*list.sets[i], function, options, csv.is_open() ? &csv : nullptr)) return 1;
    }
  }
  if (!any) std::fprintf(stderr, "no function has such a name\n");
  return any ? 0 : 2;
}

}  // namespace
}  // namespace tacit::bench

int main(int argument_count, char** arguments) {
  tacit::bench::Options options;
  for (int i = 1; i < argument_count; ++i) {
    const std::string argument = arguments[i];
    const bool has_value = i + 1 < argument_count;
    if (argument == "--check") {
      options.times = false;
    } else if (argument == "--seed" && has_value) {
      options.check.seed = std::strtoull(arguments[++i], nullptr, 10);
    } else if (argument == "--csv" && has_value) {
      options.csv = arguments[++i];
    } else if (argument[0] != '-') {
      options.names.push_back(argument);
    } else {
      std::fprintf(stderr, "usage: tacit_kernels [--check] [--seed N] [--csv FILE] [NAME...]\n");
      return 2;
    }
  }
  return tacit::bench::run(options);
}
