// SPDX-License-Identifier: MIT
// Clocks of the benchmarks.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tacit::bench {

// Of the processor where one thread works, so that what else the machine does matters less; else of the clock, since
// waiting threads take processor time too.
inline bool counts_processor_time = false;

inline double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

inline double seconds() {
  if (counts_processor_time) return processor_seconds();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds of the fastest of at most `repeats` calls, of which none begins when those before took `seconds_max`.
template <class Body>
double best_of(int repeats, Body body, double seconds_max = 1e9) {
  double best = 1e9;
  double total = 0;
  for (int i = 0; i < repeats && total < seconds_max; ++i) {
    const double begin = seconds();
    body();
    const double time = seconds() - begin;
    best = std::min(best, time);
    total += time;
  }
  return best;
}

// A counter that is cheap to read and runs evenly.
inline std::uint64_t ticks() {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t count;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
  return count;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

}  // namespace tacit::bench
