// SPDX-License-Identifier: MIT
// Decimal units, one digit after the point.
#include "sizes.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace tacit::cli {
namespace {

struct Unit {
  double bytes;
  const char* name;
};

Unit unit_for(std::uint64_t bytes) {
  constexpr std::array<Unit, 4> kUnits = {{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}}};
  for (const Unit& unit : kUnits) {
    if (static_cast<double>(bytes) >= unit.bytes) return unit;
  }
  return kUnits.back();
}

}  // namespace

std::string size_text(std::uint64_t done, std::uint64_t total) {
  const Unit unit = unit_for(std::max(done, total));
  const double done_amount = static_cast<double>(done) / unit.bytes;
  const double total_amount = static_cast<double>(total) / unit.bytes;
  std::array<char, 64> text;
  if (total == 0) {
    std::snprintf(text.data(), text.size(), "%.1f %s", done_amount, unit.name);
  } else {
    std::snprintf(text.data(), text.size(), "%.1f/%.1f %s", done_amount, total_amount, unit.name);
  }
  return text.data();
}

}  // namespace tacit::cli
