// SPDX-License-Identifier: MIT
// The aarch64 kernel sets and what a processor must have for them. NEON itself is part of aarch64; the dot products of
// ARMv8.2 (SDOT) are not.
#pragma once

#if defined(__APPLE__)
#include <sys/sysctl.h>
#else
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "engine/cpu/kernels/kernels.h"

namespace tacit::kernels {

extern const Kernels kNeonKernels;
extern const Kernels kDotprodKernels;

inline bool arm_has_dotprod() {
#if defined(__APPLE__)
  int present = 0;
  std::size_t size = sizeof(present);
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &present, &size, nullptr, 0) == 0 && present != 0;
#else
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
}

}  // namespace tacit::kernels
