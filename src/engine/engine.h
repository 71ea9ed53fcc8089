// SPDX-License-Identifier: MIT
// The seam between what is computed and what computes it. An engine runs a model on some device: it makes lanes, which
// remember a text each, runs rows of them through the model, and hands out logits. Its bits are those of
// spec/numeric.md on every device, however rows are batched; what differs between engines is speed, and the batches
// that they like. Whoever codes or draws text sees this header only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/token.h"

namespace tacit {

namespace kernels {
struct DistributionKernels;
}

// One position of one lane, with the token that the model reads there.
struct Row {
  std::uint32_t lane = 0;
  std::uint32_t position = 0;
  TokenId token = 0;
};

// How an engine likes the work for some lanes to be cut. It changes no bit.
struct BatchShape {
  std::uint32_t pass_count = 1;  // passes side by side, a thread and a share of the lanes each
  std::uint32_t row_count = 1;  // rows of one run, of all lanes of a pass, from which on weights are read seldom enough
  std::uint32_t chunk_max = 1;   // most positions of a lane in one run
  std::uint32_t logit_rows = 1;  // rows whose logits are found at once
  double row_cost = 1;           // what one more row of a run of few costs, in runs of one row
};

// Runs rows of some lanes. Used by one thread at a time; valid until the lanes are reserved anew.
class Pass {
 public:
  virtual ~Pass() = default;

  // Runs rows through the model. Those of one lane stand together, positions ascending without a gap, at most
  // BatchShape::chunk_max of them; the lane has run all positions before. Position 0 begins a new text. Tokens are in
  // [0, vocabulary size).
  virtual void run(std::span<const Row> rows) = 0;

  // Logits of some rows of the last run, by their numbers in it: out[i * stride + token]; stride is
  // Engine::logit_stride().
  virtual void logits(std::span<const std::uint32_t> rows, float* out) = 0;
};

// The memory of texts that run side by side, kept from one use to the next.
class Lanes {
 public:
  virtual ~Lanes() = default;

  // Room for `lane_count` lanes of up to `step_count` positions each, numbered from 0. Errors: `excess_code` where they
  // take more than limits::kCacheBytesMax.
  virtual Status reserve(std::size_t lane_count, std::uint64_t step_count, ErrorCode excess_code) = 0;

  // A pass over any of them. `uses_all_threads`: shares the work of each operation among the engine's threads, for a
  // caller that has no other pass at work.
  virtual std::unique_ptr<Pass> make_pass(bool uses_all_threads) = 0;
};

// A model on a device. Immutable; its lanes and passes refer to it.
class Engine {
 public:
  virtual ~Engine() = default;

  // Lanes whose positions attend to the last `window` ones.
  [[nodiscard]] virtual std::unique_ptr<Lanes> make_lanes(std::uint32_t window) const = 0;
  // Most lanes of that window that there is room for; at least 1.
  [[nodiscard]] virtual std::size_t lanes_max(std::uint32_t window) const = 0;
  [[nodiscard]] virtual BatchShape batch_shape(std::size_t lane_count) const = 0;
  // Whether a position may run again after later ones, as drafts ask for: states of recurrent models know no way back.
  [[nodiscard]] virtual bool can_rerun() const = 0;
  // Floats from a row of logits to the next; at least the vocabulary size.
  [[nodiscard]] virtual std::size_t logit_stride() const = 0;
  // What makes frequencies of logits in the host's memory.
  [[nodiscard]] virtual const kernels::DistributionKernels& distribution_kernels() const = 0;
};

}  // namespace tacit
