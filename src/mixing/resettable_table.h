// SPDX-License-Identifier: MIT
// A table of learnt rows that all start alike and become so again for little: it remembers which rows were learnt.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/large_pages.h"

namespace tacit {

template <class Row>
class ResettableTable {
 public:
  ResettableTable(std::size_t size, Row start) : start_(std::move(start)) { grow(size); }

  [[nodiscard]] const Row& operator[](std::size_t index) const { return rows_[index]; }
  // A row that is about to be learnt. Where it has come back to its start it is noted twice, which does no harm.
  [[nodiscard]] Row& learn(std::size_t index) {
    Row& row = rows_[index];
    if (row == start_) learnt_.push_back(static_cast<std::uint32_t>(index));
    return row;
  }

  // At least so many rows; all are at their start.
  void reset(std::size_t size) {
    if (size > rows_.size()) return grow(size);
    reset();
  }
  void reset() {
    constexpr std::size_t kFillFactor = 8;  // rows in order are set as fast as so many fewer rows in any order
    if (learnt_.size() > rows_.size() / kFillFactor) {
      std::fill(rows_.begin(), rows_.end(), start_);
    } else {
      for (const std::uint32_t index : learnt_) rows_[index] = start_;
    }
    learnt_.clear();
  }

 private:
  void grow(std::size_t size) {
    rows_ = {};
    assign_large(rows_, size, start_);
    learnt_.clear();
  }

  Row start_;
  std::vector<Row> rows_;
  std::vector<std::uint32_t> learnt_;
};

}  // namespace tacit
