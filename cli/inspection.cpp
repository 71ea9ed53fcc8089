// SPDX-License-Identifier: MIT
// Adding up pieces.
#include "inspection.h"

#include <algorithm>

#include "inspection_json.h"

namespace tacit::cli {
namespace {

constexpr std::size_t kSpansMax = 256;
constexpr std::size_t kExpensiveMax = 20;

constexpr std::array<const char*, kCodingCount> kCodingNames = {"softmax", "rank 1", "rank 2", "rank 3", "candidate",
                                                                "escape",  "raw",    "zstd",   "brotli"};

}  // namespace

const char* coding_name(std::size_t coding) { return kCodingNames[coding]; }

void PieceSum::add(const tacit_piece& piece) {
  ++count;
  bytes += piece.byte_count;
  bits += piece.bits;
}

void NamedSums::add(const tacit_share* shares, std::size_t count, double weight) {
  for (std::size_t i = sums_.size(); i < count; ++i) sums_.push_back({shares[i].name, 0});
  for (std::size_t i = 0; i < count; ++i) sums_[i].share += weight * shares[i].share;
}

void NamedSums::add(const NamedSums& other) { add(other.sums_.data(), other.sums_.size(), 1); }

void TimeSpan::add(const tacit_piece& token) {
  ++token_count;
  bits += token.bits;
  model_weight += token.model_weight;
  experts.add(token.experts, token.expert_count, 1);
  samplers.add(token.samplers, token.sampler_count, 1);
}

void TimeSpan::add(const TimeSpan& other) {
  token_count += other.token_count;
  bits += other.bits;
  model_weight += other.model_weight;
  experts.add(other.experts);
  samplers.add(other.samplers);
}

void Timeline::add(const tacit_piece& token) {
  while (token.order / span_tokens_ >= kSpansMax) double_spans();
  const auto index = static_cast<std::size_t>(token.order / span_tokens_);
  if (index >= spans_.size()) spans_.resize(index + 1);
  spans_[index].add(token);
}

void Timeline::double_spans() {
  std::vector<TimeSpan> doubled((spans_.size() + 1) / 2);
  for (std::size_t i = 0; i < spans_.size(); ++i) doubled[i / 2].add(spans_[i]);
  spans_ = std::move(doubled);
  span_tokens_ *= 2;
}

int Inspection::receive(void* context, const tacit_piece* piece) {
  static_cast<Inspection*>(context)->add(*piece);
  return 0;
}

void Inspection::add(const tacit_piece& piece) {
  codings_[piece.coding].add(piece);
  if (is_token(piece.coding)) add_token(piece);
  if (piece_count_max_ == 0 || pieces_.size() < piece_count_max_) pieces_.push_back(piece_json(piece));
}

void Inspection::add_token(const tacit_piece& token) {
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

void Inspection::keep_if_expensive(const tacit_piece& token) {
  if (expensive_.size() == kExpensiveMax) {
    if (token.bits <= expensive_.back().bits) return;
    expensive_.pop_back();
  }
  const auto place = std::find_if(expensive_.begin(), expensive_.end(),
                                  [&](const Priced& other) { return other.bits < token.bits; });
  expensive_.insert(place, {token.bits, piece_json(token)});
}

std::vector<std::string> Inspection::expensive() const {
  std::vector<std::string> tokens;
  for (const Priced& priced : expensive_) tokens.push_back(priced.json);
  return tokens;
}

PieceSum Inspection::sum(bool of_tokens) const {
  PieceSum sum;
  for (std::size_t coding = 0; coding < kCodingCount; ++coding) {
    if (is_token(static_cast<tacit_coding>(coding)) != of_tokens) continue;
    sum.count += codings_[coding].count;
    sum.bytes += codings_[coding].bytes;
    sum.bits += codings_[coding].bits;
  }
  return sum;
}

}  // namespace tacit::cli
