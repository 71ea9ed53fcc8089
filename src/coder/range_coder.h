// SPDX-License-Identifier: MIT
// A range coder with 64-bit state and carry propagation (G. N. N. Martin, "Range encoding", 1979; spec/archive.md,
// section 4). After every symbol the range is at least 2^56, so that with totals below 2^51 a symbol of probability p
// costs at most -log2 p + 2^-5 * log2 e bits, and in practice 2^-24 of a bit too much. Knows intervals, not symbols.
#pragma once

#include <cassert>
#include <cstdint>

#include "base/bytes.h"

namespace tacit {

inline constexpr std::uint64_t kRangeMin = std::uint64_t{1} << 56;
inline constexpr std::uint64_t kRangeTotalMax = std::uint64_t{1} << 51;

class RangeEncoder {
 public:
  // Codes the interval [low, low + size) of [0, total); size > 0, total <= kRangeTotalMax.
  void encode(std::uint64_t low, std::uint64_t size, std::uint64_t total) {
    assert(size > 0 && low + size <= total && total <= kRangeTotalMax);
    const std::uint64_t unit = range_ / total;
    const std::uint64_t start = unit * low;
    low_ += start;
    if (low_ < start) carry();
    // The last interval gets what the division left over.
    range_ = low + size == total ? range_ - start : unit * size;
    while (range_ < kRangeMin) {
      bytes_.push_back(static_cast<std::uint8_t>(low_ >> 56));
      low_ <<= 8;
      range_ <<= 8;
    }
  }

  // The code stream: the shortest one that decodes to what was encoded, given that a decoder reads zeros behind its
  // end. The encoder is then as new.
  ByteVector finish() {
    // A number in [low, low + range) with as few bytes as can be: 0, or 2^64 (a carry and no byte), or a multiple of
    // 2^56, of which there is one.
    if (low_ != 0 && range_ > 0 - low_) {
      carry();
    } else if (low_ != 0) {
      bytes_.push_back(static_cast<std::uint8_t>((low_ + (kRangeMin - 1)) >> 56));
    }
    while (!bytes_.empty() && bytes_.back() == 0) bytes_.pop_back();
    ByteVector result = std::move(bytes_);
    *this = RangeEncoder();
    return result;
  }

  [[nodiscard]] std::size_t byte_count() const { return bytes_.size(); }

 private:
  void carry() {
    std::size_t i = bytes_.size();
    while (++bytes_[--i] == 0) {
    }
  }

  std::uint64_t low_ = 0;
  std::uint64_t range_ = ~std::uint64_t{0};
  ByteVector bytes_;
};

class RangeDecoder {
 public:
  explicit RangeDecoder(ByteSpan code) : code_(code) {
    for (int i = 0; i < 8; ++i) offset_ = offset_ << 8 | next_byte();
  }

  // A value in [0, total) that lies in the interval that was encoded; consume() must follow.
  [[nodiscard]] std::uint64_t value(std::uint64_t total) {
    unit_ = range_ / total;
    const std::uint64_t value = offset_ / unit_;
    return value < total ? value : total - 1;
  }

  void consume(std::uint64_t low, std::uint64_t size, std::uint64_t total) {
    const std::uint64_t start = unit_ * low;
    offset_ -= start;
    range_ = low + size == total ? range_ - start : unit_ * size;
    while (range_ < kRangeMin) {
      offset_ = offset_ << 8 | next_byte();
      range_ <<= 8;
    }
  }

  // Whether all bytes of the stream were read; a stream that was meant for these symbols leaves none.
  [[nodiscard]] bool exhausted() const { return next_ >= code_.size(); }

 private:
  std::uint64_t next_byte() { return next_ < code_.size() ? code_[next_++] : 0; }

  ByteSpan code_;
  std::size_t next_ = 0;
  std::uint64_t offset_ = 0;  // the code's place within the range
  std::uint64_t range_ = ~std::uint64_t{0};
  std::uint64_t unit_ = 0;
};

}  // namespace tacit
