// SPDX-License-Identifier: MIT
// An engine that lets another do its work and counts what it is asked for.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/engine.h"

namespace tacit::test {

struct Counts {
  std::uint64_t runs = 0;
  std::uint64_t rows = 0;
};

// For one thread.
class CountingEngine : public Engine {
 public:
  explicit CountingEngine(const Engine& engine) : engine_(engine) {}

  [[nodiscard]] const Counts& counts() const { return counts_; }

  [[nodiscard]] std::unique_ptr<Lanes> make_lanes(std::uint32_t window) const override {
    return std::make_unique<CountingLanes>(engine_.make_lanes(window), counts_);
  }
  [[nodiscard]] std::size_t lanes_max(std::uint32_t window) const override { return engine_.lanes_max(window); }
  [[nodiscard]] BatchShape batch_shape(std::size_t lane_count) const override {
    return engine_.batch_shape(lane_count);
  }
  [[nodiscard]] bool can_rerun() const override { return engine_.can_rerun(); }
  [[nodiscard]] std::size_t logit_stride() const override { return engine_.logit_stride(); }
  [[nodiscard]] const kernels::DistributionKernels& distribution_kernels() const override {
    return engine_.distribution_kernels();
  }

 private:
  class CountingPass : public Pass {
   public:
    CountingPass(std::unique_ptr<Pass> pass, Counts& counts) : pass_(std::move(pass)), counts_(counts) {}
    void run(std::span<const Row> rows) override {
      ++counts_.runs;
      counts_.rows += rows.size();
      pass_->run(rows);
    }
    void logits(std::span<const std::uint32_t> rows, float* out) override { pass_->logits(rows, out); }

   private:
    std::unique_ptr<Pass> pass_;
    Counts& counts_;
  };
  class CountingLanes : public Lanes {
   public:
    CountingLanes(std::unique_ptr<Lanes> lanes, Counts& counts) : lanes_(std::move(lanes)), counts_(counts) {}
    Status reserve(std::size_t lane_count, std::uint64_t step_count, ErrorCode excess_code) override {
      return lanes_->reserve(lane_count, step_count, excess_code);
    }
    std::unique_ptr<Pass> make_pass(bool uses_all_threads) override {
      return std::make_unique<CountingPass>(lanes_->make_pass(uses_all_threads), counts_);
    }

   private:
    std::unique_ptr<Lanes> lanes_;
    Counts& counts_;
  };

  const Engine& engine_;
  mutable Counts counts_;
};

}  // namespace tacit::test
