// SPDX-License-Identifier: MIT
// Adding up spans.
#include "inspection.h"

#include <algorithm>

#include "inspection_json.h"

namespace tacit::cli {
namespace {

constexpr std::size_t kBucketsMax = 256;
constexpr std::size_t kExpensiveMax = 20;

constexpr std::array<const char*, kCodingCount> kCodingNames = {"softmax", "rank 1", "rank 2", "rank 3", "candidate",
                                                                "escape",  "raw",    "zstd",   "brotli"};

}  // namespace

const char* coding_name(std::size_t coding) { return kCodingNames[coding]; }

void SpanSum::add(const tacit_span& span) {
  ++count;
  bytes += span.byte_count;
  bits += span.bits;
}

void NamedSums::add(const tacit_share* shares, std::size_t count, double weight) {
  for (std::size_t i = sums_.size(); i < count; ++i) sums_.push_back({shares[i].name, 0});
  for (std::size_t i = 0; i < count; ++i) sums_[i].share += weight * shares[i].share;
}

void NamedSums::add(const NamedSums& other) { add(other.sums_.data(), other.sums_.size(), 1); }

void TimeBucket::add(const tacit_span& token) {
  ++token_count;
  bits += token.bits;
  model_weight += token.model_weight;
  experts.add(token.experts, token.expert_count, 1);
  samplers.add(token.samplers, token.sampler_count, 1);
}

void TimeBucket::add(const TimeBucket& other) {
  token_count += other.token_count;
  bits += other.bits;
  model_weight += other.model_weight;
  experts.add(other.experts);
  samplers.add(other.samplers);
}

void Timeline::add(const tacit_span& token) {
  while (token.order / bucket_tokens_ >= kBucketsMax) double_buckets();
  const auto index = static_cast<std::size_t>(token.order / bucket_tokens_);
  if (index >= buckets_.size()) buckets_.resize(index + 1);
  buckets_[index].add(token);
}

void Timeline::double_buckets() {
  std::vector<TimeBucket> doubled((buckets_.size() + 1) / 2);
  for (std::size_t i = 0; i < buckets_.size(); ++i) doubled[i / 2].add(buckets_[i]);
  buckets_ = std::move(doubled);
  bucket_tokens_ *= 2;
}

int Inspection::receive(void* context, const tacit_span* span) {
  static_cast<Inspection*>(context)->add(*span);
  return 0;
}

void Inspection::add(const tacit_span& span) {
  codings_[span.coding].add(span);
  if (is_token(span.coding)) add_token(span);
  if (span_count_max_ == 0 || spans_.size() < span_count_max_) spans_.push_back(span_json(span));
}

void Inspection::add_token(const tacit_span& token) {
  expert_bits_.add(token.experts, token.expert_count, token.bits);
  std::vector<tacit_share> most(token.experts, token.experts + token.expert_count);
  const auto best = std::max_element(most.begin(), most.end(), [](const tacit_share& a, const tacit_share& b) {
    return a.share < b.share;
  });
  for (tacit_share& share : most) share.share = &share == &*best ? 1 : 0;
  expert_tokens_.add(most.data(), most.size(), 1);
  timeline_.add(token);
  keep_if_expensive(token);
}

void Inspection::keep_if_expensive(const tacit_span& token) {
  if (expensive_.size() == kExpensiveMax) {
    if (token.bits <= expensive_.back().bits) return;
    expensive_.pop_back();
  }
  const auto place = std::find_if(expensive_.begin(), expensive_.end(),
                                  [&](const Priced& other) { return other.bits < token.bits; });
  expensive_.insert(place, {token.bits, span_json(token)});
}

std::vector<std::string> Inspection::expensive() const {
  std::vector<std::string> tokens;
  for (const Priced& priced : expensive_) tokens.push_back(priced.json);
  return tokens;
}

SpanSum Inspection::sum(bool of_tokens) const {
  SpanSum sum;
  for (std::size_t coding = 0; coding < kCodingCount; ++coding) {
    if (is_token(static_cast<tacit_coding>(coding)) != of_tokens) continue;
    sum.count += codings_[coding].count;
    sum.bytes += codings_[coding].bytes;
    sum.bits += codings_[coding].bits;
  }
  return sum;
}

}  // namespace tacit::cli
