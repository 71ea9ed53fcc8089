// SPDX-License-Identifier: MIT
// The engine run in as many ways as a test likes: any kernel set, threads, lanes side by side, positions at once. What
// tests and the conformance tool compare is here, so that both mean the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/token.h"
#include "engine/cpu/kernels/kernels.h"
#include "engine/cpu/packed_weights.h"
#include "model/model.h"

namespace tacit::test {

struct RunSetting {
  const kernels::Kernels* kernels;
  std::uint32_t thread_count;
  std::uint32_t lane_count;
  std::uint32_t chunk;
  std::uint32_t window;
};

// Logits [lane][position][vocabulary] of one sequence a lane; lane i has `tokens[i]`, of any length.
std::vector<std::vector<float>> run_lanes(const Model& model, const RunSetting& setting,
                                          const std::vector<std::vector<TokenId>>& tokens);

// The same with weights that have been packed before.
std::vector<std::vector<float>> run_lanes(const Model& model, const PackedWeights& weights, const RunSetting& setting,
                                          const std::vector<std::vector<TokenId>>& tokens);

std::vector<TokenId> random_tokens(std::uint32_t count, std::uint32_t vocabulary_size, std::uint32_t seed);

struct Combinations {
  std::vector<std::uint32_t> threads, lanes, chunks;  // the last number of lanes is the largest
};

// Runs every kernel set of this machine in every combination, on texts of `length` random tokens or a little less.
// Empty where each lane got the logits that the reference set gives it by itself, one step at a time; else the first
// combination that did not. `length` is at least the number of lanes.
std::string first_difference(const Model& model, std::uint32_t window, std::uint32_t length,
                             const Combinations& combinations);

// Kullback-Leibler divergence in nats of the distribution of logits `found` from that of `expected`, which are of one
// size.
double divergence(std::span<const double> expected, std::span<const float> found);
// The mean of that over positions: both are [position][vocabulary].
double mean_divergence(std::span<const double> expected, std::span<const float> found, std::size_t vocabulary_size);

}  // namespace tacit::test
