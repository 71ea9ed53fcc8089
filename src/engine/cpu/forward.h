// SPDX-License-Identifier: MIT
// The forward pass over any batch of rows: one row is one position of one lane. Prefill is many rows of a lane, a
// decoding step one row of each of many lanes; a row's bits depend on its lane's tokens only, never on the batch.
// Knows models and caches, not symbols or codes. forward.cpp is a layer as the papers draw it, attention.cpp,
// ffn_experts.cpp and recurrent.cpp are its parts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "engine/cpu/cache.h"
#include "engine/cpu/kernels/kernels.h"
#include "engine/cpu/packed_weights.h"
#include "engine/cpu/row_matrix.h"
#include "engine/engine.h"
#include "model/model.h"

namespace tacit {

class Forward {
 public:
  // Positions attend to the last `window` positions: themselves, those before, and position 0 in the place of all
  // that are further away (with learned positions the text starts anew every `window` of them instead). `pool` (may be
  // null) shares out the work inside of each operation. The arguments must outlive the object, which is used by one
  // thread at a time.
  Forward(const Model& model, const PackedWeights& weights, const kernels::Kernels& kernels, std::uint32_t window,
          ThreadPool* pool);

  // Runs the rows through all layers; `lanes` are the caches that their numbers count. Rows of one lane stand together,
  // positions ascending without a gap; the lane has seen all positions before them, and no more than the chunk that its
  // cache was made for come at once. Tokens are in [0, vocabulary_size).
  void run(std::span<LaneCache> lanes, std::span<const Row> rows);

  // Logits of some rows of the last run into out, out_stride floats a row; out_stride is a multiple of kTile and at
  // least the vocabulary.
  void logits(std::span<const std::uint32_t> rows, float* out, std::size_t out_stride);

 private:
  struct LaneRows {  // rows [begin, end) belong to one lane
    std::uint32_t begin;
    std::uint32_t end;
  };

  // The sines and cosines of one of Config::ropes, by distinct position of the run. Entry 0 is the sink's distance.
  struct Rotations {
    const std::vector<double>* frequencies = nullptr;
    double magnitude = 1;
    std::vector<float> cosines;
    std::vector<float> sines;

    [[nodiscard]] std::size_t pair_count() const { return frequencies->size(); }
    void set(std::uint32_t entry, std::uint32_t position);
  };

  // What a position attends to in one layer.
  struct AttentionSpan {
    std::uint32_t first;  // all from here to itself,
    bool sink;            // and position 0
  };

  void begin_run();
  void embed();
  void prepare_rotations();
  void layer(std::uint32_t layer);

  // attention.cpp: from the current input into projected_.
  void attention(std::uint32_t layer);
  void clamp(RowMatrix& x, float limit) const;
  void normalize_heads(const HeadNorm& norm, std::uint32_t head_count, RowMatrix& x);
  void rotate_and_store(std::uint32_t layer, std::uint32_t row);
  void rotate(const Rotations& rotations, std::uint32_t entry, std::uint32_t head_count, float* x) const;
  void attend_head(std::uint32_t layer, const LaneRows& lane_rows, std::uint32_t kv_head);
  void score_band(const LaneRows& lane_rows, std::uint32_t layer, std::uint32_t kv_head, RowMatrix& scores);
  void score_sink(const LaneRows& lane_rows, std::uint32_t layer, std::uint32_t kv_head, RowMatrix& scores);
  void quantize_queries(const LaneRows& lane_rows, const RowMatrix& queries, std::uint32_t layer,
                        std::uint32_t kv_head, QuantizedMatrix& out);
  [[nodiscard]] bool modifies_scores() const;
  void modify_scores(std::uint32_t head, const AttentionSpan& attended, std::uint32_t position,
                     std::span<const kernels::SlotSpan> spans, float* scores, float* residual_scores) const;
  [[nodiscard]] AttentionSpan attention_span(std::uint32_t layer, std::uint32_t position) const;

  // ffn_experts.cpp: from the current input, which is `input`, into ffn_out_.
  void mixture_of_experts(const LayerWeights& weights, const RowMatrix& input);
  void run_expert(const Ffn& expert, std::uint32_t number, const RowMatrix& input);
  void add_shared_experts(const LayerWeights& weights, const RowMatrix& input);

  // recurrent.cpp
  void rwkv_layer(std::uint32_t layer);
  void rwkv6_time_mix(std::uint32_t layer);
  void rwkv7_time_mix(std::uint32_t layer);
  void rwkv_channel_mix(std::uint32_t layer);
  void mamba_layer(std::uint32_t layer);
  void normalize_selected(const MambaWeights& weights);
  // Into `difference`: what the position before has, less what this one has.
  void shift(const RowMatrix& x, std::uint32_t layer, std::uint32_t state_offset, RowMatrix& difference);
  void interpolate(const Lerp& lerp, RowMatrix& out);
  void low_rank(const LowRank& weights, float (*middle)(float), RowMatrix& out);
  void normalize_outputs(const std::vector<Norm>& norms, RowMatrix& x);
  // body(row of the first lane position, row behind the last, the lane's state), for each lane.
  void for_each_lane(std::uint32_t layer, std::uint64_t work,
                     const std::function<void(std::uint32_t, std::uint32_t, float*)>& body);

