// SPDX-License-Identifier: MIT
#include "engine/cpu/forward.h"

#include <algorithm>

#include "numeric/double_math.h"
#include "numeric/exp.h"

namespace tacit {

using kernels::kTile;

namespace {

void scale_row(float* x, std::uint32_t count, float scale) {
  for (std::uint32_t i = 0; i < count; ++i) x[i] = x[i] * scale;
}

// Slopes of ALiBi (arXiv 2108.12409, section 3, and its code for head counts that are no power of two): a geometric
// sequence from 2^(-bias / n) for the largest power of two n in the head count, then every other term of the sequence
// for 2n.
std::vector<float> alibi_slopes(std::uint32_t head_count, double bias) {
  std::uint32_t n = 1;
  while (2 * n <= head_count) n *= 2;
  std::vector<float> slopes;
  for (std::uint32_t head = 0; head < head_count; ++head) {
    const double exponent = head < n ? bias / n * (head + 1) : bias / (2.0 * n) * (2 * (head - n) + 1);
    slopes.push_back(static_cast<float>(numeric::power(2.0, -exponent)));
  }
  return slopes;
}

void squared_relu(float* x, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) x[i] = x[i] > 0.0f ? x[i] * x[i] : 0.0f;
}

// The gated activation of gpt-oss (openai/gpt-oss, torch/model.py: swiglu).
void clamped_swiglu(const float* gate, const float* up, std::uint32_t count, float* out) {
  constexpr float kLimit = 7.0f;
  constexpr float kSteepness = 1.702f;
  for (std::uint32_t i = 0; i < count; ++i) {
    const float g = std::min(gate[i], kLimit);
    const float u = std::clamp(up[i], -kLimit, kLimit);
    out[i] = (g / (1.0f + numeric::exp(-(kSteepness * g)))) * (u + 1.0f);
  }
}

}  // namespace

Forward::Forward(const Model& model, const PackedWeights& weights, const kernels::Kernels& kernels,
                 std::uint32_t window, ThreadPool* pool)
    : model_(model), packed_(weights), config_(model.config), kernels_(kernels), window_(window), pool_(pool) {
  for (const Rope& rope : config_.ropes) {
    rotations_.push_back({&rope.frequencies_for(window), rope.magnitude, {}, {}});
    rotations_.back().set(0, window_ - 1);
  }
  if (config_.alibi_bias > 0) {
    alibi_slopes_ = alibi_slopes(config_.heads_max(), static_cast<double>(config_.alibi_bias));
  }
}

void Forward::run(std::span<LaneCache> lanes, std::span<const Row> rows) {
  lanes_ = lanes;
  rows_ = rows;
  begin_run();
  embed();
  for (std::uint32_t l = 0; l < config_.layer_count; ++l) layer(l);
  normalize(model_.weights.output_norm, residual_, normalized_);
}

void Forward::layer(std::uint32_t layer) {
  const LayerWeights& weights = model_.weights.layers[layer];
  if (config_.family->mixer == Mixer::kMamba) return mamba_layer(layer);
  if (config_.is_recurrent()) return rwkv_layer(layer);
  const RowMatrix* ffn_input = &normalized_;
  if (config_.parallel && weights.ffn_norm.present) {
    normalize(weights.ffn_norm, residual_, ffn_normalized_);
    ffn_input = &ffn_normalized_;
  }
  normalize(weights.attention_norm, residual_, normalized_);
  if (weights.second_norm.present) {  // the ffn reads the first one
    normalize(weights.second_norm, residual_, ffn_normalized_);
    set_input(ffn_normalized_, row_count());
  } else {
    set_input(normalized_, row_count());
  }
  attention(layer);
  if (weights.post_attention_norm.present) normalize(weights.post_attention_norm, projected_, projected_);
  add_to_residual(projected_);

  if (!config_.parallel) normalize(weights.ffn_norm, residual_, normalized_);
  if (weights.experts.empty()) {
    set_input(*ffn_input, row_count());
    feed_forward(weights.ffn, row_count(), ffn_out_);
  } else {
    mixture_of_experts(weights, *ffn_input);
  }
  if (weights.post_ffn_norm.present) normalize(weights.post_ffn_norm, ffn_out_, ffn_out_);
  add_to_residual(ffn_out_);
}

