// SPDX-License-Identifier: MIT
// An engine without a model: its logits are a table of the last two tokens. It holds those who use it to the seam's
// contract (engine/engine.h): whatever breaks it becomes a failure of the test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/cpu/kernels/reference.h"
#include "engine/engine.h"

namespace tacit::test {

class TableEngine : public Engine {
 public:
  struct Settings {
    std::uint32_t vocabulary_size = 40;
    BatchShape shape;
    bool can_rerun = true;
    std::size_t lanes_max = 1000;
  };
  explicit TableEngine(const Settings& settings) : settings_(settings) {}

  [[nodiscard]] std::unique_ptr<Lanes> make_lanes(std::uint32_t window) const override {
    return std::make_unique<TableLanes>(*this, window);
  }
  [[nodiscard]] std::size_t lanes_max(std::uint32_t) const override { return settings_.lanes_max; }
  [[nodiscard]] BatchShape batch_shape(std::size_t) const override { return settings_.shape; }
  [[nodiscard]] bool can_rerun() const override { return settings_.can_rerun; }
  [[nodiscard]] std::size_t logit_stride() const override { return settings_.vocabulary_size + 5; }
  [[nodiscard]] const kernels::DistributionKernels& distribution_kernels() const override {
    return kernels::kReferenceKernels;
  }

  // The most rows that a run has had, and the most passes that there were of one set of lanes.
  [[nodiscard]] std::size_t rows_max() const { return rows_max_; }
  [[nodiscard]] std::size_t passes_max() const { return passes_max_; }

  // The table: the same for every lane and position.
  [[nodiscard]] float logit(TokenId previous, TokenId last, std::uint32_t token) const {
    const std::uint32_t hash =
        (static_cast<std::uint32_t>(previous) * 31 + static_cast<std::uint32_t>(last) * 7 + token) * 2654435761u;
    return static_cast<float>(hash >> 20) / 512.0f;
  }

 private:
  struct Lane {
    std::vector<TokenId> tokens;  // that it has read
  };

  class TablePass : public Pass {
   public:
    TablePass(const TableEngine& engine, std::vector<Lane>& lanes) : engine_(engine), lanes_(lanes) {}

    void run(std::span<const Row> rows) override {
      ASSERT_FALSE(rows.empty());
      contexts_.clear();
      for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
        while (end < rows.size() && rows[end].lane == rows[begin].lane) ++end;
        for (std::size_t r = end; r < rows.size(); ++r)
          EXPECT_NE(rows[r].lane, rows[begin].lane) << "lanes stand together";
        run_lane(rows.subspan(begin, end - begin));
      }
      const std::lock_guard lock(engine_.mutex_);
      engine_.rows_max_ = std::max(engine_.rows_max_, rows.size());
    }

    void logits(std::span<const std::uint32_t> rows, float* out) override {
      EXPECT_LE(rows.size(), std::max<std::size_t>(engine_.settings_.shape.logit_rows, lanes_.size()));
      for (const std::uint32_t row : rows) {
        ASSERT_LT(row, contexts_.size());
        for (std::uint32_t token = 0; token < engine_.settings_.vocabulary_size; ++token) {
          out[token] = engine_.logit(contexts_[row].first, contexts_[row].second, token);
        }
        out += engine_.logit_stride();
      }
    }

   private:
    void run_lane(std::span<const Row> rows) {
      ASSERT_LT(rows[0].lane, lanes_.size());
      EXPECT_LE(rows.size(), engine_.settings_.shape.chunk_max);
      std::vector<TokenId>& tokens = lanes_[rows[0].lane].tokens;
      if (rows[0].position == 0) tokens.clear();
      ASSERT_LE(rows[0].position, tokens.size()) << "a lane has read all positions before";
      EXPECT_TRUE(engine_.settings_.can_rerun || rows[0].position == tokens.size()) << "no position is read again";
      tokens.resize(rows[0].position);
      for (const Row& row : rows) {
        EXPECT_EQ(row.position, tokens.size()) << "positions ascend without a gap";
        EXPECT_TRUE(row.token >= 0 && static_cast<std::uint32_t>(row.token) < engine_.settings_.vocabulary_size);
        contexts_.emplace_back(tokens.empty() ? 0 : tokens.back(), row.token);
        tokens.push_back(row.token);
      }
    }

    const TableEngine& engine_;
    std::vector<Lane>& lanes_;
    std::vector<std::pair<TokenId, TokenId>> contexts_;  // of the last run's rows
  };

  class TableLanes : public Lanes {
   public:
    TableLanes(const TableEngine& engine, std::uint32_t window) : engine_(engine) { EXPECT_GT(window, 0u); }
    Status reserve(std::size_t lane_count, std::uint64_t, ErrorCode excess_code) override {
      if (lane_count > engine_.settings_.lanes_max) return Error{excess_code, "too many lanes"};
      lanes_.assign(lane_count, {});
      pass_count_ = 0;
      return {};
    }
    std::unique_ptr<Pass> make_pass(bool uses_all_threads) override {
      ++pass_count_;
      EXPECT_TRUE(!uses_all_threads || pass_count_ == 1) << "it is the only one";
      engine_.passes_max_ = std::max(engine_.passes_max_, pass_count_);
      return std::make_unique<TablePass>(engine_, lanes_);
    }

   private:
    const TableEngine& engine_;
    std::vector<Lane> lanes_;
    std::size_t pass_count_ = 0;
  };

  Settings settings_;
  mutable std::mutex mutex_;
  mutable std::size_t rows_max_ = 0;
  mutable std::size_t passes_max_ = 0;
};

}  // namespace tacit::test
