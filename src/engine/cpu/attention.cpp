// SPDX-License-Identifier: MIT
// Attention (arXiv 1706.03762), several query heads to one of keys and values (arXiv 2305.13245), over a band of
// positions that slides.
#include <algorithm>
#include <array>

#include "engine/cpu/forward.h"

namespace tacit {

using kernels::kTile;

namespace {

// Per thread: they keep their memory from call to call.
struct Scratch {
  QuantizedMatrix queries;
  RowMatrix scores;
  RowMatrix modified;
};
Scratch& scratch() {
  thread_local Scratch scratch;
  return scratch;
}

// The slots of the positions from `first` to `position`, ascending, behind the sink's where that takes part.
struct Attended {
  std::array<kernels::SlotSpan, kernels::kSpansMax> spans;
  std::uint32_t count = 0;
};

Attended attended_slots(const LaneCache& lane, std::uint32_t layer, bool sink, std::uint32_t first,
                        std::uint32_t position) {
  Attended attended;
  const auto add = [&](std::uint32_t begin, std::uint32_t end) { attended.spans[attended.count++] = {begin, end}; };
  if (sink) add(lane.sink_slot(layer), lane.sink_slot(layer) + 1);
  const std::uint32_t begin = lane.slot_of(layer, first);
  const std::uint32_t end = lane.slot_of(layer, position) + 1;
  if (begin < end) {
    add(begin, end);
  } else {
    add(begin, lane.ring(layer));
    add(0, end);
  }
  return attended;
}

}  // namespace

void Forward::attention(std::uint32_t layer) {
  const LayerWeights& weights = model_.weights.layers[layer];
  const LayerConfig& shape = config_.layers[layer];
  query_.resize(row_count(), shape.head_count * config_.head_dim);
  sink_query_.resize(row_count(), shape.head_count * config_.head_dim);
  key_.resize(row_count(), shape.kv_head_count * config_.head_dim);
  value_.resize(row_count(), shape.kv_head_count * config_.value_dim);
  attention_.resize(row_count(), shape.head_count * config_.value_dim);
  multiply({{weights.query, query_}, {weights.key, key_}, {weights.value, value_}});
  if (config_.qkv_clamp > 0) {
    for (RowMatrix* matrix : {&query_, &key_, &value_}) clamp(*matrix, config_.qkv_clamp);
  }
  normalize_heads(weights.query_norm, shape.head_count, query_);
  normalize_heads(weights.key_norm, shape.kv_head_count, key_);
  // A lane's keys and values are stored before its rows attend; lanes are independent of each other.
  const std::uint32_t head_width = shape.head_count * (config_.head_dim + config_.value_dim);
  for_each(row_count(), row_work(row_count(), head_width), [&](std::uint32_t r) { rotate_and_store(layer, r); });
  const std::uint64_t attention_work = std::uint64_t{row_count()} * window_ * head_width;
  for_each(static_cast<std::uint32_t>(lane_rows_.size()) * shape.kv_head_count, attention_work,
           [&](std::uint32_t task) {
             attend_head(layer, lane_rows_[task / shape.kv_head_count], task % shape.kv_head_count);
           });
  set_input(attention_, row_count());
  multiply(weights.attention_output, projected_);
}

void Forward::clamp(RowMatrix& x, float limit) const {
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    for (std::uint32_t i = 0; i < x.width(); ++i) x.row(r)[i] = std::clamp(x.row(r)[i], -limit, limit);
  }
}

void Forward::normalize_heads(const HeadNorm& norm, std::uint32_t head_count, RowMatrix& x) {
  if (norm.scope == HeadNorm::Scope::kNone) return;
  if (norm.scope == HeadNorm::Scope::kWhole) return normalize(norm.norms[0], x, x);
  const std::uint32_t dim = config_.head_dim;
  for_each(row_count(), row_work(row_count(), x.width()), [&](std::uint32_t r) {
    for (std::uint32_t h = 0; h < head_count; ++h) {
      const Norm& own = norm.norms[norm.scope == HeadNorm::Scope::kPerHead ? h : 0];
      normalize_part(own, config_.norm_epsilon, dim, x.row(r) + h * dim);
    }
  });
}

