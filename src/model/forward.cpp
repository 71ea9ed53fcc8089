// SPDX-License-Identifier: MIT
#include "model/forward.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "numeric/double_math.h"

namespace tacit {

using kernels::kBlock;
using kernels::kTile;

void RowMatrix::resize(std::uint32_t row_count, std::uint32_t width) {
  stride_ = kernels::round_up(width, kBlock);
  // Only growth clears: kernels keep the padding zero, and every operation writes its rows before they are read.
  if (data_.size() < row_count * stride_) data_.assign(row_count * stride_, 0.0f);
}

void QuantizedMatrix::resize(std::uint32_t row_count, std::uint32_t width, bool wide) {
  width_ = width;
  wide_ = wide;
  block_count_ = kernels::round_up(width, kBlock) / kBlock;
  const std::size_t blocks = static_cast<std::size_t>(row_count) * block_count_;
  if (wide && wide_values_.size() < blocks * kBlock) wide_values_.resize(blocks * kBlock);
  if (!wide && narrow_.size() < blocks * kBlock) narrow_.resize(blocks * kBlock);
  if (scales_.size() < blocks) scales_.resize(blocks);
  if (sums_.size() < blocks) sums_.resize(blocks);
}

void QuantizedMatrix::quantize(const kernels::Kernels& kernels, const float* x, std::uint32_t row) {
  const std::size_t block = static_cast<std::size_t>(row) * block_count_;
  if (wide_) {
    kernels.quantize_wide(x, width_, wide_values_.data() + block * kBlock, scales_.data() + block);
  } else {
    kernels.quantize_narrow(x, width_, narrow_.data() + block * kBlock, scales_.data() + block, sums_.data() + block);
  }
}

void QuantizedMatrix::quantize_with_residual(const kernels::Kernels& kernels, const float* x, std::uint32_t row) {
  quantize(kernels, x, row);
  residual_.resize(width_);
  const std::size_t block = static_cast<std::size_t>(row) * block_count_;
  for (std::uint32_t i = 0; i < width_; ++i) {
    residual_[i] = x[i] - static_cast<float>(narrow_[block * kBlock + i]) * scales_[block + i / kBlock];
  }
  quantize(kernels, residual_.data(), row + 1);
}

kernels::QuantizedRows QuantizedMatrix::rows(std::uint32_t first) const {
  const std::size_t block = static_cast<std::size_t>(first) * block_count_;
  return {wide_ ? nullptr : narrow_.data() + block * kBlock, wide_ ? wide_values_.data() + block * kBlock : nullptr,
          scales_.data() + block, sums_.data() + block};
}

namespace {

// An element of a row that is normalised, rotated or quantised takes about as long as so many multiply-adds.
std::uint64_t row_work(std::uint32_t row_count, std::uint32_t width) { return std::uint64_t{16} * row_count * width; }

}  // namespace

Forward::Forward(const Model& model, const kernels::Kernels& kernels, std::uint32_t window, ThreadPool* pool)
    : model_(model),
      config_(model.config),
      kernels_(kernels),
      window_(window),
      pair_count_(model.config.rope_dim / 2),
      pool_(pool) {
  cosines_.resize(pair_count_);
  sines_.resize(pair_count_);
  set_rotation(0, window_ - 1);
}

void Forward::run(std::span<const Row> rows) {
  rows_ = rows;
  begin_run();
  embed();
  for (std::uint32_t layer = 0; layer < config_.layer_count; ++layer) {
    attention_block(layer);
    ffn_block(layer);
  }
  normalize(residual_, model_.weights.output_norm);
}

void Forward::logits(std::span<const std::uint32_t> rows, float* out, std::size_t out_stride) {
  const Linear& linear = model_.weights.output;
  const auto count = static_cast<std::uint32_t>(rows.size());
  output_input_.resize(count, linear.input_count, linear.packed.format == kernels::WeightFormat::kWide);
  for_each(count, row_work(count, config_.width), [&](std::uint32_t r) { output_input_.quantize(kernels_, normalized_.row(rows[r]), r); });
  const std::uint32_t tile_count = linear.packed.tile_count();
  constexpr std::uint32_t kTilesPerTask = 16;
  const std::uint64_t work = std::uint64_t{count} * linear.input_count * linear.packed.output_count;
  for_each((tile_count + kTilesPerTask - 1) / kTilesPerTask, work, [&](std::uint32_t task) {
    const std::uint32_t begin = task * kTilesPerTask;
    kernels_.matmul(linear.packed, begin, std::min(begin + kTilesPerTask, tile_count), output_input_.rows(0), count, out,
                    out_stride);
  });
  if (linear.bias.empty()) return;
  for (std::uint32_t r = 0; r < count; ++r) {
    kernels_.add(linear.bias.data(), config_.vocabulary_size, out + r * out_stride);
  }
}

void Forward::begin_run() {
  const auto row_count = static_cast<std::uint32_t>(rows_.size());
  lane_rows_.clear();
  for (std::uint32_t r = 0; r < row_count; ++r) {
    if (r == 0 || rows_[r].lane != rows_[r - 1].lane) lane_rows_.push_back({r, r});
    lane_rows_.back().end = r + 1;
  }
  const Config& c = config_;
  residual_.resize(row_count, c.width);
  normalized_.resize(row_count, c.width);
  query_.resize(row_count, c.head_count * c.head_dim);
  sink_query_.resize(row_count, c.head_count * c.head_dim);
  key_.resize(row_count, c.kv_head_count * c.head_dim);
  value_.resize(row_count, c.kv_head_count * c.value_dim);
  attention_.resize(row_count, c.head_count * c.value_dim);
  projected_.resize(row_count, c.width);
  gate_.resize(row_count, c.ffn_width);
  up_.resize(row_count, c.ffn_width);
  prepare_rotations();
}

void Forward::embed() {
  for (std::uint32_t r = 0; r < rows_.size(); ++r) {
    model_.weights.embed(static_cast<std::uint32_t>(rows_[r].token), residual_.row(r));
  }
}

// One rotation for each distinct position of the run. Lanes in lockstep share theirs, so few are computed.
void Forward::prepare_rotations() {
  rotation_of_row_.resize(rows_.size());
  std::vector<std::uint32_t> positions{window_ - 1};  // of the rotations, by index
  for (std::uint32_t r = 0; r < rows_.size(); ++r) {
    const std::uint32_t position = rows_[r].position;
    const auto known = std::find(positions.begin() + 1, positions.end(), position);
    rotation_of_row_[r] = static_cast<std::uint32_t>(known - positions.begin());
    if (known != positions.end()) continue;
    positions.push_back(position);
    cosines_.resize(positions.size() * pair_count_);
    sines_.resize(positions.size() * pair_count_);
    set_rotation(rotation_of_row_[r], position);
  }
}

void Forward::set_rotation(std::uint32_t rotation, std::uint32_t position) {
  for (std::uint32_t i = 0; i < pair_count_; ++i) {
    const numeric::SinCos angle = numeric::sin_cos(position * config_.rope_frequencies[i]);
    cosines_[rotation * pair_count_ + i] = static_cast<float>(angle.cosine * config_.rope_magnitude);
    sines_[rotation * pair_count_ + i] = static_cast<float>(angle.sine * config_.rope_magnitude);
  }
}

void Forward::attention_block(std::uint32_t layer) {
  const LayerWeights& weights = model_.weights.layers[layer];
  normalize(residual_, weights.attention_norm);
  set_input(normalized_, config_.width);
  multiply(weights.query, query_);
  multiply(weights.key, key_);
  multiply(weights.value, value_);
  // A lane's keys and values are stored before its rows attend; lanes are independent of each other.
  const auto row_count = static_cast<std::uint32_t>(rows_.size());
  const std::uint32_t head_width = config_.head_count * (config_.head_dim + config_.value_dim);
  for_each(row_count, row_work(row_count, head_width), [&](std::uint32_t r) { rotate_and_store(layer, r); });
  const std::uint64_t attention_work = std::uint64_t{row_count} * window_ * head_width;
  for_each(static_cast<std::uint32_t>(lane_rows_.size()) * config_.kv_head_count, attention_work, [&](std::uint32_t task) {
    attend_head(layer, lane_rows_[task / config_.kv_head_count], task % config_.kv_head_count);
  });
  set_input(attention_, config_.head_count * config_.value_dim);
  multiply(weights.attention_output, projected_);
  add_to_residual(projected_);
}

void Forward::rotate_and_store(std::uint32_t layer, std::uint32_t r) {
  const Config& c = config_;
  const Row& row = rows_[r];
  const std::uint32_t rotation = rotation_of_row_[r];
  if (row.position >= window_) {
    std::copy_n(query_.row(r), c.head_count * c.head_dim, sink_query_.row(r));
    kernels_.rotate_pairs(sink_query_.row(r), c.head_count, c.head_dim, pair_count_, cosine(0), sine(0));
  }
  kernels_.rotate_pairs(query_.row(r), c.head_count, c.head_dim, pair_count_, cosine(rotation), sine(rotation));
  kernels_.rotate_pairs(key_.row(r), c.kv_head_count, c.head_dim, pair_count_, cosine(rotation), sine(rotation));
  for (std::uint32_t head = 0; head < c.kv_head_count; ++head) {
    row.lane->store(kernels_, layer, head, row.position, key_.row(r) + head * c.head_dim,
                    value_.row(r) + head * c.value_dim);
  }
}

namespace {

// What position `position` attends to: the slots of its band, ascending, and the sink before them once the band has
// left position 0 behind.
struct Attended {
  std::array<kernels::SlotSpan, kernels::kSpansMax> spans;
  std::uint32_t count = 0;
};

Attended attended_slots(const LaneCache& lane, std::uint32_t position, std::uint32_t window) {
  Attended attended;
  const auto add = [&](std::uint32_t begin, std::uint32_t end) { attended.spans[attended.count++] = {begin, end}; };
  std::uint32_t first = 0;
  if (position >= window) {
    add(lane.sink_slot(), lane.sink_slot() + 1);
    first = position - window + 2;  // the sink takes one of the window's places
  }
  const std::uint32_t begin = lane.slot_of(first);
  const std::uint32_t end = lane.slot_of(position) + 1;
  if (begin < end) {
    add(begin, end);
  } else {
    add(begin, lane.ring());
    add(0, end);
  }
  return attended;
}

// Per thread: they keep their memory from call to call.
struct AttentionScratch {
  QuantizedMatrix queries;
  RowMatrix scores;
};
AttentionScratch& attention_scratch() {
  thread_local AttentionScratch scratch;
  return scratch;
}

}  // namespace

// All query heads that share one key and value head, for the rows of one lane. A query is two narrow rows, itself and
// what quantisation left of it: keys are read once for both, and the scores are as good as those of a wide query.
void Forward::attend_head(std::uint32_t layer, const LaneRows& lane_rows, std::uint32_t kv_head) {
  const Config& c = config_;
  const LaneCache& lane = *rows_[lane_rows.begin].lane;
  const std::uint32_t group = c.head_count / c.kv_head_count;
  RowMatrix& scores = attention_scratch().scores;
  scores.resize(2 * (lane_rows.end - lane_rows.begin) * group, lane.slot_count());
  score_band(lane_rows, layer, kv_head, scores);
  if (rows_[lane_rows.end - 1].position >= window_) score_sink(lane_rows, layer, kv_head, scores);

  kernels::AttentionHead head;
  head.scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  head.value_dim = c.value_dim;
  head.values = lane.values(layer, kv_head);
  head.value_scales = lane.value_scales(layer, kv_head);
  head.value_scale_stride = lane.slot_count();
  for (std::uint32_t r = lane_rows.begin; r < lane_rows.end; ++r) {
    const Attended attended = attended_slots(lane, rows_[r].position, window_);
    head.spans = attended.spans.data();
    head.span_count = attended.count;
    for (std::uint32_t i = 0; i < group; ++i) {
      const std::uint32_t score_row = 2 * ((r - lane_rows.begin) * group + i);
      head.scores = scores.row(score_row);
      head.residual_scores = scores.row(score_row + 1);
      kernels_.attend(head, attention_.row(r) + (kv_head * group + i) * c.value_dim);
    }
  }
}

void Forward::quantize_queries(const LaneRows& lane_rows, const RowMatrix& queries, std::uint32_t kv_head,
                               QuantizedMatrix& out) {
  const std::uint32_t group = config_.head_count / config_.kv_head_count;
  out.resize(2 * (lane_rows.end - lane_rows.begin) * group, config_.head_dim, false);
  for (std::uint32_t r = lane_rows.begin; r < lane_rows.end; ++r) {
    for (std::uint32_t i = 0; i < group; ++i) {
      out.quantize_with_residual(kernels_, queries.row(r) + (kv_head * group + i) * config_.head_dim,
                                 2 * ((r - lane_rows.begin) * group + i));
    }
  }
}

// Scores of every slot that one of the rows attends to, sink left out: at most two runs of tiles.
void Forward::score_band(const LaneRows& lane_rows, std::uint32_t layer, std::uint32_t kv_head, RowMatrix& scores) {
  const LaneCache& lane = *rows_[lane_rows.begin].lane;
  const std::uint32_t group = config_.head_count / config_.kv_head_count;
  QuantizedMatrix& queries = attention_scratch().queries;
  quantize_queries(lane_rows, query_, kv_head, queries);
  const kernels::PackedMatrix keys = lane.keys(layer, kv_head);
  const auto score = [&](std::uint32_t begin_slot, std::uint32_t end_slot) {
    kernels_.matmul(keys, begin_slot / kTile, (end_slot + kTile - 1) / kTile, queries.rows(0),
                    2 * (lane_rows.end - lane_rows.begin) * group, scores.row(0), scores.stride());
  };
  const std::uint32_t first_position = rows_[lane_rows.begin].position;
  const std::uint32_t first = first_position >= window_ ? first_position - window_ + 2 : 0;
  const std::uint32_t begin = lane.slot_of(first);
  const std::uint32_t end = lane.slot_of(rows_[lane_rows.end - 1].position) + 1;
  if (begin < end) return score(begin, end);
  score(begin, lane.ring());
  score(0, end);
}

void Forward::score_sink(const LaneRows& lane_rows, std::uint32_t layer, std::uint32_t kv_head, RowMatrix& scores) {
  const LaneCache& lane = *rows_[lane_rows.begin].lane;
  LaneRows late = lane_rows;
  while (rows_[late.begin].position < window_) ++late.begin;
  const std::uint32_t group = config_.head_count / config_.kv_head_count;
  QuantizedMatrix& queries = attention_scratch().queries;
  quantize_queries(late, sink_query_, kv_head, queries);
  const std::uint32_t tile = lane.sink_slot() / kTile;
  kernels_.matmul(lane.keys(layer, kv_head), tile, tile + 1, queries.rows(0), 2 * (late.end - late.begin) * group,
                  scores.row(2 * (late.begin - lane_rows.begin) * group), scores.stride());
}

void Forward::ffn_block(std::uint32_t layer) {
  const LayerWeights& weights = model_.weights.layers[layer];
  normalize(residual_, weights.ffn_norm);
  set_input(normalized_, config_.width);
  multiply(weights.gate, gate_);
  multiply(weights.up, up_);
  const auto row_count = static_cast<std::uint32_t>(rows_.size());
  for_each(row_count, row_work(row_count, config_.ffn_width), [&](std::uint32_t r) {
    kernels_.swiglu(gate_.row(r), up_.row(r), config_.ffn_width, gate_.row(r));
  });
  set_input(gate_, config_.ffn_width);
  multiply(weights.down, projected_);
  add_to_residual(projected_);
}

void Forward::normalize(const RowMatrix& x, const std::vector<float>& weight) {
  const auto row_count = static_cast<std::uint32_t>(rows_.size());
  for_each(row_count, row_work(row_count, config_.width), [&](std::uint32_t r) {
    kernels_.rms_norm(x.row(r), weight.data(), config_.width, config_.norm_epsilon, normalized_.row(r));
  });
}

void Forward::set_input(const RowMatrix& x, std::uint32_t width) {
  input_ = &x;
  input_width_ = width;
  narrow_ready_ = false;
  wide_ready_ = false;
}

const QuantizedMatrix& Forward::input_as(kernels::WeightFormat format) {
  const bool wide = format == kernels::WeightFormat::kWide;
  QuantizedMatrix& input = wide ? wide_input_ : narrow_input_;
  bool& ready = wide ? wide_ready_ : narrow_ready_;
  if (ready) return input;
  const auto row_count = static_cast<std::uint32_t>(rows_.size());
  input.resize(row_count, input_width_, wide);
  for_each(row_count, row_work(row_count, input_width_), [&](std::uint32_t r) { input.quantize(kernels_, input_->row(r), r); });
  ready = true;
  return input;
}

void Forward::multiply(const Linear& linear, RowMatrix& out) {
  const auto row_count = static_cast<std::uint32_t>(rows_.size());
  const kernels::QuantizedRows input = input_as(linear.packed.format).rows(0);
  const std::uint32_t tile_count = linear.packed.tile_count();
  const std::uint32_t task_count = pool_ == nullptr ? 1 : std::min(tile_count, 4 * pool_->thread_count());
  const std::uint64_t work = std::uint64_t{row_count} * linear.input_count * linear.packed.output_count;
  for_each(task_count, work, [&](std::uint32_t task) {
    kernels_.matmul(linear.packed, tile_count * task / task_count, tile_count * (task + 1) / task_count, input,
                    row_count, out.row(0), out.stride());
  });
  if (linear.bias.empty()) return;
  for (std::uint32_t r = 0; r < row_count; ++r) kernels_.add(linear.bias.data(), linear.packed.output_count, out.row(r));
}

void Forward::add_to_residual(const RowMatrix& x) {
  for (std::uint32_t r = 0; r < rows_.size(); ++r) kernels_.add(x.row(r), config_.width, residual_.row(r));
}

void Forward::for_each(std::uint32_t count, std::uint64_t work, const std::function<void(std::uint32_t)>& body) {
  constexpr std::uint64_t kWorthSharing = 2'000'000;  // some twenty microseconds of one thread
  if (pool_ != nullptr && count > 1 && work >= kWorthSharing) return pool_->run(count, body);
  for (std::uint32_t i = 0; i < count; ++i) body(i);
}

}  // namespace tacit
