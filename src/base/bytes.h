// SPDX-License-Identifier: MIT
// Little-endian reading and writing of byte spans with bounds checks. Used by every parser; knows no format.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tacit {

static_assert(std::endian::native == std::endian::little, "big-endian hosts need byte swaps in base/bytes.h");

using ByteSpan = std::span<const std::uint8_t>;
using ByteVector = std::vector<std::uint8_t>;

inline ByteSpan as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Reads `T` at `source`, which need not be aligned and must hold sizeof(T) bytes.
template <class T>
  requires std::is_trivially_copyable_v<T>
T load_unaligned(const void* source) {
  T value;
  std::memcpy(&value, source, sizeof(T));
  return value;
}

// A cursor over untrusted bytes. A read past the end returns false, moves nothing, and leaves `value` alone.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - offset_; }

  template <class T>
    requires std::is_arithmetic_v<T>
  [[nodiscard]] bool read(T& value) {
    if (remaining() < sizeof(T)) return false;
    value = load_unaligned<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return true;
  }

  [[nodiscard]] bool read_span(std::uint64_t count, ByteSpan& value) {
    if (remaining() < count) return false;
    value = bytes_.subspan(offset_, static_cast<std::size_t>(count));
    offset_ += static_cast<std::size_t>(count);
    return true;
  }

  // LEB128, at most ten bytes, shortest form only (a padded form would be a second spelling of the same number).
  [[nodiscard]] bool read_varint(std::uint64_t& value) {
    std::uint64_t result = 0;
    for (std::size_t i = 0; i < 10 && i < remaining(); ++i) {
      const std::uint8_t byte = bytes_[offset_ + i];
      if (i == 9 && byte > 1) return false;
      result |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if ((byte & 0x80) != 0) continue;
      if (byte == 0 && i > 0) return false;
      value = result;
      offset_ += i + 1;
      return true;
    }
    return false;
  }

 private:
  ByteSpan bytes_;
  std::size_t offset_ = 0;
};

template <class T>
  requires std::is_arithmetic_v<T>
void append_value(ByteVector& out, T value) {
  const std::size_t begin = out.size();
  out.resize(begin + sizeof(T));
  std::memcpy(out.data() + begin, &value, sizeof(T));
}

inline void append_bytes(ByteVector& out, ByteSpan bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

// The mirror of ByteReader::read_varint.
inline void append_varint(ByteVector& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::uint8_t>(value));
}

}  // namespace tacit
