// SPDX-License-Identifier: MIT
// A natural logarithm in binary64 that is good to about 1e-10, from + - * and a table, for arithmetic that needs many
// of them (spec/numeric.md, section 10). The same bits everywhere.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tacit::numeric {

class FastLog {
 public:
  static const FastLog& instance();

  // x > 0, normal.
  [[nodiscard]] double operator()(double x) const {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    const auto exponent = static_cast<double>(static_cast<std::int64_t>(bits >> 52) - 1023);
    const std::size_t i = bits >> (52 - kBits) & (kSize - 1);
    const double m = std::bit_cast<double>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
    const double r = (m - center_[i]) * inverse_[i];
    return exponent * kLn2 + (log_[i] + (r - r * r * (0.5 - r * (1.0 / 3.0))));
  }

 private:
  static constexpr int kBits = 7;
  static constexpr std::size_t kSize = std::size_t{1} << kBits;
  static constexpr double kLn2 = 0x1.62e42fefa39efp-1;

  FastLog();

  std::array<double, kSize> center_;   // of the i-th of 128 equal parts of [1, 2)
  std::array<double, kSize> inverse_;  // 1 / center
  std::array<double, kSize> log_;      // log of center
};

}  // namespace tacit::numeric
