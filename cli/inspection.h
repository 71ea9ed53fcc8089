// SPDX-License-Identifier: MIT
// What `inspect` keeps of a text's pieces while they come: sums of all, the course of the shares over time, the most
// expensive tokens, and the first pieces in full.
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

struct PieceSum {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  double bits = 0;

  void add(const tacit_piece& piece);
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
struct TimeSpan {
  std::uint64_t token_count = 0;
  double bits = 0;
  double model_weight = 0;  // summed over tokens, as the shares
  NamedSums experts;
  NamedSums samplers;

  void add(const tacit_piece& token);
  void add(const TimeSpan& other);
};

// Equal spans of time. They double where they would become too many: how long a text is shows at its end only, and its
// lanes come one after another, though they were coded side by side.
class Timeline {
 public:
  void add(const tacit_piece& token);
  const std::vector<TimeSpan>& spans() const { return spans_; }
  std::uint64_t span_tokens() const { return span_tokens_; }

 private:
  void double_spans();

  std::uint64_t span_tokens_ = 16;
  std::vector<TimeSpan> spans_;
};

class Inspection {
 public:
  // `piece_count_max`: how many pieces are kept in full; 0: all.
  explicit Inspection(std::size_t piece_count_max) : piece_count_max_(piece_count_max) {}

  // A tacit_piece_function; `context` is an Inspection.
  static int receive(void* context, const tacit_piece* piece);

  const std::array<PieceSum, kCodingCount>& codings() const { return codings_; }
  PieceSum tokens() const { return sum(true); }
  PieceSum stored() const { return sum(false); }
  const NamedSums& expert_bits() const { return expert_bits_; }
  const NamedSums& expert_tokens() const { return expert_tokens_; }  // for how many tokens each paid most
  const Timeline& timeline() const { return timeline_; }
  // As JSON objects, the dearest first, and in the order of the text.
  std::vector<std::string> expensive() const;
  const std::vector<std::string>& pieces() const { return pieces_; }

 private:
  struct Priced {
    double bits;
    std::string json;
  };
  void add(const tacit_piece& piece);
  void add_token(const tacit_piece& token);
  void keep_if_expensive(const tacit_piece& token);
  PieceSum sum(bool of_tokens) const;

  std::size_t piece_count_max_;
  std::array<PieceSum, kCodingCount> codings_;
  NamedSums expert_bits_;
  NamedSums expert_tokens_;
  Timeline timeline_;
  std::vector<Priced> expensive_;
  std::vector<std::string> pieces_;
};

}  // namespace tacit::cli
