// SPDX-License-Identifier: MIT
#include "predict/history.h"

#include <algorithm>
#include <bit>

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

History::History(std::span<const std::uint64_t> strip_sizes) {
  std::uint64_t total = 0;
  for (const std::uint64_t size : strip_sizes) {
    begins_.push_back(static_cast<std::uint32_t>(total));
    total += size;
  }
  symbols_.resize(total);
  bucket_bits_ = std::clamp(static_cast<int>(std::bit_width(total)), kBucketBitsMin, kBucketBitsMax);
  const std::size_t bucket_count = std::size_t{1} << bucket_bits_;
  for (Chains& chains : chains_) {
    chains.newest.assign(bucket_count, kNowhere);
    chains.older.assign(total, kNowhere);
  }
  for (ModelChains& chains : model_chains_) {
    chains.newest.assign(std::size_t{1} << (32 - kModelBucketShift), kNowhere);
    chains.older.assign(total, kNowhere);
    chains.keys.resize(total);
  }
  match_newest_.assign(bucket_count, kNowhere);
}

History::Buckets History::buckets_of(std::size_t lane, std::uint64_t step) const {
  Buckets buckets;
  buckets.fill(kNowhere);
  const std::uint32_t place = place_of(lane, step);
  const auto length_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(step, kMatchMin));
  std::uint64_t hash = 0;
  std::size_t order = 0;
  for (std::uint32_t length = 1; length <= length_max; ++length) {
    hash = hashed(hash, symbols_[place - length] + std::uint64_t{1});
    const bool is_order = order < kOrders.size() && length == kOrders[order];
    if (is_order) buckets[order++] = static_cast<std::uint32_t>(hash >> (64 - bucket_bits_));
    if (length == kMatchMin) buckets[kOrders.size()] = static_cast<std::uint32_t>(hash >> (64 - bucket_bits_));
  }
  return buckets;
}

History::ModelKeys History::model_keys_of(std::size_t lane, std::uint64_t step, std::uint32_t first,
                                          std::uint32_t second) const {
  const std::uint32_t place = place_of(lane, step);
  const auto before = [&](std::uint32_t distance) {
    return step < distance ? std::uint64_t{0} : symbols_[place - distance] + std::uint64_t{1};
  };
  const std::uint64_t alone = hashed(0, first + std::uint64_t{1});
  const std::uint64_t skipping = hashed(hashed(alone, before(2)), before(3));
  const std::uint64_t both = hashed(hashed(alone, second + std::uint64_t{1}), before(1));
  return {static_cast<std::uint32_t>(skipping >> 32), static_cast<std::uint32_t>(both >> 32)};
}

std::uint32_t History::find_match(std::uint32_t bucket, std::uint32_t place) const {
  if (bucket == kNowhere) return kNowhere;
  const std::uint32_t at = match_newest_[bucket];
  return at != kNowhere && same_context(at, place, kMatchMin) ? at : kNowhere;
}

void History::enter(const Buckets& buckets, const ModelKeys& keys, std::uint32_t place) {
  const auto put = [place](Chains& chains, std::uint32_t bucket) {
    chains.older[place] = chains.newest[bucket];
    chains.newest[bucket] = place;
  };
  for (std::size_t order = 0; order < kOrders.size(); ++order) {
    if (buckets[order] != kNowhere) put(chains_[order], buckets[order]);
  }
  for (std::size_t context = 0; context < kModelContexts; ++context) {
    model_chains_[context].keys[place] = keys[context];
    put(model_chains_[context], keys[context] >> kModelBucketShift);
  }
}

void History::enter_match(std::uint32_t bucket, std::uint32_t place) {
  if (bucket != kNowhere) match_newest_[bucket] = place;
}

}  // namespace tacit
