// SPDX-License-Identifier: MIT
#include "numeric/double_math.h"

#include <bit>
#include <cstdint>

namespace tacit::numeric {
namespace {

constexpr double kRoundMagic = 6755399441055744.0;  // 1.5 * 2^52
constexpr std::int64_t kRoundMagicBits = 0x4338000000000000;

// Parts of ln 2 and pi / 2 with enough trailing zero bits that an integer times the first parts is exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kHalfPi1 = 0x1.921fb50000000p+0;
constexpr double kHalfPi2 = 0x1.110b460000000p-26;
constexpr double kHalfPi3 = 0x1.1a62630000000p-54;
constexpr double kHalfPi4 = 0x1.8a2e03707344ap-81;

double power_of_two(std::int64_t exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

// Taylor series, innermost term first.
double sine_series(double x) {  // sin x for |x| <= pi / 4
  const double square = x * x;
  double sum = 0;
  for (int k = 21; k >= 3; k -= 2) sum = (1.0 - sum) * square / static_cast<double>(k * (k - 1));
  return x - x * sum;
}

double cosine_series(double x) {  // cos x for |x| <= pi / 4
  const double square = x * x;
  double sum = 0;
  for (int k = 20; k >= 2; k -= 2) sum = (1.0 - sum) * square / static_cast<double>(k * (k - 1));
  return 1.0 - sum;
}

}  // namespace

double exp(double x) {
  const double shifted = x * 0x1.71547652b82fep+0 + kRoundMagic;
  const double n = shifted - kRoundMagic;
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double sum = 1.0;
  for (int k = 16; k >= 1; --k) sum = 1.0 + sum * r / static_cast<double>(k);
  return sum * power_of_two(std::bit_cast<std::int64_t>(shifted) - kRoundMagicBits);
}

double log(double x) {
  // x = 2^e * m, m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)).
  std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  std::int64_t exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffff) | 0x3ff0000000000000;
  double m = std::bit_cast<double>(bits);
  if (m > 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double square = s * s;
  double sum = 0;
  for (int k = 23; k >= 1; k -= 2) sum = sum * square + 1.0 / static_cast<double>(k);
  const auto e = static_cast<double>(exponent);
  return e * kLn2High + (e * kLn2Low + 2.0 * s * sum);
}

double power(double base, double exponent) { return exp(exponent * log(base)); }

SinCos sin_cos(double x) {
  const double shifted = x * 0x1.45f306dc9c883p-1 + kRoundMagic;
  const double n = shifted - kRoundMagic;
  const double r = (((x - n * kHalfPi1) - n * kHalfPi2) - n * kHalfPi3) - n * kHalfPi4;
  const double sine = sine_series(r);
  const double cosine = cosine_series(r);
  switch ((std::bit_cast<std::int64_t>(shifted) - kRoundMagicBits) & 3) {
    case 0: return {sine, cosine};
    case 1: return {cosine, -sine};
    case 2: return {-sine, -cosine};
    default: return {-cosine, sine};
  }
}

}  // namespace tacit::numeric