void Forward::rotate(const Rotations& rotations, std::uint32_t entry, std::uint32_t head_count, float* x) const {
  const auto pair_count = static_cast<std::uint32_t>(rotations.pair_count());
  const float* cosine = rotations.cosines.data() + std::size_t{entry} * pair_count;
  const float* sine = rotations.sines.data() + std::size_t{entry} * pair_count;
  const bool halves = config_.family->positions == Positions::kRopeHalves;
  (halves ? kernels_.rotate_halves : kernels_.rotate_pairs)(x, head_count, config_.head_dim, pair_count, cosine, sine);
}

void Forward::rotate_and_store(std::uint32_t layer, std::uint32_t r) {
  const LayerConfig& shape = config_.layers[layer];
  const Row& row = rows_[r];
  const bool reads_sink = attention_span(layer, row.position).sink;
  if (reads_sink) std::copy_n(query_.row(r), query_.width(), sink_query_.row(r));
  if (shape.rotates) {
    const Rotations& rotations = rotations_[shape.rope];
    if (reads_sink) rotate(rotations, 0, shape.head_count, sink_query_.row(r));
    rotate(rotations, rotation_of_row_[r], shape.head_count, query_.row(r));
    rotate(rotations, rotation_of_row_[r], shape.kv_head_count, key_.row(r));
  }
  for (std::uint32_t head = 0; head < shape.kv_head_count; ++head) {
    lanes_[row.lane].store(kernels_, layer, head, row.position, key_.row(r) + head * config_.head_dim,
                           value_.row(r) + head * config_.value_dim);
  }
}

Forward::AttentionSpan Forward::attention_span(std::uint32_t layer, std::uint32_t position) const {
  if (config_.learns_positions()) return {position / window_ * window_, false};
  const std::uint32_t own = config_.layers[layer].window;
  if (own != 0 && own <= window_) return {position >= own ? position - own + 1 : 0, false};
  // The sink takes one of the window's places.
  return position >= window_ ? AttentionSpan{position - window_ + 2, true} : AttentionSpan{0, false};
}

// All query heads that share one key and value head, for the rows of one lane. A query is two int8 rows, itself and
// what quantisation left of it: keys are read once for both, and the scores are as good as those of a int16 query.
void Forward::attend_head(std::uint32_t layer, const LaneRows& lane_rows, std::uint32_t kv_head) {
  const LayerConfig& shape = config_.layers[layer];
  const LaneCache& lane = lane_of(lane_rows.begin);
  const std::uint32_t group = shape.head_count / shape.kv_head_count;
  RowMatrix& scores = scratch().scores;
  scores.resize(2 * (lane_rows.end - lane_rows.begin) * group, lane.slot_count(layer));
  score_band(lane_rows, layer, kv_head, scores);
  if (attention_span(layer, rows_[lane_rows.end - 1].position).sink) score_sink(lane_rows, layer, kv_head, scores);

  const std::vector<float>& sinks = model_.weights.layers[layer].sinks;
  kernels::AttentionHead head;
  head.score_stride = 2 * scores.stride();
  head.query_count = group;
  head.scale = modifies_scores() ? 1.0f : config_.attention_scale;
  head.value_dim = config_.value_dim;
  head.values = lane.values(layer, kv_head);
  head.value_scales = lane.value_scales(layer, kv_head);
  head.value_scale_stride = lane.slot_count(layer);
  head.sinks = sinks.empty() ? nullptr : &sinks[kv_head * group];
  for (std::uint32_t r = lane_rows.begin; r < lane_rows.end; ++r) {
    const AttentionSpan span = attention_span(layer, rows_[r].position);
    const Attended attended = attended_slots(lane, layer, span.sink, span.first, rows_[r].position);
    const std::uint32_t first_row = 2 * (r - lane_rows.begin) * group;
    head.scores = scores.row(first_row);
    head.residual_scores = scores.row(first_row + 1);
    head.spans = attended.spans.data();
    head.span_count = attended.count;
    for (std::uint32_t i = 0; modifies_scores() && i < group; ++i) {
      modify_scores(kv_head * group + i, span, rows_[r].position, {head.spans, head.span_count},
                    scores.row(first_row + 2 * i), scores.row(first_row + 2 * i + 1));
    }
    kernels_.attend(head, attention_.row(r) + std::size_t{kv_head} * group * config_.value_dim);
  }
}

