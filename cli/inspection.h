// SPDX-License-Identifier: MIT
// What `inspect` keeps of a text's spans (tacit_span) while they come: sums of all, the course of the shares over time,
// the most expensive tokens, and the first spans in full.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tacit/tacit.h"

namespace tacit::cli {

inline constexpr std::size_t kCodingCount = TACIT_STORED_BROTLI + 1;

// "rank 1", "zstd".
const char* coding_name(std::size_t coding);
inline bool is_token(tacit_coding coding) { return coding < TACIT_STORED_RAW; }

struct SpanSum {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  double bits = 0;

  void add(const tacit_span& span);
};

// Numbers by name, in the order in which the library names them.
class NamedSums {
 public:
  void add(const tacit_share* shares, std::size_t count, double weight);
  void add(const NamedSums& other);
  const std::vector<tacit_share>& sums() const { return sums_; }

 private:
  std::vector<tacit_share> sums_;
};

// Tokens that were coded one after another.
struct TimeBucket {
  std::uint64_t token_count = 0;
  double bits = 0;
  double model_weight = 0;  // summed over tokens, as the shares
  NamedSums experts;
  NamedSums samplers;

  void add(const tacit_span& token);
  void add(const TimeBucket& other);
};

// Equal parts of the time. They double where they would become too many: how long a text is shows at its end only, and
// its lanes come one after another, though they were coded side by side.
class Timeline {
 public:
  void add(const tacit_span& token);
  const std::vector<TimeBucket>& buckets() const { return buckets_; }
  std::uint64_t bucket_tokens() const { return bucket_tokens_; }

 private:
  void double_buckets();

  std::uint64_t bucket_tokens_ = 16;
  std::vector<TimeBucket> buckets_;
};

class Inspection {
 public:
  // `span_count_max`: how many spans are kept in full; 0: all.
  explicit Inspection(std::size_t span_count_max) : span_count_max_(span_count_max) {}

  // A tacit_span_function; `context` is an Inspection.
  static int receive(void* context, const tacit_span* span);

  const std::array<SpanSum, kCodingCount>& codings() const { return codings_; }
  SpanSum tokens() const { return sum(true); }
  SpanSum stored() const { return sum(false); }
  const NamedSums& expert_bits() const { return expert_bits_; }
  const NamedSums& expert_tokens() const { return expert_tokens_; }  // for how many tokens each paid most
  const Timeline& timeline() const { return timeline_; }
  // As JSON objects, the dearest first, and in the order of the text.
  std::vector<std::string> expensive() const;
  const std::vector<std::string>& spans() const { return spans_; }

 private:
  struct Priced {
    double bits;
    std::string json;
  };
  void add(const tacit_span& span);
  void add_token(const tacit_span& token);
  void keep_if_expensive(const tacit_span& token);
  SpanSum sum(bool of_tokens) const;

  std::size_t span_count_max_;
  std::array<SpanSum, kCodingCount> codings_;
  NamedSums expert_bits_;
  NamedSums expert_tokens_;
  Timeline timeline_;
  std::vector<Priced> expensive_;
  std::vector<std::string> spans_;
};

}  // namespace tacit::cli
