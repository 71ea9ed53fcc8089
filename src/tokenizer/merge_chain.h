// SPDX-License-Identifier: MIT
// The merging that all byte-pair encodings share: a word is a chain of parts, and as long as some neighbours make a
// pair, those of the best rank (of equal ones the leftmost) become one. O(n log n): each merge removes a part and
// offers two pairs. What makes a pair is the rule's business.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace tacit {

class MergeChain {
 public:
  static constexpr std::uint32_t kNoRank = ~std::uint32_t{0};

  // A part of the word. That after the last one stands for the end.
  struct Part {
    std::uint32_t begin;     // offset in the word
    std::uint32_t previous;  // kNone: the first
    std::uint32_t next;
    std::uint32_t rank;  // of the pair that this and the next make; kNoRank: none, or this is joined to an earlier part
    std::int32_t value;  // what the rule knows of it
  };

  void clear() { parts_.clear(); }
  void append(std::size_t begin, std::int32_t value) {
    const auto index = static_cast<std::uint32_t>(parts_.size());
    parts_.push_back({static_cast<std::uint32_t>(begin), index - 1, index + 1, kNoRank, value});
  }

  // Merges the parts that were appended for `word`. The rule says
  //   std::uint32_t rank(std::string_view joined, std::int32_t left, std::int32_t right), the less the better, and
  //   std::int32_t join(std::uint32_t rank), the value of what such a pair becomes.
  template <class Rule>
  void merge(std::string_view word, const Rule& rule) {
    append(word.size(), 0);
    parts_.back().next = kNone;
    for (std::uint32_t i = 0; i + 2 < parts_.size(); ++i) offer(i, word, rule);
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
      const auto left = static_cast<std::uint32_t>(queue_.back());
      const auto rank = static_cast<std::uint32_t>(queue_.back() >> 32);
      queue_.pop_back();
      // An entry is out of date when its pair has become another. One of the same rank stands for that other just as
      // well, and comes at the same point.
      if (parts_[left].rank != rank) continue;
      join_to_next(left, rule.join(rank));
      if (parts_[left].previous != kNone) offer(parts_[left].previous, word, rule);
      offer(left, word, rule);
    }
  }

  // Calls visit(text, value) for each part that is left.
  template <class Visit>
  void for_each(std::string_view word, const Visit& visit) const {
    for (std::uint32_t i = 0; parts_[i].begin < word.size(); i = parts_[i].next) {
      visit(word.substr(parts_[i].begin, parts_[parts_[i].next].begin - parts_[i].begin), parts_[i].value);
    }
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  void join_to_next(std::uint32_t left, std::int32_t value) {
    Part& right = parts_[parts_[left].next];
    right.rank = kNoRank;
    parts_[right.next].previous = left;
    parts_[left].next = right.next;
    parts_[left].value = value;
  }

  // Queues the pair of part `left` and the next, if it is one.
  template <class Rule>
  void offer(std::uint32_t left, std::string_view word, const Rule& rule) {
    Part& part = parts_[left];
    part.rank = kNoRank;
    const Part& right = parts_[part.next];
    if (right.next == kNone) return;
    part.rank = rule.rank(word.substr(part.begin, parts_[right.next].begin - part.begin), part.value, right.value);
    if (part.rank == kNoRank) return;
    queue_.push_back((std::uint64_t{part.rank} << 32) | left);
    std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
  }

  std::vector<Part> parts_;
  std::vector<std::uint64_t> queue_;  // a heap of (rank, left part): best rank first, then leftmost
};

}  // namespace tacit
