// SPDX-License-Identifier: MIT
#include "support/lanes.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <random>

#include "base/hash.h"
#include "engine/cpu/forward.h"
#include "support/cpu_model.h"

namespace tacit::test {
namespace {

std::uint64_t hash_of(const std::vector<float>& logits) {
  return xxh3_64({reinterpret_cast<const std::uint8_t*>(logits.data()), logits.size() * sizeof(float)});
}

}  // namespace

std::vector<std::vector<float>> run_lanes(const Model& model, const RunSetting& setting,
                                          const std::vector<std::vector<TokenId>>& tokens) {
  return run_lanes(model, pack(model), setting, tokens);
}

std::vector<std::vector<float>> run_lanes(const Model& model, const PackedWeights& weights, const RunSetting& setting,
                                          const std::vector<std::vector<TokenId>>& tokens) {
  ThreadPool pool(setting.thread_count);
  std::vector<LaneCache> caches;
  for (std::uint32_t i = 0; i < setting.lane_count; ++i) {
    caches.emplace_back(model.config, setting.window, setting.chunk);
  }
  Forward forward(model, weights, *setting.kernels, setting.window, setting.thread_count > 1 ? &pool : nullptr);
  const std::uint32_t stride = kernels::round_up(model.config.vocabulary_size, kernels::kTile);
  std::vector<std::vector<float>> logits(setting.lane_count);
  std::size_t length = 0;
  for (std::uint32_t i = 0; i < setting.lane_count; ++i) length = std::max(length, tokens[i].size());
  for (std::size_t first = 0; first < length; first += setting.chunk) {
    std::vector<Row> rows;
    std::vector<std::uint32_t> indices;
    std::vector<std::uint32_t> owners;
    for (std::uint32_t i = 0; i < setting.lane_count; ++i) {
      for (std::size_t p = first; p < std::min(first + setting.chunk, tokens[i].size()); ++p) {
        indices.push_back(static_cast<std::uint32_t>(rows.size()));
        owners.push_back(i);
        rows.push_back({i, static_cast<std::uint32_t>(p), tokens[i][p]});
      }
    }
    forward.run(caches, rows);
    std::vector<float> out(rows.size() * stride);
    forward.logits(indices, out.data(), stride);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const float* row = out.data() + r * stride;
      logits[owners[r]].insert(logits[owners[r]].end(), row, row + model.config.vocabulary_size);
    }
  }
  return logits;
}

std::vector<TokenId> random_tokens(std::uint32_t count, std::uint32_t vocabulary_size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> tokens(count);
  for (TokenId& token : tokens) token = static_cast<TokenId>(random() % vocabulary_size);
  return tokens;
}

std::string first_difference(const Model& model, std::uint32_t window, std::uint32_t length,
                             const Combinations& combinations) {
  const kernels::KernelList list = kernels::available_kernels();
  const PackedWeights weights = pack(model);
  std::vector<std::vector<TokenId>> tokens;
  std::vector<std::uint64_t> expected;
  assert(length >= combinations.lanes.back());
  for (std::uint32_t i = 0; i < combinations.lanes.back(); ++i) {  // lanes end at different steps
    tokens.push_back(random_tokens(length - i, model.config.vocabulary_size, 100 + i));
    const RunSetting alone{list.sets[list.count - 1], 1, 1, 1, window};
    expected.push_back(hash_of(run_lanes(model, weights, alone, {tokens.back()})[0]));
  }
  for (std::uint32_t set = 0; set < list.count; ++set) {
    for (const std::uint32_t threads : combinations.threads) {
      for (const std::uint32_t lanes : combinations.lanes) {
        for (const std::uint32_t chunk : combinations.chunks) {
          const auto logits = run_lanes(model, weights, {list.sets[set], threads, lanes, chunk, window}, tokens);
          for (std::uint32_t i = 0; i < lanes; ++i) {
            if (hash_of(logits[i]) == expected[i]) continue;
            return std::string(list.sets[set]->name) + ", threads " + std::to_string(threads) + ", lanes " +
                   std::to_string(lanes) + ", chunk " + std::to_string(chunk) + ", lane " + std::to_string(i);
          }
        }
      }
    }
  }
  return {};
}

double divergence(std::span<const double> expected, std::span<const float> found) {
  const auto log_sum = [](const auto& logits) {
    const auto maximum = static_cast<double>(*std::ranges::max_element(logits));
    double sum = 0;
    for (const auto logit : logits) sum += std::exp(static_cast<double>(logit) - maximum);
    return maximum + std::log(sum);
  };
  const double p_sum = log_sum(expected);
  const double q_sum = log_sum(found);
  double total = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double log_p = expected[i] - p_sum;
    total += std::exp(log_p) * (log_p - (static_cast<double>(found[i]) - q_sum));
  }
  return total;
}

double mean_divergence(std::span<const double> expected, std::span<const float> found, std::size_t vocabulary_size) {
  double total = 0;
  for (std::size_t begin = 0; begin < expected.size(); begin += vocabulary_size) {
    total += divergence(expected.subspan(begin, vocabulary_size), found.subspan(begin, vocabulary_size));
  }
  return total * static_cast<double>(vocabulary_size) / static_cast<double>(expected.size());
}

}  // namespace tacit::test
