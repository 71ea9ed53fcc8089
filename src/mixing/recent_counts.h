// SPDX-License-Identifier: MIT
// How often each symbol is among the last few thousand that all lanes have coded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tacit {

class RecentCounts {
 public:
  static constexpr std::uint32_t kWindow = 4096;

  explicit RecentCounts(std::uint32_t symbol_count) : counts_(symbol_count) {}

  void add(std::uint32_t symbol) {
    if (recent_.size() < kWindow) {
      recent_.push_back(symbol);
    } else {
      --counts_[recent_[oldest_]];
      recent_[oldest_] = symbol;
      oldest_ = (oldest_ + 1) % kWindow;
    }
    ++counts_[symbol];
  }

  void reset() {
    for (const std::uint32_t symbol : recent_) counts_[symbol] = 0;
    recent_.clear();
    oldest_ = 0;
  }

  [[nodiscard]] std::uint32_t total() const { return static_cast<std::uint32_t>(recent_.size()); }
  [[nodiscard]] std::uint32_t operator[](std::uint32_t symbol) const { return counts_[symbol]; }
  [[nodiscard]] std::span<const std::uint32_t> counts() const { return counts_; }

 private:
  std::vector<std::uint32_t> counts_;
  std::vector<std::uint32_t> recent_;  // a ring
  std::uint32_t oldest_ = 0;
};

}  // namespace tacit
