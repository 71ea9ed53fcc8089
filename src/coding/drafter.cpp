// SPDX-License-Identifier: MIT
#include "coding/drafter.h"

#include <algorithm>
#include <bit>

namespace tacit {

Drafter::Drafter(std::uint64_t text_size, double row_cost)
    : row_cost_(row_cost),
      bucket_mask_(std::bit_ceil(static_cast<std::uint32_t>(std::clamp(2 * text_size, kBucketsMin, kBucketsMax))) - 1) {
  for (std::vector<std::uint32_t>& heads : chain_heads_) heads.assign(bucket_mask_ + 1, kNoPosition);
  hits_.fill(kHitStart);
}

std::span<const TokenId> Drafter::draft(std::span<const TokenId> past, std::size_t count_max) {
  past_ = past;
  while (learnt_ < past.size()) learn(learnt_++);
  draft_.clear();
  if (match_ == kNoPosition) return draft_;
  double all_right = 1;
  while (draft_.size() < count_max) {
    all_right *= hits_[std::min(match_length_ + static_cast<std::uint32_t>(draft_.size()), kLengthMax)];
    if (all_right < row_cost_) break;
    // Behind the end of the past a match goes on in the draft itself.
    const std::size_t position = match_ + draft_.size();
    draft_.push_back(position < past.size() ? past[position] : draft_[position - past.size()]);
  }
  return draft_;
}

void Drafter::learn(std::uint32_t position) {
  if (match_ != kNoPosition) {
    const bool hit = past_[match_] == past_[position];
    double& share = hits_[match_length_];
    share += ((hit ? 1.0 : 0.0) - share) * kHitRate;
    match_ = hit ? match_ + 1 : kNoPosition;
    match_length_ = std::min(match_length_ + 1, kLengthMax);
  }
  find_match(position + 1);
}

// Enters `position`, the next symbol's, as the newest after its contexts; where no match goes on, one is looked for.
void Drafter::find_match(std::uint32_t position) {
  for (std::size_t i = 0; i < kOrders.size(); ++i) {
    if (kOrders[i] > position) continue;
    std::uint32_t& newest = this->newest(i, position);
    if (match_ == kNoPosition && newest != kNoPosition) {
      const std::uint32_t length = length_in_common(newest, position);
      if (length >= kOrders[i]) {
        match_ = newest;
        match_length_ = length;
      }
    }
    newest = position;
  }
}

std::uint32_t& Drafter::newest(std::size_t order, std::uint32_t position) {
  std::uint32_t hash = 0;
  for (std::uint32_t i = 1; i <= kOrders[order]; ++i) {
    hash = (hash + static_cast<std::uint32_t>(past_[position - i])) * 0x9E3779B1u;
  }
  return chain_heads_[order][(hash ^ hash >> 16) & bucket_mask_];
}

std::uint32_t Drafter::length_in_common(std::uint32_t a, std::uint32_t b) const {
  std::uint32_t length = 0;
  while (length < std::min(a, kLengthMax) && past_[a - 1 - length] == past_[b - 1 - length]) ++length;
  return length;
}

}  // namespace tacit
