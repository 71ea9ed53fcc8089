// SPDX-License-Identifier: MIT
// The most multiply-adds of int8 that a machine can do: the instructions of a kernel set's dot products on registers,
// in chains that do not wait for each other, with nothing loaded or stored.
#pragma once

#include "base/thread_pool.h"
#include "engine/cpu/kernels/kernels.h"

namespace tacit::bench {

struct Peak {
  double multiply_adds = 0;  // a second, of all threads; 0: of a set that has no such instructions
  const char* instructions = "none";
};

Peak int8_peak(const kernels::Kernels& set, ThreadPool& pool);

}  // namespace tacit::bench
