// SPDX-License-Identifier: MIT
// The reference set's table, which the list of sets ends with and the tests compare the others with.
#pragma once

#include "engine/cpu/kernels/kernels.h"

namespace tacit::kernels {

extern const Kernels kReferenceKernels;

}  // namespace tacit::kernels
