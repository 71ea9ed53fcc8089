// SPDX-License-Identifier: MIT
// The contract's exp for binary32, as a recipe of + - * and bit operations (spec/numeric.md, section 3). The scalar
// form here is the definition; kernel sets carry the same steps for many at a time and are compared with it bit by bit.
#pragma once

#include <bit>
#include <cstdint>

namespace tacit::numeric {

// exp(x) = 2^n * exp(r), n = round(x * log2 e), r = x - n ln 2 in two parts, |r| <= 0.3469.
// exp(r) = 1 + r + r^2 (c0 + c1 r + c2 r^2 + c3 r^3 + c4 r^4): interpolation at Chebyshev nodes, relative error 1.1e-8
// before rounding.
inline constexpr float kExpMin = -87.0f;  // below: 0. exp(-87) = 1.6e-38 is still a normal number
inline constexpr float kExpMax = 88.0f;   // above: as exp(88) = 1.7e38
inline constexpr float kLog2E = 0x1.715476p+0f;
inline constexpr float kLn2High = 0x1.62e400p-1f;  // 15 bits, so that n * kLn2High is exact
inline constexpr float kLn2Low = 0x1.7f7d1cp-20f;
inline constexpr float kRoundMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, half to even
inline constexpr std::int32_t kRoundMagicBits = 0x4b400000;
inline constexpr float kExpC0 = 0x1.000000p-1f;
inline constexpr float kExpC1 = 0x1.5554dcp-3f;
inline constexpr float kExpC2 = 0x1.55551ap-5f;
inline constexpr float kExpC3 = 0x1.120ba2p-7f;
inline constexpr float kExpC4 = 0x1.6d113cp-10f;

// NaN gives NaN. Every other result is finite and not negative.
inline float exp(float x) {
  if (!(x >= kExpMin)) return x == x ? 0.0f : x;
  if (x > kExpMax) x = kExpMax;
  const float shifted = x * kLog2E + kRoundMagic;
  const float n = shifted - kRoundMagic;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  const float q = (((kExpC4 * r + kExpC3) * r + kExpC2) * r + kExpC1) * r + kExpC0;
  const float mantissa = (q * (r * r) + r) + 1.0f;
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) - kRoundMagicBits;
  return mantissa * std::bit_cast<float>((exponent + 127) << 23);
}

// x * sigmoid(x), the activation of SwiGLU.
inline float silu(float x) { return x / (1.0f + exp(-x)); }

inline float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

// GELU by its tanh form (arXiv 1606.08415), x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), which is x times
// the sigmoid of twice the tanh's argument.
inline constexpr float kGeluLinear = 0x1.988454p+0f;  // 2 sqrt(2 / pi)
inline constexpr float kGeluCubic = 0x1.2444f2p-4f;   // that times 0.044715
inline float gelu(float x) { return x / (1.0f + exp(-(x * (kGeluLinear + kGeluCubic * (x * x))))); }

inline float tanh(float x) {
  const float magnitude = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0x7fffffffu);
  const float e = exp(-2.0f * magnitude);
  const float t = (1.0f - e) / (1.0f + e);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(t) | (std::bit_cast<std::uint32_t>(x) & 0x80000000u));
}

}  // namespace tacit::numeric
