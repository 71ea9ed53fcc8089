// SPDX-License-Identifier: MIT
#include "tokenizer/token_finder.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>

namespace tacit {
namespace {

bool is_space(std::uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

}  // namespace

TokenFinder::TokenFinder(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.bytes.size() != b.bytes.size() ? a.bytes.size() > b.bytes.size() : a.token < b.token;
  });
  sorted_.resize(entries_.size());
  std::iota(sorted_.begin(), sorted_.end(), std::size_t{0});
  std::sort(sorted_.begin(), sorted_.end(), [this](std::size_t a, std::size_t b) {
    const int order = as_text(entries_[a].bytes).compare(as_text(entries_[b].bytes));
    return order != 0 ? order < 0 : a < b;
  });
  for (const Entry& entry : entries_) ++first_bytes_[entry.bytes[0] + std::size_t{1}];
  std::partial_sum(first_bytes_.begin(), first_bytes_.end(), first_bytes_.begin());
}

const TokenFinder::Entry* TokenFinder::longest(ByteSpan text) const {
  const std::size_t rank = longest_rank(text);
  return rank == kNoRank ? nullptr : &entries_[rank];
}

std::size_t TokenFinder::longest_rank(ByteSpan text) const {
  std::size_t longest = kNoRank;
  if (text.empty() || entries_.empty()) return longest;
  auto begin = sorted_.begin() + static_cast<std::ptrdiff_t>(first_bytes_[text[0]]);
  auto end = sorted_.begin() + static_cast<std::ptrdiff_t>(first_bytes_[text[0] + std::size_t{1}]);
  // [begin, end) have their first `size` bytes in common with `text`; the shortest of them come first.
  for (std::size_t size = 1; begin != end; ++size) {
    if (entries_[*begin].bytes.size() == size) longest = *begin;
    while (begin != end && entries_[*begin].bytes.size() == size) ++begin;
    if (size == text.size()) break;
    const auto byte_of = [&](std::size_t rank) { return entries_[rank].bytes[size]; };
    begin = std::partition_point(begin, end, [&](std::size_t rank) { return byte_of(rank) < text[size]; });
    end = std::partition_point(begin, end, [&](std::size_t rank) { return byte_of(rank) == text[size]; });
  }
  return longest;
}

// A queue of one candidate per position, best first, instead of a pass over the text per token: vocabularies have
// hundreds of such tokens, texts few occurrences.
std::vector<TokenFinder::Match> TokenFinder::find_all(ByteSpan text, bool may_strip) const {
  constexpr int kPositionBits = 44;  // of a candidate; above them is the rank, which is less than kVocabularyMax
  constexpr std::uint64_t kPositionMask = (std::uint64_t{1} << kPositionBits) - 1;
  std::vector<Match> matches;
  if (entries_.empty()) return matches;
  std::vector<std::uint64_t> queue;
  const auto offer = [&](std::size_t position, std::size_t room) {
    const std::size_t rank = longest_rank(text.subspan(position, room));
    if (rank == kNoRank) return;
    queue.push_back((static_cast<std::uint64_t>(rank) << kPositionBits) | position);
    std::push_heap(queue.begin(), queue.end(), std::greater<>());
  };
  for (std::size_t i = 0; i < text.size(); ++i) offer(i, text.size() - i);

  std::vector<bool> taken(queue.empty() ? 0 : text.size());
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    std::size_t begin = queue.back() & kPositionMask;
    const Entry& entry = entries_[queue.back() >> kPositionBits];
    queue.pop_back();
    if (taken[begin]) continue;
    std::size_t end = begin + entry.bytes.size();
    // Earlier matches are no shorter, so that one in the way reaches the last byte.
    if (taken[end - 1]) {
      std::size_t room = 1;
      while (!taken[begin + room]) ++room;
      offer(begin, room);
      continue;
    }
    while (may_strip && entry.strips_before && begin > 0 && !taken[begin - 1] && is_space(text[begin - 1])) --begin;
    while (may_strip && entry.strips_after && end < text.size() && !taken[end] && is_space(text[end])) ++end;
    std::fill_n(taken.begin() + static_cast<std::ptrdiff_t>(begin), end - begin, true);
    matches.push_back({begin, end, entry.token});
  }
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) { return a.begin < b.begin; });
  return matches;
}

}  // namespace tacit