  // The current input through one feed-forward network into `out`, for the first `row_count` rows.
  void feed_forward(const Ffn& ffn, std::uint32_t row_count, RowMatrix& out);
  void activate(const Ffn& ffn, std::uint32_t row_count);

  // Each row of x into the same row of out, which may be x.
  void normalize(const Norm& norm, const RowMatrix& x, RowMatrix& out);
  void normalize_row(const Norm& norm, float epsilon, const float* x, std::uint32_t width, float* out) const;
  // `size` floats in the middle of a row, in place.
  void normalize_part(const Norm& norm, float epsilon, std::uint32_t size, float* x) const;
  // The input of the multiply calls that follow; each quantised form of it is made when first needed.
  void set_input(const RowMatrix& x, std::uint32_t row_count);
  const QuantizedMatrix& input_as(kernels::WeightFormat format);
  struct Product {
    const Linear& linear;
    RowMatrix& out;
  };
  // Products of the same input, in one fork and join of the threads.
  void multiply(std::initializer_list<Product> products);
  void multiply(const Linear& linear, RowMatrix& out) { multiply({{linear, out}}); }
  void multiply_tiles(const Product& product, std::uint32_t first_tile, std::uint32_t end_tile);
  void add_to_residual(RowMatrix& x);
  // body(0) to body(count - 1), shared out among the pool's threads where all of it is `work` multiply-adds or so and
  // that is enough to pay for a barrier.
  void for_each(std::uint32_t count, std::uint64_t work, const std::function<void(std::uint32_t)>& body);
  [[nodiscard]] const kernels::PackedMatrix& packed(const Linear& linear) const { return packed_[linear.matrix]; }
  [[nodiscard]] LaneCache& lane_of(std::uint32_t row) { return lanes_[rows_[row].lane]; }
  [[nodiscard]] std::uint32_t row_count() const { return static_cast<std::uint32_t>(rows_.size()); }

  const Model& model_;
  const PackedWeights& packed_;
  const Config& config_;
  const kernels::Kernels& kernels_;
  const std::uint32_t window_;
  ThreadPool* pool_;

  std::span<LaneCache> lanes_;
  std::span<const Row> rows_;
  std::vector<LaneRows> lane_rows_;
  std::vector<std::uint32_t> rotation_of_row_;
  std::vector<Rotations> rotations_;  // one for each of Config::ropes
  std::vector<float> alibi_slopes_;   // one a head; empty: none

  RowMatrix residual_;     // [rows, width]
  RowMatrix normalized_;   // [rows, width]
  RowMatrix ffn_normalized_;  // [rows, width] where attention and ffn run side by side
  RowMatrix query_;        // [rows, head_count * head_dim], at their own rotation
  RowMatrix sink_query_;   // the same at the sink's distance
  RowMatrix key_;          // [rows, kv_head_count * head_dim]
  RowMatrix value_;        // [rows, kv_head_count * value_dim]
  RowMatrix attention_;    // [rows, head_count * value_dim]
  RowMatrix projected_;    // [rows, width]
  RowMatrix gate_;         // [rows, ffn_width]
  RowMatrix up_;           // [rows, ffn_width]
  RowMatrix ffn_out_;      // [rows, width]
  const RowMatrix* input_ = nullptr;
  std::uint32_t input_rows_ = 0;
  QuantizedMatrix int8_input_;
  QuantizedMatrix int16_input_;
  bool int8_ready_ = false;
  bool int16_ready_ = false;
  QuantizedMatrix output_input_;  // of the rows whose logits are asked for

  // Of ffn_experts.cpp.
  struct Choice {
    std::uint32_t row;
    float weight;
  };
  RowMatrix router_;      // [rows, expert_count]
  RowMatrix expert_in_;   // [rows of one ffn expert, width]
  RowMatrix expert_out_;  // the same
  std::vector<std::vector<Choice>> choices_;  // by expert, rows ascending

  // Of recurrent.cpp, each [rows, width] unless it says otherwise.
  struct Recurrence {
    RowMatrix difference, mixed, low, receptance, key, value, decay, gate, out;
    RowMatrix rate, key_unit, first_value;  // RWKV-7
    RowMatrix channels, selected, step;     // Mamba: [rows, 2 * inner], [rows, rank + 2 * state], [rows, inner]
  };
  Recurrence recurrence_;
};

// Multiply-adds that take as long as a product of one to a few rows, whose speed is that of memory: a byte of weights
// takes as long as some six of the multiply-adds that large products are made of.
inline std::uint64_t product_work(std::uint32_t row_count, const Linear& linear, const kernels::PackedMatrix& packed) {
  return std::max<std::uint64_t>(row_count * linear.multiply_adds(), 6 * packed_bytes(packed));
}

// An element of a row that is normalised, rotated or quantised takes about as long as so many multiply-adds.
inline std::uint64_t row_work(std::uint32_t row_count, std::uint32_t width) {
  return std::uint64_t{16} * row_count * width;
}

}  // namespace tacit
