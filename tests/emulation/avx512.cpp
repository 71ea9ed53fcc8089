// SPDX-License-Identifier: MIT
// Every intrinsic that kernels/x86/avx512.cpp uses, as Intel's Intrinsics Guide describes it. One that is missing here
// fails to compile: the real one needs an instruction set that this file is not compiled for.
#include "emulation/avx512.h"

#include <immintrin.h>

#include <cstring>

namespace tacit::emulation {

// The lanes of a register.
template <class Lane, class Register>
struct Lanes {
  static constexpr std::size_t kCount = sizeof(Register) / sizeof(Lane);
  Lane lane[kCount];

  Lanes() = default;
  explicit Lanes(Register value) { std::memcpy(lane, &value, sizeof(lane)); }
  operator Register() const {
    Register value;
    std::memcpy(&value, lane, sizeof(lane));
    return value;
  }
};

// result[i] = function(i).
template <class Lane, class Register>
Register each(auto function) {
  Lanes<Lane, Register> result;
  for (std::size_t i = 0; i < result.kCount; ++i) result.lane[i] = static_cast<Lane>(function(i));
  return result;
}

template <class Register>
Register load(const void* source) {
  Register value;
  std::memcpy(&value, source, sizeof(value));
  return value;
}

template <class Narrow, class Wide, class NarrowRegister, class WideRegister>
NarrowRegister truncate(WideRegister a) {
  const Lanes<Wide, WideRegister> wide(a);
  return each<Narrow, NarrowRegister>([&](std::size_t i) { return i < wide.kCount ? wide.lane[i] : Wide{0}; });
}

inline __m512i set1_epi32(int a) { return each<std::int32_t, __m512i>([&](std::size_t) { return a; }); }
inline __m512i set1_epi8(char a) { return each<std::int8_t, __m512i>([&](std::size_t) { return a; }); }
inline __m512 set1_ps(float a) { return each<float, __m512>([&](std::size_t) { return a; }); }
inline __m512i load_si512(const void* source) { return load<__m512i>(source); }
inline __m512 load_ps(const void* source) { return load<__m512>(source); }
inline void storeu_ps(void* target, __m512 a) { std::memcpy(target, &a, sizeof(a)); }

inline __m512 add_ps(__m512 a, __m512 b) {
  const Lanes<float, __m512> x(a), y(b);
  return each<float, __m512>([&](std::size_t i) { return x.lane[i] + y.lane[i]; });
}
inline __m512 mul_ps(__m512 a, __m512 b) {
  const Lanes<float, __m512> x(a), y(b);
  return each<float, __m512>([&](std::size_t i) { return x.lane[i] * y.lane[i]; });
}
inline __m512 cvtepi32_ps(__m512i a) {
  const Lanes<std::int32_t, __m512i> x(a);
  return each<float, __m512>([&](std::size_t i) { return x.lane[i]; });
}
inline __m512i add_epi32(__m512i a, __m512i b) {
  const Lanes<std::uint32_t, __m512i> x(a), y(b);
  return each<std::uint32_t, __m512i>([&](std::size_t i) { return x.lane[i] + y.lane[i]; });
}
inline __m512i sub_epi32(__m512i a, __m512i b) {
  const Lanes<std::uint32_t, __m512i> x(a), y(b);
  return each<std::uint32_t, __m512i>([&](std::size_t i) { return x.lane[i] - y.lane[i]; });
}
inline __m512i and_si512(__m512i a, __m512i b) {
  const Lanes<std::uint64_t, __m512i> x(a), y(b);
  return each<std::uint64_t, __m512i>([&](std::size_t i) { return x.lane[i] & y.lane[i]; });
}
inline __m512i slli_epi32(__m512i a, unsigned count) {
  const Lanes<std::uint32_t, __m512i> x(a);
  return each<std::uint32_t, __m512i>([&](std::size_t i) { return count < 32 ? x.lane[i] << count : 0; });
}
inline __m512i slli_epi16(__m512i a, unsigned count) {
  const Lanes<std::uint16_t, __m512i> x(a);
  return each<std::uint16_t, __m512i>([&](std::size_t i) { return count < 16 ? x.lane[i] << count : 0; });
}
inline __m512i srli_epi16(__m512i a, unsigned count) {
  const Lanes<std::uint16_t, __m512i> x(a);
  return each<std::uint16_t, __m512i>([&](std::size_t i) { return count < 16 ? x.lane[i] >> count : 0; });
}
// Bit i of `truth` is the result where the bits of a, b and c make the number i.
inline __m512i ternarylogic_epi32(__m512i a, __m512i b, __m512i c, int truth) {
  const Lanes<std::uint32_t, __m512i> x(a), y(b), z(c);
  return each<std::uint32_t, __m512i>([&](std::size_t i) {
    std::uint32_t result = 0;
    for (int bit = 0; bit < 32; ++bit) {
      const auto of = [&](std::uint32_t value) { return value >> bit & 1; };
      const std::uint32_t row = of(x.lane[i]) << 2 | of(y.lane[i]) << 1 | of(z.lane[i]);
      result |= (static_cast<std::uint32_t>(truth) >> row & 1) << bit;
    }
    return result;
  });
}
inline std::uint32_t movepi32_mask(__m512i a) {
  const Lanes<std::int32_t, __m512i> x(a);
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < x.kCount; ++i) mask |= static_cast<std::uint32_t>(x.lane[i] < 0) << i;
  return mask;
}
// Four products of unsigned and signed bytes each.
inline __m512i dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
  const Lanes<std::uint32_t, __m512i> s(sum);
  const Lanes<std::uint8_t, __m512i> x(a);
  const Lanes<std::int8_t, __m512i> y(b);
  return each<std::uint32_t, __m512i>([&](std::size_t i) {
    std::int32_t dot = 0;
    for (std::size_t k = 4 * i; k < 4 * i + 4; ++k) dot += x.lane[k] * y.lane[k];
    return s.lane[i] + static_cast<std::uint32_t>(dot);
  });
}
// Two products of int16 each.
inline __m512i dpwssd_epi32(__m512i sum, __m512i a, __m512i b) {
  const Lanes<std::uint32_t, __m512i> s(sum);
  const Lanes<std::int16_t, __m512i> x(a), y(b);
  return each<std::uint32_t, __m512i>([&](std::size_t i) {
    const auto product = [&](std::size_t k) { return static_cast<std::uint32_t>(x.lane[k] * y.lane[k]); };
    return s.lane[i] + product(2 * i) + product(2 * i + 1);
  });
}

}  // namespace tacit::emulation

