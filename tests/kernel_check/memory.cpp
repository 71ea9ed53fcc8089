// SPDX-License-Identifier: MIT
#include "kernel_check/memory.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <utility>

namespace tacit::test {

void Outputs::add(Array array, const void* initial) {
  const std::size_t bytes = array.size * array.element_bytes;
  const std::size_t padding_bytes = array.padding * array.element_bytes;
  array.storage.assign(kGuardBytes + array.offset_bytes + bytes + padding_bytes + kGuardBytes, kGuard);
  std::fill_n(array.data(), bytes, kUnwritten);
  if (initial != nullptr && bytes > 0) std::memcpy(array.data(), initial, bytes);
  std::fill_n(array.data() + bytes, padding_bytes, std::uint8_t{0});
  arrays_.push_back(std::move(array));
  next_ = arrays_.size();
}

std::uint64_t Outputs::Array::bits(std::size_t i) const {
  std::uint64_t value = 0;
  for (std::size_t b = 0; b < element_bytes; ++b) {  // the lowest byte first, as on all machines of the kernel sets
    value |= std::uint64_t{data()[i * element_bytes + b]} << (8 * b);
  }
  return value;
}

std::string Outputs::Array::text(std::size_t i) const {
  char text[64];
  const std::uint64_t value = bits(i);
  if (is_float) {
    std::snprintf(text, sizeof(text), "0x%08llx (%.9g)", static_cast<unsigned long long>(value),
                  static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(value))));
  } else {
    const auto shift = static_cast<int>(64 - 8 * element_bytes);
    std::snprintf(text, sizeof(text), "0x%0*llx (%lld)", static_cast<int>(2 * element_bytes),
                  static_cast<unsigned long long>(value), static_cast<long long>(value << shift) >> shift);
  }
  return text;
}

bool Outputs::Array::is_finite() const {
  for (std::size_t i = 0; i < size; ++i) {
    if (is_float && (bits(i) & 0x7fffffff) >= 0x7f800000) return false;
  }
  return true;
}

// What was written that may not be.
std::optional<std::string> Outputs::Array::damage() const {
  const std::uint8_t* const end = data() + (size + padding) * element_bytes;
  for (const std::uint8_t* byte = data(); byte != storage.data(); --byte) {
    if (byte[-1] == kGuard) continue;
    return std::string(name) + ": byte " + std::to_string(byte - 1 - data()) + ", before its begin, was written";
  }
  for (const std::uint8_t* byte = end; byte != storage.data() + storage.size(); ++byte) {
    if (*byte == kGuard) continue;
    return std::string(name) + ": byte " + std::to_string(byte - end) + " behind its end was written";
  }
  for (std::size_t i = size; i < size + padding && is_finite(); ++i) {
    if ((bits(i) & 0x7fffffff) == 0) continue;
    return std::string(name) + "[" + std::to_string(i) + "], padding: expected zero, found " + text(i);
  }
  return std::nullopt;
}

std::optional<std::size_t> Outputs::first_difference(const Array& expected, const Array& found) {
  const auto is_nan = [](const Array& array, std::size_t i) {
    return array.is_float && (array.bits(i) & 0x7fffffff) > 0x7f800000;
  };
  if (std::equal(expected.data(), expected.data() + expected.size * expected.element_bytes, found.data())) return {};
  for (std::size_t i = 0; i < expected.size; ++i) {
    if (expected.bits(i) != found.bits(i) && !(is_nan(expected, i) && is_nan(found, i))) return i;
  }
  return std::nullopt;
}

std::optional<std::string> Outputs::difference(const Outputs& expected, const Outputs& found) {
  for (std::size_t a = 0; a < expected.arrays_.size(); ++a) {
    const Array& array = found.arrays_[a];
    if (const auto i = first_difference(expected.arrays_[a], array); i.has_value()) {
      return std::string(array.name) + "[" + std::to_string(*i) + "]: expected " + expected.arrays_[a].text(*i) +
             ", found " + array.text(*i);
    }
    if (auto damage = array.damage(); damage.has_value()) return damage;
  }
  return std::nullopt;
}

}  // namespace tacit::test
