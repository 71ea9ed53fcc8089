// SPDX-License-Identifier: MIT
#include "mixing/history.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/large_pages.h"

namespace tacit {
namespace {

constexpr int kBucketBitsMin = 10;
constexpr int kBucketBitsMax = 20;
constexpr std::uint64_t kHashFactor = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio

// A running hash, with one field more.
std::uint64_t hashed(std::uint64_t hash, std::uint64_t field) {
  hash = (hash ^ field) * kHashFactor;
  return hash ^ (hash >> 29);
}

}  // namespace

History::History(std::span<const std::uint64_t> strip_sizes) : chain_heads_(kChainCount, {0, kNoPosition}) {
  reset(strip_sizes);
}

void History::reset(std::span<const std::uint64_t> strip_sizes) {
  begins_.clear();
  std::uint64_t total = 0;
  for (const std::uint64_t size : strip_sizes) {
    begins_.push_back(static_cast<std::uint32_t>(total));
    total += size;
  }
  symbols_.assign(total, 0);
  bucket_bits_ = std::clamp(static_cast<int>(std::bit_width(total)), kBucketBitsMin, kBucketBitsMax);
  const std::size_t bucket_count = std::size_t{1} << bucket_bits_;
  for (std::size_t chain = 0; chain < kChainCount; ++chain) {
    const std::size_t count = chain < kOrders.size() ? bucket_count : std::size_t{1} << (32 - kModelBucketShift);
    chain_heads_[chain].reset(count);
  }
  match_table_.reset(bucket_count);
  if (links_.size() < total) {
    links_ = {};
    assign_large(links_, total, Links{});
  }
}

History::Buckets History::buckets_of(std::size_t lane, std::uint64_t step) const {
  Buckets buckets;
  buckets.fill(kNoPosition);
  const std::uint32_t position = position_of(lane, step);
  const auto length_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(step, kMatchMin));
  std::uint64_t hash = 0;
  std::size_t order = 0;
  for (std::uint32_t length = 1; length <= length_max; ++length) {
    hash = hashed(hash, symbols_[position - length] + std::uint64_t{1});
    const bool is_order = order < kOrders.size() && length == kOrders[order];
    if (is_order) buckets[order++] = static_cast<std::uint32_t>(hash >> (64 - bucket_bits_));
    if (length == kMatchMin) buckets[kOrders.size()] = static_cast<std::uint32_t>(hash >> (64 - bucket_bits_));
  }
  return buckets;
}

History::ModelKeys History::model_keys_of(std::size_t lane, std::uint64_t step, std::uint32_t first,
                                          std::uint32_t second) const {
  const std::uint32_t position = position_of(lane, step);
  const auto before = [&](std::uint32_t distance) {
    return step < distance ? std::uint64_t{0} : symbols_[position - distance] + std::uint64_t{1};
  };
  const std::uint64_t first_hash = hashed(0, first + std::uint64_t{1});
  const std::uint64_t skipping = hashed(hashed(first_hash, before(2)), before(3));
  const std::uint64_t both = hashed(hashed(first_hash, second + std::uint64_t{1}), before(1));
  return {static_cast<std::uint32_t>(skipping >> 32), static_cast<std::uint32_t>(both >> 32)};
}

// All chains at once: where the next position lies is known only when the one before it has come from memory, so that
// one chain after another would wait for each of their positions.
void History::find(const Buckets& buckets, const ModelKeys& keys, Occurrences& occurrences) const {
  struct Chain {
    std::uint32_t number;
    std::uint32_t at;
    std::uint32_t depth;
  };
  std::array<Chain, kChainCount> chains;
  std::size_t count = 0;
  occurrences.counts_.fill(0);
  const auto begin = [&](std::size_t chain, std::uint32_t bucket, std::uint32_t depth) {
    const std::uint32_t at = chain_heads_[chain][bucket];
    if (at != kNoPosition) chains[count++] = {static_cast<std::uint32_t>(chain), at, depth};
  };
  for (std::size_t order = 0; order < kOrders.size(); ++order) {
    if (buckets[order] != kNoPosition) begin(order, buckets[order], kDepths[order]);
  }
  for (std::size_t context = 0; context < kModelContexts; ++context) {
    begin(kOrders.size() + context, keys[context] >> kModelBucketShift, kModelDepth);
  }
  for (std::uint32_t i = 0; count > 0; ++i) {
    for (std::size_t c = 0; c < count;) {
      Chain& chain = chains[c];
      occurrences.positions_[chain.number][i] = chain.at;
      chain.at = links_[chain.at].previous[chain.number];
      if (chain.at != kNoPosition && i + 1 < chain.depth) {
        ++c;
        continue;
      }
      occurrences.counts_[chain.number] = i + 1;
      chain = chains[--count];
    }
  }
}

std::uint32_t History::find_match(std::uint32_t bucket, std::uint32_t position) const {
  if (bucket == kNoPosition) return kNoPosition;
  const std::uint32_t at = match_table_[bucket];
  return at != kNoPosition && same_context(at, position, kMatchMin) ? at : kNoPosition;
}

void History::enter(const Buckets& buckets, const ModelKeys& keys, std::uint32_t position) {
  Links& links = links_[position];
  const auto put = [&](std::size_t chain, std::uint32_t bucket) {
    links.previous[chain] = std::exchange(chain_heads_[chain].learn(bucket), position);
  };
  for (std::size_t order = 0; order < kOrders.size(); ++order) {
    if (buckets[order] != kNoPosition) put(order, buckets[order]);
  }
  for (std::size_t context = 0; context < kModelContexts; ++context) {
    links.keys[context] = static_cast<std::uint16_t>(keys[context]);
    put(kOrders.size() + context, keys[context] >> kModelBucketShift);
  }
}

void History::enter_match(std::uint32_t bucket, std::uint32_t position) {
  if (bucket != kNoPosition) match_table_.learn(bucket) = position;
}

}  // namespace tacit
