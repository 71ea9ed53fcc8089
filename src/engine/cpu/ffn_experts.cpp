// SPDX-License-Identifier: MIT
// Mixtures of ffn experts: a router chooses a few feed-forward networks for each row and weighs what they give (arXiv
// 1701.06538, 2401.04088); shared ones, where there are any, see every row (arXiv 2401.06066).
#include <algorithm>
#include <numeric>

#include "engine/cpu/forward.h"
#include "numeric/exp.h"

namespace tacit {
namespace {

// exp(x - largest) in place; returns the sum, taken from the first to the last.
float exponentials(std::span<float> x) {
  const float largest = *std::ranges::max_element(x);
  float sum = 0.0f;
  for (float& value : x) {
    value = numeric::exp(value - largest);
    sum = sum + value;
  }
  return sum;
}

// The `count` largest of `scores`, largest first, the lower number first of equals. NaN counts as the smallest.
std::vector<std::uint32_t> largest_scores(std::span<const float> scores, std::uint32_t count) {
  std::vector<std::uint32_t> numbers(scores.size());
  std::iota(numbers.begin(), numbers.end(), 0u);
  const auto comes_first = [&](std::uint32_t a, std::uint32_t b) {
    const bool a_is_number = scores[a] == scores[a];
    const bool b_is_number = scores[b] == scores[b];
    if (a_is_number != b_is_number) return a_is_number;
    if (a_is_number && scores[a] != scores[b]) return scores[a] > scores[b];
    return a < b;
  };
  std::partial_sort(numbers.begin(), numbers.begin() + count, numbers.end(), comes_first);
  numbers.resize(count);
  return numbers;
}

}  // namespace

void Forward::mixture_of_experts(const LayerWeights& weights, const RowMatrix& input) {
  set_input(input, row_count());
  router_.resize(row_count(), config_.expert_count);
  multiply(weights.router, router_);
  choices_.assign(config_.expert_count, {});
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    const std::span<float> scores(router_.row(r), config_.expert_count);
    const std::vector<std::uint32_t> chosen = largest_scores(scores, config_.experts_used);
    float sum = exponentials(scores);
    if (config_.family->routing == Routing::kNormalised) {
      sum = 0.0f;
      for (const std::uint32_t expert : chosen) sum = sum + scores[expert];
    }
    for (const std::uint32_t expert : chosen) {
      choices_[expert].push_back({r, scores[expert] / sum * config_.expert_scale});
    }
    std::fill_n(ffn_out_.row(r), config_.width, 0.0f);
  }
  for (std::uint32_t i = 0; i < config_.expert_count; ++i) {
    if (!choices_[i].empty()) run_expert(weights.experts[i], i, input);
  }
  if (weights.ffn.present()) add_shared_experts(weights, input);
}

// Adds what one ffn expert gives for the rows that chose it.
void Forward::run_expert(const Ffn& expert, std::uint32_t number, const RowMatrix& input) {
  const std::vector<Choice>& choices = choices_[number];
  const auto count = static_cast<std::uint32_t>(choices.size());
  expert_in_.resize(count, config_.width);
  expert_out_.resize(count, config_.width);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::copy_n(input.row(choices[i].row), config_.width, expert_in_.row(i));
  }
  set_input(expert_in_, count);
  feed_forward(expert, count, expert_out_);
  for (std::uint32_t i = 0; i < count; ++i) {
    float* out = ffn_out_.row(choices[i].row);
    const float* y = expert_out_.row(i);
    for (std::uint32_t k = 0; k < config_.width; ++k) out[k] = out[k] + y[k] * choices[i].weight;
  }
}

void Forward::add_shared_experts(const LayerWeights& weights, const RowMatrix& input) {
  set_input(input, row_count());
  expert_out_.resize(row_count(), config_.width);
  feed_forward(weights.ffn, row_count(), expert_out_);
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    float* y = expert_out_.row(r);
    if (!weights.shared_gate.empty()) {
      float dot = 0.0f;
      for (std::uint32_t k = 0; k < config_.width; ++k) dot = dot + input.row(r)[k] * weights.shared_gate[k];
      const float gate = numeric::sigmoid(dot);
      for (std::uint32_t k = 0; k < config_.width; ++k) y[k] = y[k] * gate;
    }
    kernels_.add(y, config_.width, ffn_out_.row(r));
  }
}

}  // namespace tacit
