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

#if defined(__aarch64__)
std::int64_t dot_chains(int rounds);  // peak_dotprod.cpp, which is compiled for processors that have them
#endif

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
    __asm__ volatile(""
                     : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3), "+v"(s4), "+v"(s5), "+v"(s6), "+v"(s7), "+v"(s8),
                       "+v"(s9));
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

// 32 products, added in pairs, then in fours, then to the sums. As a compiler schedules intrinsics the sums leave the
// registers.
__attribute__((target("avx2"))) inline void add_products(__m256i& sums, __m256i a, __m256i ones) {
  __m256i products;
  __asm__ volatile(
      "vpmaddubsw %2, %2, %1\n\t"
      "vpmaddwd %3, %1, %1\n\t"
      "vpaddd %1, %0, %0"
      : "+x"(sums), "=&x"(products)
      : "x"(a), "x"(ones));
}

__attribute__((target("avx2"))) std::int64_t avx2_chains(int rounds) {
  const __m256i a = _mm256_set1_epi8(3);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i s0 = a, s1 = a, s2 = a, s3 = a;
  for (int i = 0; i < rounds; ++i) {
    add_products(s0, a, ones);
    add_products(s1, a, ones);
    add_products(s2, a, ones);
    add_products(s3, a, ones);
  }
  return _mm256_extract_epi64(s0 + s1 + s2 + s3, 0);
}

constexpr Sequence kSequences[] = {
    {"avx512", "vpdpbusd, 512 bits", 10 * 64, vnni_chains},
    {"avx2", "vpmaddubsw, vpmaddwd, vpaddd, 256 bits", 4 * 32, avx2_chains},
};
#elif defined(__aarch64__)
// 16 products, added in pairs, then to the sums.
inline void add_products(int32x4_t& sums, int8x8_t a) {
  int16x8_t products;
  __asm__ volatile(
      "smull %1.8h, %2.8b, %2.8b\n\t"
      "smlal %1.8h, %2.8b, %2.8b\n\t"
      "sadalp %0.4s, %1.8h"
      : "+w"(sums), "=&w"(products)
      : "w"(a));
}

std::int64_t neon_chains(int rounds) {
  const int8x8_t a = vdup_n_s8(3);
  int32x4_t s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
  for (int i = 0; i < rounds; ++i) {
    add_products(s0, a);
    add_products(s1, a);
    add_products(s2, a);
    add_products(s3, a);
    add_products(s4, a);
    add_products(s5, a);
    add_products(s6, a);
    add_products(s7, a);
  }
  return vaddvq_s32(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
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
    const double time =
        best_of(40, [&] { pool.run(pool.thread_count(), [&](std::uint32_t i) { keep[i] += sequence.run(kRounds); }); });
    const double multiply_adds = 1.0 * sequence.multiply_adds * kRounds * pool.thread_count();
    return {multiply_adds / time + (keep[0] == 1 ? 1 : 0), sequence.instructions};
  }
  return {};
}

}  // namespace tacit::bench