bool Forward::modifies_scores() const { return config_.attention_cap != 0.0f || !alibi_slopes_.empty(); }

// Makes the scores final where they are more than products: soft cap (arXiv 2408.00118) and ALiBi bias (2108.12409).
// They are added up, scaled and stay in `scores`; nothing is left in `residual_scores`.
void Forward::modify_scores(std::uint32_t head, const AttentionSpan& attended, std::uint32_t position,
                            std::span<const kernels::SlotSpan> spans, float* scores, float* residual_scores) const {
  std::uint32_t distance = position - attended.first;  // of the first slot of the next span
  RowMatrix& modified = scratch().modified;                 // a row of its own, since kernels write the padding
  modified.resize(1, scratch().scores.width());
  float* x = modified.row(0);
  for (const kernels::SlotSpan& span : spans) {
    const std::uint32_t count = span.end - span.begin;
    for (std::uint32_t s = 0; s < count; ++s) {
      x[s] = (scores[span.begin + s] + residual_scores[span.begin + s]) * config_.attention_scale;
      residual_scores[span.begin + s] = 0.0f;
    }
    if (config_.attention_cap != 0.0f) kernels_.soft_cap(x, count, config_.attention_cap);
    if (!alibi_slopes_.empty()) {
      const bool is_sink = attended.sink && &span == spans.data();
      const std::uint32_t farthest = is_sink ? window_ - 1 : distance;
      for (std::uint32_t s = 0; s < count; ++s) x[s] = x[s] - alibi_slopes_[head] * static_cast<float>(farthest - s);
      if (!is_sink) distance -= count;
    }
    std::copy_n(x, count, scores + span.begin);
  }
}

void Forward::quantize_queries(const LaneRows& lane_rows, const RowMatrix& queries, std::uint32_t layer,
                               std::uint32_t kv_head, QuantizedMatrix& out) {
  const std::uint32_t group = config_.layers[layer].head_count / config_.layers[layer].kv_head_count;
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
  const LaneCache& lane = lane_of(lane_rows.begin);
  const std::uint32_t group = config_.layers[layer].head_count / config_.layers[layer].kv_head_count;
  QuantizedMatrix& queries = scratch().queries;
  quantize_queries(lane_rows, query_, layer, kv_head, queries);
  const kernels::PackedMatrix keys = lane.keys(layer, kv_head);
  const auto score = [&](std::uint32_t begin_slot, std::uint32_t end_slot) {
    kernels_.matmul(keys, begin_slot / kTile, (end_slot + kTile - 1) / kTile, queries.rows(0),
                    2 * (lane_rows.end - lane_rows.begin) * group, scores.row(0), scores.stride());
  };
  const std::uint32_t first = attention_span(layer, rows_[lane_rows.begin].position).first;
  const std::uint32_t begin = lane.slot_of(layer, first);
  const std::uint32_t end = lane.slot_of(layer, rows_[lane_rows.end - 1].position) + 1;
  if (begin < end) return score(begin, end);
  score(begin, lane.ring(layer));
  score(0, end);
}

void Forward::score_sink(const LaneRows& lane_rows, std::uint32_t layer, std::uint32_t kv_head, RowMatrix& scores) {
  const LaneCache& lane = lane_of(lane_rows.begin);
  LaneRows late = lane_rows;
  while (!attention_span(layer, rows_[late.begin].position).sink) ++late.begin;
  const std::uint32_t group = config_.layers[layer].head_count / config_.layers[layer].kv_head_count;
  QuantizedMatrix& queries = scratch().queries;
  quantize_queries(late, sink_query_, layer, kv_head, queries);
  const std::uint32_t tile = lane.sink_slot(layer) / kTile;
  kernels_.matmul(lane.keys(layer, kv_head), tile, tile + 1, queries.rows(0), 2 * (late.end - late.begin) * group,
                  scores.row(2 * (late.begin - lane_rows.begin) * group), scores.stride());
}

}  // namespace tacit
