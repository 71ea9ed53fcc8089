// SPDX-License-Identifier: MIT
// The AVX-512 kernel set for machines without AVX-512: its source, compiled with loops in the place of its intrinsics.
// What the set computes can be compared anywhere with the reference; how fast it is, and what the compiler makes of the
// real intrinsics, can't.
#pragma once

#include "engine/cpu/kernels/kernels.h"

namespace tacit::kernels {

extern const Kernels kEmulatedAvx512Kernels;

}  // namespace tacit::kernels