#undef _mm512_slli_epi16
#undef _mm512_slli_epi32
#undef _mm512_srli_epi16
#undef _mm512_ternarylogic_epi32
#define _cvtmask16_u32
#define _mm256_cvtepi16_epi8 tacit::emulation::truncate<std::int8_t, std::int16_t, __m128i, __m256i>
#define _mm512_add_epi32 tacit::emulation::add_epi32
#define _mm512_add_ps tacit::emulation::add_ps
#define _mm512_and_si512 tacit::emulation::and_si512
#define _mm512_cvtepi32_epi16 tacit::emulation::truncate<std::int16_t, std::int32_t, __m256i, __m512i>
#define _mm512_cvtepi32_epi8 tacit::emulation::truncate<std::int8_t, std::int32_t, __m128i, __m512i>
#define _mm512_cvtepi32_ps tacit::emulation::cvtepi32_ps
#define _mm512_dpbusd_epi32 tacit::emulation::dpbusd_epi32
#define _mm512_dpwssd_epi32 tacit::emulation::dpwssd_epi32
#define _mm512_load_ps tacit::emulation::load_ps
#define _mm512_load_si512 tacit::emulation::load_si512
#define _mm512_loadu_ps tacit::emulation::load_ps
#define _mm512_loadu_si512 tacit::emulation::load_si512
#define _mm512_movepi32_mask tacit::emulation::movepi32_mask
#define _mm512_mul_ps tacit::emulation::mul_ps
#define _mm512_set1_epi32 tacit::emulation::set1_epi32
#define _mm512_set1_epi8 tacit::emulation::set1_epi8
#define _mm512_set1_ps tacit::emulation::set1_ps
#define _mm512_setzero_ps() tacit::emulation::set1_ps(0)
#define _mm512_setzero_si512() tacit::emulation::set1_epi32(0)
#define _mm512_slli_epi16 tacit::emulation::slli_epi16
#define _mm512_slli_epi32 tacit::emulation::slli_epi32
#define _mm512_srli_epi16 tacit::emulation::srli_epi16
#define _mm512_storeu_ps tacit::emulation::storeu_ps
#define _mm512_sub_epi32 tacit::emulation::sub_epi32
#define _mm512_ternarylogic_epi32 tacit::emulation::ternarylogic_epi32
#define TACIT_EMULATED_AVX512
#define kAvx512Kernels kEmulatedAvx512Kernels

#include "engine/cpu/kernels/x86/avx512.cpp"
