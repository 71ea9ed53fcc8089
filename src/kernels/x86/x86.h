// SPDX-License-Identifier: MIT
// The x86-64 kernel sets and what a processor must have for them.
#pragma once

#include "kernels/kernels.h"

namespace tacit::kernels {

extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

inline bool x86_has_avx2() { return __builtin_cpu_supports("avx2") != 0; }
inline bool x86_has_avx512_vnni() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

}  // namespace tacit::kernels
