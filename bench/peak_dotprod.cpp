// SPDX-License-Identifier: MIT
// The dot products of ARMv8.2 for peak.cpp, in a file that is compiled for them.
#include <arm_neon.h>

#include <cstdint>

namespace tacit::bench {

std::int64_t dot_chains(int rounds);

std::int64_t dot_chains(int rounds) {
  const int8x16_t a = vdupq_n_s8(3);
  int32x4_t s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
  for (int i = 0; i < rounds; ++i) {
    // The compiler must not see that the chains are equal.
    __asm__ volatile("" : "+w"(s0), "+w"(s1), "+w"(s2), "+w"(s3), "+w"(s4), "+w"(s5), "+w"(s6), "+w"(s7));
    s0 = vdotq_s32(s0, a, a);
    s1 = vdotq_s32(s1, a, a);
    s2 = vdotq_s32(s2, a, a);
    s3 = vdotq_s32(s3, a, a);
    s4 = vdotq_s32(s4, a, a);
    s5 = vdotq_s32(s5, a, a);
    s6 = vdotq_s32(s6, a, a);
    s7 = vdotq_s32(s7, a, a);
  }
  return vaddvq_s32(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
}

}  // namespace tacit::bench