void Forward::logits(std::span<const std::uint32_t> rows, float* out, std::size_t out_stride) {
  const Linear& linear = model_.weights.output;
  const kernels::PackedMatrix& matrix = packed(linear);
  const auto count = static_cast<std::uint32_t>(rows.size());
  output_input_.resize(count, linear.input_count, matrix.format == kernels::WeightFormat::kInt16);
  for_each(count, row_work(count, config_.width), [&](std::uint32_t r) {
    output_input_.quantize(kernels_, normalized_.row(rows[r]), r);
  });
  const std::uint32_t tile_count = matrix.tile_count();
  constexpr std::uint32_t kTilesPerTask = 16;
  const std::uint64_t work = count * linear.multiply_adds();
  for_each((tile_count + kTilesPerTask - 1) / kTilesPerTask, work, [&](std::uint32_t task) {
    const std::uint32_t begin = task * kTilesPerTask;
    kernels_.matmul(matrix, begin, std::min(begin + kTilesPerTask, tile_count), output_input_.rows(0), count, out,
                    out_stride);
  });
  const std::uint32_t vocabulary = config_.vocabulary_size;
  if (linear.bias.empty() && config_.logit_scale == 1.0f && config_.logit_cap == 0.0f) return;
  for_each(count, row_work(count, vocabulary), [&](std::uint32_t r) {
    float* logits = out + r * out_stride;
    if (!linear.bias.empty()) kernels_.add(linear.bias.data(), vocabulary, logits);
    if (config_.logit_scale != 1.0f) scale_row(logits, vocabulary, config_.logit_scale);
    if (config_.logit_cap != 0.0f) kernels_.soft_cap(logits, vocabulary, config_.logit_cap);
  });
}

void Forward::begin_run() {
  lane_rows_.clear();
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    if (r == 0 || rows_[r].lane != rows_[r - 1].lane) lane_rows_.push_back({r, r});
    lane_rows_.back().end = r + 1;
  }
  for (RowMatrix* matrix : {&residual_, &normalized_, &ffn_normalized_, &projected_, &ffn_out_}) {
    matrix->resize(row_count(), config_.width);
  }
  prepare_rotations();
  if (!config_.is_recurrent()) return;
  for (const LaneRows& lane : lane_rows_) {
    if (rows_[lane.begin].position == 0) lane_of(lane.begin).clear_states();
  }
}

void Forward::embed() {
  const Weights& weights = model_.weights;
  std::vector<float> position(config_.width);
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    float* x = residual_.row(r);
    read_row(weights.embedding, static_cast<std::uint32_t>(rows_[r].token), x);
    if (config_.embedding_scale != 1.0f) scale_row(x, config_.width, config_.embedding_scale);
    if (!config_.learns_positions()) continue;
    read_row(weights.positions, rows_[r].position % window_, position.data());
    for (std::uint32_t i = 0; i < config_.width; ++i) x[i] = x[i] + position[i];
  }
  if (weights.embedding_norm.present) normalize(weights.embedding_norm, residual_, residual_);
}

// One rotation for each distinct position of the run. Lanes in lockstep share theirs, so few are computed.
void Forward::prepare_rotations() {
  if (rotations_.empty()) return;
  rotation_of_row_.resize(row_count());
  std::vector<std::uint32_t> positions{window_ - 1};  // of the rotations, by entry
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    const std::uint32_t position = rows_[r].position;
    const auto known = std::find(positions.begin() + 1, positions.end(), position);
    rotation_of_row_[r] = static_cast<std::uint32_t>(known - positions.begin());
    if (known != positions.end()) continue;
    positions.push_back(position);
    for (Rotations& rotations : rotations_) rotations.set(rotation_of_row_[r], position);
  }
}

void Forward::Rotations::set(std::uint32_t entry, std::uint32_t position) {
  const std::size_t begin = entry * pair_count();
  if (cosines.size() < begin + pair_count()) {
    cosines.resize(begin + pair_count());
    sines.resize(begin + pair_count());
  }
  for (std::size_t i = 0; i < pair_count(); ++i) {
    const numeric::SinCos angle = numeric::sin_cos(position * (*frequencies)[i]);
    cosines[begin + i] = static_cast<float>(angle.cosine * magnitude);
    sines[begin + i] = static_cast<float>(angle.sine * magnitude);
  }
}

void Forward::feed_forward(const Ffn& ffn, std::uint32_t rows, RowMatrix& out) {
  const std::uint32_t ffn_width = ffn.down.input_count;
  up_.resize(rows, ffn_width);
  if (ffn.gated()) {
    gate_.resize(rows, ffn_width);
    multiply({{ffn.up, up_}, {ffn.gate, gate_}});
  } else {
    multiply(ffn.up, up_);
  }
  activate(ffn, rows);
  set_input(ffn.gated() ? gate_ : up_, rows);
  multiply(ffn.down, out);
}

// The activation, into gate_ where there is one, else in place.
void Forward::activate(const Ffn& ffn, std::uint32_t rows) {
  const std::uint32_t width = ffn.down.input_count;
  for_each(rows, row_work(rows, width), [&](std::uint32_t r) {
    float* gate = gate_.row(r);
    float* up = up_.row(r);
    switch (config_.family->activation) {
      case Activation::kSilu: return kernels_.swiglu(gate, up, width, gate);
      case Activation::kGelu: return ffn.gated() ? kernels_.geglu(gate, up, width, gate) : kernels_.gelu(up, width);
      case Activation::kSquaredRelu: return squared_relu(up, width);
      case Activation::kClampedSwiglu: return clamped_swiglu(gate, up, width, gate);
    }
  });
}

