// SPDX-License-Identifier: MIT
// The forward pass over any batch of rows: one row is one position of one lane. Prefill is many rows of a lane, a
// decoding step one row of each of many lanes; a row's bits depend on its lane's tokens alone, never on the batch.
// Knows models and caches, not symbols or codes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/cache.h"
#include "model/model.h"

namespace tacit {

struct Row {
  LaneCache* lane = nullptr;
  std::uint32_t position = 0;
  TokenId token = 0;
};

// Row-major floats whose rows are padded with zeros to a multiple of kBlock.
class RowMatrix {
 public:
  void resize(std::uint32_t row_count, std::uint32_t width);
  [[nodiscard]] float* row(std::uint32_t r) { return data_.data() + r * stride_; }
  [[nodiscard]] const float* row(std::uint32_t r) const { return data_.data() + r * stride_; }
  [[nodiscard]] std::size_t stride() const { return stride_; }

 private:
  std::vector<float> data_;
  std::size_t stride_ = 0;
};

// Rows as the kernels multiply them, narrow or wide.
class QuantizedMatrix {
 public:
  void resize(std::uint32_t row_count, std::uint32_t width, bool wide);
  void quantize(const kernels::Kernels& kernels, const float* x, std::uint32_t row);
  // Quantises x into `row` and what that left of x, x - q * scale, into row + 1. Narrow only.
  void quantize_with_residual(const kernels::Kernels& kernels, const float* x, std::uint32_t row);
  [[nodiscard]] kernels::QuantizedRows rows(std::uint32_t first) const;

 private:
  std::uint32_t width_ = 0;
  std::uint32_t block_count_ = 0;
  bool wide_ = false;
  std::vector<std::int8_t> narrow_;
  std::vector<std::int16_t> wide_values_;
  std::vector<float> scales_;
  std::vector<std::int32_t> sums_;
  std::vector<float> residual_;
};

class Forward {
 public:
  // Positions attend to the last `window` positions: themselves, those before, and position 0 in the place of all
  // that are further away. `pool` (may be null) shares out the work inside of each operation. The arguments must
  // outlive the object, which is used by one thread at a time.
  Forward(const Model& model, const kernels::Kernels& kernels, std::uint32_t window, ThreadPool* pool);

  // Runs the rows through all layers. Rows of one lane stand together, positions ascending without a gap; the lane
  // has seen all positions before them, and no more than the chunk that its cache was made for come at once. Tokens
  // are in [0, vocabulary_size).
  void run(std::span<const Row> rows);

  // Logits of some rows of the last run into out, out_stride floats a row; out_stride is a multiple of kTile and at
  // least the vocabulary.
  void logits(std::span<const std::uint32_t> rows, float* out, std::size_t out_stride);

 private:
  struct LaneRows {  // rows [begin, end) belong to one lane
    std::uint32_t begin;
    std::uint32_t end;
  };

  void begin_run();
  void embed();
  void prepare_rotations();
  void attention_block(std::uint32_t layer);
  void ffn_block(std::uint32_t layer);
  void rotate_and_store(std::uint32_t layer, std::uint32_t row);
  void attend_head(std::uint32_t layer, const LaneRows& lane_rows, std::uint32_t kv_head);
  void score_band(const LaneRows& lane_rows, std::uint32_t layer, std::uint32_t kv_head, RowMatrix& scores);
  void score_sink(const LaneRows& lane_rows, std::uint32_t layer, std::uint32_t kv_head, RowMatrix& scores);
  void quantize_queries(const LaneRows& lane_rows, const RowMatrix& queries, std::uint32_t kv_head,
                        QuantizedMatrix& out);
  void normalize(const RowMatrix& x, const std::vector<float>& weight);
  // The input of the multiply calls that follow; each quantised form of it is made when first needed.
  void set_input(const RowMatrix& x, std::uint32_t width);
  const QuantizedMatrix& input_as(kernels::WeightFormat format);
  void multiply(const Linear& linear, RowMatrix& out);
  void add_to_residual(const RowMatrix& x);
  // body(0) to body(count - 1), shared out among the pool's threads where all of it is `work` multiply-adds or so and
  // that is enough to pay for their meeting.
  void for_each(std::uint32_t count, std::uint64_t work, const std::function<void(std::uint32_t)>& body);

  [[nodiscard]] const float* cosine(std::uint32_t rotation) const { return cosines_.data() + rotation * pair_count_; }
  [[nodiscard]] const float* sine(std::uint32_t rotation) const { return sines_.data() + rotation * pair_count_; }
  void set_rotation(std::uint32_t rotation, std::uint32_t position);

  const Model& model_;
  const Config& config_;
  const kernels::Kernels& kernels_;
  const std::uint32_t window_;
  const std::uint32_t pair_count_;
  ThreadPool* pool_;

  std::span<const Row> rows_;
  std::vector<LaneRows> lane_rows_;
  std::vector<std::uint32_t> rotation_of_row_;  // index into cosines_ and sines_; entry 0 is the sink's distance
  std::vector<float> cosines_;
  std::vector<float> sines_;

  RowMatrix residual_;     // [rows, width]
  RowMatrix normalized_;   // [rows, width]
  RowMatrix query_;        // [rows, head_count * head_dim], at their own rotation
  RowMatrix sink_query_;   // the same at the sink's distance
  RowMatrix key_;          // [rows, kv_head_count * head_dim]
  RowMatrix value_;        // [rows, kv_head_count * value_dim]
  RowMatrix attention_;    // [rows, head_count * value_dim]
  RowMatrix projected_;    // [rows, width]
  RowMatrix gate_;         // [rows, ffn_width]
  RowMatrix up_;           // [rows, ffn_width]
  const RowMatrix* input_ = nullptr;
  std::uint32_t input_width_ = 0;
  QuantizedMatrix narrow_input_;
  QuantizedMatrix wide_input_;
  bool narrow_ready_ = false;
  bool wide_ready_ = false;
  QuantizedMatrix output_input_;  // of the rows whose logits are asked for
};

}  // namespace tacit
