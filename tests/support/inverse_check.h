// SPDX-License-Identifier: MIT
// Both directions of frequencies.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <span>

#include "sampling/frequencies.h"

namespace tacit::test {

// Intervals of all symbols have the expected sizes and join without gap or overlap, and the search agrees on each.
inline void expect_inverse(const Frequencies& frequencies, std::span<const std::uint32_t> expected) {
  std::uint64_t low = 0;
  for (std::uint32_t symbol = 0; symbol < expected.size(); ++symbol) {
    const Interval interval = frequencies.interval_of(symbol);
    ASSERT_EQ(frequencies[symbol], expected[symbol]) << symbol;
    ASSERT_EQ(interval.low, low) << symbol;
    ASSERT_EQ(interval.size, expected[symbol]) << symbol;
    ASSERT_EQ(interval.total, frequencies.total());
    low += interval.size;
    if (interval.size == 0) continue;
    for (const std::uint64_t value : {interval.low, interval.low + interval.size / 2, low - 1}) {
      Interval found;
      ASSERT_EQ(frequencies.symbol_at(value, found), symbol) << value;
      ASSERT_EQ(found.low, interval.low);
      ASSERT_EQ(found.size, interval.size);
      ASSERT_EQ(found.total, interval.total);
    }
  }
  EXPECT_EQ(low, frequencies.total());
}

}  // namespace tacit::test