void Forward::normalize(const Norm& norm, const RowMatrix& x, RowMatrix& out) {
  const std::uint32_t width = x.width();
  for_each(row_count(), row_work(row_count(), width), [&](std::uint32_t r) {
    if (norm.present) {
      normalize_row(norm, config_.norm_epsilon, x.row(r), width, out.row(r));
    } else {
      std::copy_n(x.row(r), width, out.row(r));
    }
  });
}

void Forward::normalize_row(const Norm& norm, float epsilon, const float* x, std::uint32_t width, float* out) const {
  if (config_.family->norm == NormKind::kRms) {
    kernels_.rms_norm(x, norm.weight.data(), width, epsilon, out);
  } else {
    const float* bias = norm.bias.empty() ? nullptr : norm.bias.data();
    kernels_.layer_norm(x, norm.weight.data(), bias, width, epsilon, out);
  }
}

void Forward::normalize_part(const Norm& norm, float epsilon, std::uint32_t size, float* x) const {
  thread_local RowMatrix part;  // a row of its own, since norms read and write the padding
  part.resize(1, size);
  std::copy_n(x, size, part.row(0));
  normalize_row(norm, epsilon, part.row(0), size, part.row(0));
  std::copy_n(part.row(0), size, x);
}

void Forward::set_input(const RowMatrix& x, std::uint32_t row_count) {
  input_ = &x;
  input_rows_ = row_count;
  int8_ready_ = false;
  int16_ready_ = false;
}

const QuantizedMatrix& Forward::input_as(kernels::WeightFormat format) {
  const bool is_int16 = format == kernels::WeightFormat::kInt16;
  QuantizedMatrix& input = is_int16 ? int16_input_ : int8_input_;
  bool& ready = is_int16 ? int16_ready_ : int8_ready_;
  if (ready) return input;
  input.resize(input_rows_, input_->width(), is_int16);
  for_each(input_rows_, row_work(input_rows_, input_->width()),
           [&](std::uint32_t r) { input.quantize(kernels_, input_->row(r), r); });
  ready = true;
  return input;
}

void Forward::multiply(std::initializer_list<Product> products) {
  std::uint32_t tile_count = 0;
  std::uint64_t work = 0;
  for (const auto& [linear, out] : products) {
    const kernels::PackedMatrix& matrix = packed(linear);
    input_as(matrix.format);  // here, because it forks and joins itself
    tile_count += matrix.tile_count();
    work += product_work(input_rows_, linear, matrix);
  }
  // Each task takes its share of all tiles, laid one product behind the other.
  const std::uint32_t task_count = pool_ == nullptr ? 1 : std::min(tile_count, 4 * pool_->thread_count());
  for_each(task_count, work, [&](std::uint32_t task) {
    const auto begin = static_cast<std::uint32_t>(std::uint64_t{tile_count} * task / task_count);
    const auto end = static_cast<std::uint32_t>(std::uint64_t{tile_count} * (task + 1) / task_count);
    std::uint32_t first = 0;  // tile of the product
    for (const Product& product : products) {
      const std::uint32_t behind = first + packed(product.linear).tile_count();
      if (begin < behind && first < end) {
        multiply_tiles(product, std::max(begin, first) - first, std::min(end, behind) - first);
      }
      first = behind;
    }
  });
  for (const auto& [linear, out] : products) {
    if (linear.bias.empty()) continue;
    for (std::uint32_t r = 0; r < input_rows_; ++r) {
      kernels_.add(linear.bias.data(), linear.output_count, out.row(r));
    }
  }
}

void Forward::multiply_tiles(const Product& product, std::uint32_t first_tile, std::uint32_t end_tile) {
  const kernels::PackedMatrix& matrix = packed(product.linear);
  kernels_.matmul(matrix, first_tile, end_tile, input_as(matrix.format).rows(0), input_rows_, product.out.row(0),
                  product.out.stride());
}

void Forward::add_to_residual(RowMatrix& x) {
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    if (config_.residual_scale != 1.0f) scale_row(x.row(r), config_.width, config_.residual_scale);
    kernels_.add(x.row(r), config_.width, residual_.row(r));
  }
}

void Forward::for_each(std::uint32_t count, std::uint64_t work, const std::function<void(std::uint32_t)>& body) {
  constexpr std::uint64_t kParallelWorkMin = 2'000'000;  // some twenty microseconds of one thread
  if (pool_ != nullptr && count > 1 && work >= kParallelWorkMin) return pool_->run(count, body);
  for (std::uint32_t i = 0; i < count; ++i) body(i);
}

}  // namespace tacit
