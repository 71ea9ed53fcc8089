// SPDX-License-Identifier: MIT
// Which kernel sets exist and which of them this machine can run.
#include "engine/cpu/kernels/kernels.h"

#include <cstring>

#include "engine/cpu/kernels/reference.h"
#if defined(__x86_64__)
#include "engine/cpu/kernels/x86/x86.h"
#elif defined(__aarch64__)
#include "engine/cpu/kernels/arm/arm.h"
#endif

namespace tacit::kernels {
namespace {

constexpr std::uint32_t kSetsMax = 3;

struct Registry {
  const Kernels* sets[kSetsMax] = {};
  std::uint32_t count = 0;

  Registry() {
#if defined(__x86_64__)
    if (x86_has_avx512_vnni()) sets[count++] = &kAvx512Kernels;
    if (x86_has_avx2()) sets[count++] = &kAvx2Kernels;
#elif defined(__aarch64__)
    if (arm_has_dotprod()) sets[count++] = &kDotprodKernels;
    sets[count++] = &kNeonKernels;
#endif
    sets[count++] = &kReferenceKernels;
  }
};

}  // namespace

KernelList available_kernels() {
  static const Registry registry;
  return {registry.sets, registry.count};
}

const Kernels* find_kernels(const char* name) {
  const KernelList list = available_kernels();
  if (name == nullptr || name[0] == '\0') return list.sets[0];
  for (std::uint32_t i = 0; i < list.count; ++i) {
    if (std::strcmp(list.sets[i]->name, name) == 0) return list.sets[i];
  }
  return nullptr;
}

}  // namespace tacit::kernels
