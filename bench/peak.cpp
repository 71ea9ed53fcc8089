// SPDX-License-Identifier: MIT
#include "peak.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "timing.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace tacit::bench {
namespace {

constexpr int kRounds = 2'000'000;

// One round of a set's chains, many times. Returns something that hangs on all of them.
using Chains = std::int64_t (*)(int rounds);

struct Sequence {
  const char* set;
  const char* instructions;
  int multiply_adds;  // of a round
  Chains run;
};

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512vnni"))) std::int64_t vnni_chains(int rounds) {
  const __m512i a = _mm512_set1_epi8(3);
  __m512i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a;
  for (int i = 0; i < rounds; ++i) {
    // The compiler must not see that the chains are equal.
    __asm__ volatile("" : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3), "+v"(s4), "+v"(s5), "+v"(s6), "+v"(s7), "+v"(s8), "+v"(s9));
    s0 = _mm512_dpbusd_epi32(s0, a, a);
    s1 = _mm512_dpbusd_epi32(s1, a, a);
    s2 = _mm512_dpbusd_epi32(s2, a, a);
    s3 = _mm512_dpbusd_epi32(s3, a, a);
    s4 = _mm512_dpbusd_epi32(s4, a, a);
    s5 = _mm512_dpbusd_epi32(s5, a, a);
    s6 = _mm512_dpbusd_epi32(s6, a, a);
    s7 = _mm512_dpbusd_epi32(s7, a, a);
    s8 = _mm512_dpbusd_epi32(s8, a, a);
    s9 = _mm512_dpbusd_epi32(s9, a, a);
  }
  return (s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9)[0];
}

// 32 products, added in pairs, then in fours, then to the sums.
__attribute__((target("avx2"))) inline __m256i add_products(__m256i sums, __m256i a, __m256i b) {
  const __m256i pairs = _mm256_maddubs_epi16(a, b);
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

__attribute__((target("avx2"))) std::int64_t avx2_chains(int rounds) {
  const __m256i a = _mm256_set1_epi8(3);
  __m256i b0 = a, b1 = a, b2 = a, b3 = a;
  __m256i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a;
  for (int i = 0; i < rounds; ++i) {
    // Nor that the products are the same in every round.
    __asm__ volatile("" : "+x"(b0), "+x"(b1), "+x"(b2), "+x"(b3));
    s0 = add_products(s0, a, b0);
    s1 = add_products(s1, a, b1);
    s2 = add_products(s2, a, b2);
    s3 = add_products(s3, a, b3);
    __asm__ volatile("" : "+x"(b0), "+x"(b1), "+x"(b2), "+x"(b3));
    s4 = add_products(s4, a, b0);
    s5 = add_products(s5, a, b1);
    s6 = add_products(s6, a, b2);
    s7 = add_products(s7, a, b3);
  }
  return _mm256_extract_epi64(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7, 0);
}

constexpr Sequence kSequences[] = {
    {"avx512", "vpdpbusd, 512 bits", 10 * 64, vnni_chains},
    {"avx2", "vpmaddubsw, vpmaddwd, vpaddd, 256 bits", 8 * 32, avx2_chains},
};
#elif defined(__aarch64__)
__attribute__((target("arch=armv8.2-a+dotprod"))) std::int64_t dot_chains(int rounds) {
  const int8x16_t a = vdupq_n_s8(3);
  int32x4_t s[8] = {};
  for (int i = 0; i < rounds; ++i) {
    // The compiler must not see that the chains are equal.
    __asm__ volatile("" : "+w"(s[0]), "+w"(s[1]), "+w"(s[2]), "+w"(s[3]), "+w"(s[4]), "+w"(s[5]), "+w"(s[6]), "+w"(s[7]));
    for (int32x4_t& sums : s) sums = vdotq_s32(sums, a, a);
  }
  std::int64_t total = 0;
  for (const int32x4_t& sums : s) total += vaddvq_s32(sums);
  return total;
}

// 16 products, added in pairs, then to the sums.
std::int64_t neon_chains(int rounds) {
  const int8x8_t a = vdup_n_s8(3);
  int8x8_t b[4] = {a, a, a, a};
  int32x4_t s[8] = {};
  for (int i = 0; i < rounds; ++i) {
    for (int half = 0; half < 8; half += 4) {
      // Nor that the products are the same in every round.
      __asm__ volatile("" : "+w"(b[0]), "+w"(b[1]), "+w"(b[2]), "+w"(b[3]));
      for (int k = 0; k < 4; ++k) s[half + k] = vpadalq_s16(s[half + k], vmlal_s8(vmull_s8(a, b[k]), a, b[k]));
    }
  }
  std::int64_t total = 0;
  for (const int32x4_t& sums : s) total += vaddvq_s32(sums);
  return total;
}

constexpr Sequence kSequences[] = {
    {"dotprod", "sdot, 128 bits", 8 * 16, dot_chains},
    {"neon", "smull, smlal, sadalp, 128 bits", 8 * 16, neon_chains},
};
#else
constexpr Sequence kSequences[] = {{"", "none", 0, [](int) { return std::int64_t{0}; }}};
#endif

}  // namespace

Peak int8_peak(const kernels::Kernels& set, ThreadPool& pool) {
  for (const Sequence& sequence : kSequences) {
    if (std::strcmp(sequence.set, set.name) != 0) continue;
    std::vector<std::int64_t> keep(pool.thread_count());  // the sums are used, so that no compiler leaves them out
    const double time = best_of(8, [&] {
      pool.run(pool.thread_count(), [&](std::uint32_t i) { keep[i] += sequence.run(kRounds); });
    });
    const double multiply_adds = 1.0 * sequence.multiply_adds * kRounds * pool.thread_count();
    return {multiply_adds / time + (keep[0] == 1 ? 1 : 0), sequence.instructions};
  }
  return {};
}

}  // namespace tacit::bench
