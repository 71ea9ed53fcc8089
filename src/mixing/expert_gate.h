// SPDX-License-Identifier: MIT
// How much each expert's counts weigh against the model: a softmax over the experts at hand and the model, whose logits
// are sums of learnt numbers for what is known of an expert. Learnt by the gradient of the code length, from all lanes
// (spec/numeric.md, section 10.4).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "mixing/history.h"
#include "mixing/resettable_table.h"

namespace tacit {

// Experts, each with a number: the text contexts from the shortest on, the contexts with the model's tokens, the recent
// counts of all symbols, the match.
inline constexpr std::size_t kOrderCount = History::kOrders.size();
inline constexpr std::size_t kCountedExperts = kOrderCount + History::kModelContexts;  // with counts of continuations
inline constexpr std::size_t kUnigramExpert = kCountedExperts;
inline constexpr std::size_t kMatchExpert = kCountedExperts + 1;
inline constexpr std::size_t kExpertCount = kCountedExperts + 2;

inline constexpr std::uint32_t kNoSymbol = ~std::uint32_t{0};
inline constexpr std::uint32_t kConfidences = 7;
inline constexpr std::uint32_t kSymbolBuckets = 8192;

// What the gate knows of an expert at hand.
struct ExpertView {
  std::size_t expert = 0;
  std::uint32_t total = 0;     // of its counts; the match's length; of the recent counts: how many there are
  std::uint32_t distinct = 0;  // symbols with a count
  std::uint32_t best = kNoSymbol;
  std::uint32_t run = 0;  // of its best symbols lately right in this lane
};
// And of the step.
struct StepView {
  std::uint32_t confidence = 0;  // bucket of the model's largest probability
  std::uint32_t top = 0;         // the model's most likely token
  std::uint32_t order_count = 0;  // text contexts with evidence
  std::uint32_t longest_best = kNoSymbol;  // the best symbol of the longest of them
  std::uint32_t match_symbol = kNoSymbol;
  std::uint32_t previous = 0;  // symbol
  std::uint32_t results = 0;   // which ranks were right at the last two steps
};

// An expert's rows in the gate's tables, and its weight, for one step.
struct GateEntry {
  std::array<std::uint32_t, 5> rows{};
  double weight = 0;  // of all probability, the model included
};

class ExpertGate {
 public:
  ExpertGate();

  // Fills an entry for each expert. Returns the model's weight.
  double weigh(const StepView& step, std::span<const ExpertView> experts, std::span<GateEntry> entries) const;
  // `part`: the expert's part in the probability that the symbol got.
  void learn(const GateEntry& entry, double part);
  void reset();

 private:
  struct EvidenceRow {
    double logit = 0;
    double count = 0;  // how often it was learnt
    bool operator==(const EvidenceRow&) const = default;
  };
  ResettableTable<EvidenceRow> by_evidence_;
  ResettableTable<double> by_agreement_;
  ResettableTable<double> by_run_;
  ResettableTable<double> by_previous_;
  ResettableTable<double> by_best_;
};

}  // namespace tacit
