// SPDX-License-Identifier: MIT
// Layers that carry a state instead of attending: RWKV-6 (arXiv 2404.05892), RWKV-7 (arXiv 2503.14456) and Mamba
// (arXiv 2312.00752). Matrices see all rows at once, as everywhere; the states walk through the rows of their lane one
// by one. A lane's state is zero before position 0. States lie so that the inner loops run over independent sums: each
// sum's terms come in ascending order.
#include <algorithm>
#include <cmath>

#include "engine/cpu/forward.h"
#include "numeric/double_math.h"
#include "numeric/exp.h"

namespace tacit {
namespace {

constexpr float kHeadNormEpsilon = 64e-5f;
constexpr float kUnitEpsilon = 1e-12f;
constexpr float kDecayScale = -0.606531f;  // RWKV-7: -exp(-1/2), decays stay above exp of it

float identity(float x) { return x; }
float squared_relu(float x) { return x > 0.0f ? x * x : 0.0f; }

// log(1 + exp(x)); x itself where exp would be large.
float softplus(float x) {
  constexpr float kLinearFrom = 20.0f;
  if (x > kLinearFrom || x != x) return x;
  const double e = numeric::exp(std::max(static_cast<double>(x), -80.0));
  // The series' first terms below 2^-26, where 1 + e rounds most of e away.
  return static_cast<float>(e < 0x1p-26 ? e : numeric::log(1.0 + e));
}

template <class Function>
void map(float* x, std::uint32_t count, Function function) {
  for (std::uint32_t i = 0; i < count; ++i) x[i] = function(x[i]);
}

// One position of one head of RWKV-6: out = (S + bonus k v^T)^T r, S = decay S + k v^T. `state` is [size, size], a row
// for each number of the key.
void wkv6(const float* r, const float* k, const float* v, const float* decay, const float* bonus, std::uint32_t size,
          float* state, float* out) {
  std::fill_n(out, size, 0.0f);
  for (std::uint32_t i = 0; i < size; ++i, state += size) {
    for (std::uint32_t j = 0; j < size; ++j) {
      const float kv = k[i] * v[j];
      out[j] = out[j] + r[i] * (state[j] + bonus[i] * kv);
      state[j] = decay[i] * state[j] + kv;
    }
  }
}

// One position of one head of RWKV-7: S = S decay + (S a) b^T + v k^T, out = S r. `state` is the transpose of S: a row
// for each number of the key. `scratch` has room for `size` numbers.
void wkv7(const float* r, const float* k, const float* v, const float* decay, const float* a, const float* b,
          std::uint32_t size, float* state, float* scratch, float* out) {
  std::fill_n(scratch, size, 0.0f);
  std::fill_n(out, size, 0.0f);
  for (std::uint32_t j = 0; j < size; ++j) {
    for (std::uint32_t i = 0; i < size; ++i) scratch[i] = scratch[i] + state[j * size + i] * a[j];
  }
  for (std::uint32_t j = 0; j < size; ++j) {
    float* row = state + j * size;
    for (std::uint32_t i = 0; i < size; ++i) {
      row[i] = (row[i] * decay[j] + v[i] * k[j]) + scratch[i] * b[j];
      out[i] = out[i] + row[i] * r[j];
    }
  }
}

}  // namespace

void Forward::rwkv_layer(std::uint32_t layer) {
  const LayerWeights& weights = model_.weights.layers[layer];
  for (RowMatrix* matrix : {&recurrence_.difference, &recurrence_.mixed, &recurrence_.receptance, &recurrence_.key,
                            &recurrence_.value, &recurrence_.decay, &recurrence_.gate, &recurrence_.out,
                            &recurrence_.rate, &recurrence_.key_unit, &recurrence_.first_value}) {
    matrix->resize(row_count(), config_.width);
  }
  normalize(weights.attention_norm, residual_, normalized_);
  shift(normalized_, layer, 0, recurrence_.difference);
  config_.family->mixer == Mixer::kRwkv6 ? rwkv6_time_mix(layer) : rwkv7_time_mix(layer);
  add_to_residual(projected_);
  normalize(weights.ffn_norm, residual_, normalized_);
  shift(normalized_, layer, config_.width, recurrence_.difference);
  rwkv_channel_mix(layer);
  add_to_residual(ffn_out_);
  const std::uint32_t period = config_.recurrent.rescale_period;
  if (period == 0 || (layer + 1) % period != 0) return;
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    map(residual_.row(r), config_.width, [](float x) { return x * 0.5f; });
  }
}

void Forward::rwkv6_time_mix(std::uint32_t layer) {
  const RwkvWeights& w = model_.weights.layers[layer].rwkv;
  Recurrence& s = recurrence_;
  const std::uint32_t width = config_.width;
  const std::uint32_t rank = config_.recurrent.extra_dim;
  interpolate(w.lerp_x, s.mixed);
  RowMatrix& low = s.channels;
  low.resize(row_count(), w.lerp_down.output_count);
  set_input(s.mixed, row_count());
  multiply(w.lerp_down, low);
  for (std::uint32_t r = 0; r < row_count(); ++r) map(low.row(r), low.width(), numeric::tanh);
  // mixed = x + difference * (lerp + up(its part of low)), for one input after the other.
  const auto mix = [&](std::uint32_t input) {
    s.low.resize(row_count(), rank);
    for (std::uint32_t r = 0; r < row_count(); ++r) std::copy_n(low.row(r) + input * rank, rank, s.low.row(r));
    set_input(s.low, row_count());
    multiply(w.lerp_up[input], s.mixed);
    for (std::uint32_t r = 0; r < row_count(); ++r) {
      float* mixed = s.mixed.row(r);
      const float* x = normalized_.row(r);
      for (std::uint32_t i = 0; i < width; ++i) {
        mixed[i] = (mixed[i] + w.lerps[input][i]) * s.difference.row(r)[i] + x[i];
      }
    }
    set_input(s.mixed, row_count());
  };
  enum : std::uint32_t { kDecay, kKey, kValue, kReceptance, kGate };
  mix(kDecay);
  low_rank(w.decay, numeric::tanh, s.decay);
  mix(kKey);
  multiply(w.key, s.key);
  mix(kValue);
  multiply(w.value, s.value);
  mix(kReceptance);
  multiply(w.receptance, s.receptance);
  mix(kGate);
  multiply(w.gate, s.gate);
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    map(s.decay.row(r), width, [](float x) { return numeric::exp(-numeric::exp(x)); });
    map(s.gate.row(r), width, numeric::silu);
  }
  const std::uint32_t size = config_.recurrent.head_size;
  for_each_lane(layer, std::uint64_t{2} * row_count() * width * size,
                [&](std::uint32_t begin, std::uint32_t end, float* state) {
                  for (std::uint32_t r = begin; r < end; ++r) {
                    for (std::uint32_t h = 0; h < width; h += size) {
                      wkv6(s.receptance.row(r) + h, s.key.row(r) + h, s.value.row(r) + h, s.decay.row(r) + h,
                           w.bonus.data() + h, size, state + (2 * width + h * size), s.out.row(r) + h);
                    }
                  }
                });
  normalize_outputs(w.head_norms, s.out);
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    for (std::uint32_t i = 0; i < width; ++i) s.out.row(r)[i] = s.out.row(r)[i] * s.gate.row(r)[i];
  }
  set_input(s.out, row_count());
  multiply(w.output, projected_);
}

void Forward::rwkv7_time_mix(std::uint32_t layer) {
  const RwkvWeights& w = model_.weights.layers[layer].rwkv;
  Recurrence& s = recurrence_;
  const std::uint32_t width = config_.width;
  const std::uint32_t size = config_.recurrent.head_size;
  const auto mix = [&](std::uint32_t input) {
    interpolate(w.lerps[input], s.mixed);
    set_input(s.mixed, row_count());
  };
  enum : std::uint32_t { kReceptance, kDecay, kKey, kValue, kRate, kGate };
  mix(kReceptance);
  multiply(w.receptance, s.receptance);
  mix(kDecay);
  low_rank(w.decay, numeric::tanh, s.decay);
  mix(kKey);
  multiply(w.key, s.key);
  mix(kValue);
  multiply(w.value, s.value);
  if (layer != 0) low_rank(w.value_mix, identity, s.gate);  // how much of the first layer's value comes in
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    float* value = s.value.row(r);
    float* first = s.first_value.row(r);
    if (layer == 0) std::copy_n(value, width, first);
    for (std::uint32_t i = 0; i < width && layer != 0; ++i) {
      value[i] = value[i] + (first[i] - value[i]) * numeric::sigmoid(s.gate.row(r)[i]);
    }
  }
  mix(kRate);
  low_rank(w.rate, identity, s.rate);
  mix(kGate);
  low_rank(w.gate7, numeric::sigmoid, s.gate);
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    float* key = s.key.row(r);
    float* unit = s.key_unit.row(r);
    float* rate = s.rate.row(r);
    map(s.decay.row(r), width, [](float x) { return numeric::exp(kDecayScale * numeric::sigmoid(x)); });
    for (std::uint32_t i = 0; i < width; ++i) {
      rate[i] = numeric::sigmoid(rate[i]);
      unit[i] = key[i] * w.key_key[i];
      const float ka = key[i] * w.key_rate[i];
      key[i] = key[i] + (rate[i] * ka - ka);
    }
    for (std::uint32_t h = 0; h < width; h += size) {
      float squares = 0.0f;
      for (std::uint32_t i = 0; i < size; ++i) squares = squares + unit[h + i] * unit[h + i];
      const float length = std::max(std::sqrt(squares), kUnitEpsilon);
      for (std::uint32_t i = 0; i < size; ++i) unit[h + i] = unit[h + i] / length;
    }
    // From here on `unit` is a and `rate` is b of the recurrence.
    for (std::uint32_t i = 0; i < width; ++i) {
      rate[i] = unit[i] * rate[i];
      unit[i] = -unit[i];
    }
  }
  for_each_lane(layer, std::uint64_t{3} * row_count() * width * size,
                [&](std::uint32_t begin, std::uint32_t end, float* state) {
                  float scratch[limits::kHeadDimMax];
                  for (std::uint32_t r = begin; r < end; ++r) {
                    for (std::uint32_t h = 0; h < width; h += size) {
                      wkv7(s.receptance.row(r) + h, s.key.row(r) + h, s.value.row(r) + h, s.decay.row(r) + h,
                           s.key_unit.row(r) + h, s.rate.row(r) + h, size, state + (2 * width + h * size), scratch,
                           s.out.row(r) + h);
                    }
                  }
                });
  normalize_outputs(w.head_norms, s.out);
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    float* out = s.out.row(r);
    for (std::uint32_t h = 0; h < width; h += size) {
      float agreement = 0.0f;
      for (std::uint32_t i = h; i < h + size; ++i) {
        agreement = agreement + s.receptance.row(r)[i] * s.key.row(r)[i] * w.receptance_key[i];
      }
      for (std::uint32_t i = h; i < h + size; ++i) {
        out[i] = (out[i] + s.value.row(r)[i] * agreement) * s.gate.row(r)[i];
      }
    }
  }
  set_input(s.out, row_count());
  multiply(w.output, projected_);
}

void Forward::rwkv_channel_mix(std::uint32_t layer) {
  const RwkvWeights& w = model_.weights.layers[layer].rwkv;
  Recurrence& s = recurrence_;
  up_.resize(row_count(), w.channel_value.input_count);
  interpolate(w.channel_lerp_key, s.mixed);
  set_input(s.mixed, row_count());
  multiply(w.channel_key, up_);
  for (std::uint32_t r = 0; r < row_count(); ++r) map(up_.row(r), up_.width(), squared_relu);
  set_input(up_, row_count());
  multiply(w.channel_value, ffn_out_);
  if (config_.family->mixer != Mixer::kRwkv6) return;
  interpolate(w.channel_lerp_receptance, s.mixed);
  set_input(s.mixed, row_count());
  multiply(w.channel_receptance, s.receptance);
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    float* out = ffn_out_.row(r);
    for (std::uint32_t i = 0; i < config_.width; ++i) out[i] = out[i] * numeric::sigmoid(s.receptance.row(r)[i]);
  }
}

void Forward::mamba_layer(std::uint32_t layer) {
  const LayerWeights& weights = model_.weights.layers[layer];
  const MambaWeights& w = weights.mamba;
  Recurrence& s = recurrence_;
  const RecurrentConfig& shape = config_.recurrent;
  const std::uint32_t inner = shape.inner;
  const std::uint32_t kernel = shape.kernel_size;
  s.channels.resize(row_count(), 2 * inner);
  s.mixed.resize(row_count(), inner);
  s.out.resize(row_count(), inner);
  s.step.resize(row_count(), inner);
  s.low.resize(row_count(), shape.step_rank);
  s.selected.resize(row_count(), shape.step_rank + 2 * shape.state_size);
  normalize(weights.attention_norm, residual_, normalized_);
  set_input(normalized_, row_count());
  multiply(w.in, s.channels);
  // The state begins with the last kernel - 1 inputs of the convolution, oldest first.
  for_each_lane(layer, std::uint64_t{kernel} * row_count() * inner,
                [&](std::uint32_t begin, std::uint32_t end, float* state) {
                  for (std::uint32_t r = begin; r < end; ++r) {
                    float* x = s.mixed.row(r);
                    const float* input = s.channels.row(r);
                    std::copy_n(w.convolution_bias.data(), inner, x);
                    for (std::uint32_t k = 0; k < kernel; ++k) {
                      const float* past = k + 1 < kernel ? state + std::size_t{k} * inner : input;
                      const float* weight = w.convolution.data() + std::size_t{k} * inner;
                      for (std::uint32_t i = 0; i < inner; ++i) x[i] = x[i] + past[i] * weight[i];
                    }
                    map(x, inner, numeric::silu);
                    if (kernel == 1) continue;
                    std::copy(state + inner, state + std::size_t{kernel - 1} * inner, state);
                    std::copy_n(input, inner, state + std::size_t{kernel - 2} * inner);
                  }
                });
  set_input(s.mixed, row_count());
  multiply(w.select, s.selected);
  if (w.step_norm.present) normalize_selected(w);
  for (std::uint32_t r = 0; r < row_count(); ++r) std::copy_n(s.selected.row(r), shape.step_rank, s.low.row(r));
  set_input(s.low, row_count());
  multiply(w.step, s.step);
  for_each_lane(
      layer, std::uint64_t{16} * row_count() * inner * shape.state_size,
      [&](std::uint32_t begin, std::uint32_t end, float* state) {
        state += std::size_t{kernel - 1} * inner;
        for (std::uint32_t r = begin; r < end; ++r) {
          float* step = s.step.row(r);
          float* y = s.out.row(r);
          const float* x = s.mixed.row(r);
          const float* in = s.selected.row(r) + shape.step_rank;
          const float* out = in + shape.state_size;
          map(step, inner, softplus);
          std::fill_n(y, inner, 0.0f);
          for (std::uint32_t n = 0; n < shape.state_size; ++n) {
            float* memory = state + std::size_t{n} * inner;
            const float* decay = w.decay.data() + std::size_t{n} * inner;
            for (std::uint32_t i = 0; i < inner; ++i) {
              memory[i] = memory[i] * numeric::exp(step[i] * decay[i]) + in[n] * (x[i] * step[i]);
              y[i] = y[i] + memory[i] * out[n];
            }
          }
          const float* gate = s.channels.row(r) + inner;
          for (std::uint32_t i = 0; i < inner; ++i) y[i] = (y[i] + x[i] * w.skip[i]) * numeric::silu(gate[i]);
        }
      });
  set_input(s.out, row_count());
  multiply(w.out, projected_);
  add_to_residual(projected_);
}

// What a position of Mamba selects, each of its three parts by an RMS norm without weights (arXiv 2410.05355).
void Forward::normalize_selected(const MambaWeights& weights) {
  const RecurrentConfig& shape = config_.recurrent;
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    float* x = recurrence_.selected.row(r);
    normalize_part(weights.step_norm, config_.norm_epsilon, shape.step_rank, x);
    normalize_part(weights.state_norm, config_.norm_epsilon, shape.state_size, x + shape.step_rank);
    normalize_part(weights.state_norm, config_.norm_epsilon, shape.state_size, x + shape.step_rank + shape.state_size);
  }
}

void Forward::shift(const RowMatrix& x, std::uint32_t layer, std::uint32_t state_offset, RowMatrix& difference) {
  const std::uint32_t width = config_.width;
  for_each_lane(layer, row_work(row_count(), width), [&](std::uint32_t begin, std::uint32_t end, float* state) {
    float* last = state + state_offset;
    for (std::uint32_t r = begin; r < end; ++r) {
      for (std::uint32_t i = 0; i < width; ++i) difference.row(r)[i] = last[i] - x.row(r)[i];
      std::copy_n(x.row(r), width, last);
    }
  });
}

void Forward::interpolate(const Lerp& lerp, RowMatrix& out) {
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    const float* x = normalized_.row(r);
    const float* difference = recurrence_.difference.row(r);
    for (std::uint32_t i = 0; i < config_.width; ++i) out.row(r)[i] = difference[i] * lerp[i] + x[i];
  }
}

// up(middle(down(current input))) + base.
void Forward::low_rank(const LowRank& weights, float (*middle)(float), RowMatrix& out) {
  RowMatrix& low = recurrence_.low;
  low.resize(row_count(), weights.up.input_count);
  multiply(weights.down, low);
  for (std::uint32_t r = 0; r < row_count(); ++r) map(low.row(r), low.width(), middle);
  set_input(low, row_count());
  multiply(weights.up, out);
  if (weights.base.empty()) return;
  for (std::uint32_t r = 0; r < row_count(); ++r) kernels_.add(weights.base.data(), config_.width, out.row(r));
}

void Forward::normalize_outputs(const std::vector<Norm>& norms, RowMatrix& x) {
  const std::uint32_t size = config_.recurrent.head_size;
  for (std::uint32_t r = 0; r < row_count(); ++r) {
    for (std::uint32_t h = 0; h < norms.size(); ++h) {
      normalize_part(norms[h], kHeadNormEpsilon, size, x.row(r) + h * size);
    }
  }
}

void Forward::for_each_lane(std::uint32_t layer, std::uint64_t work,
                            const std::function<void(std::uint32_t, std::uint32_t, float*)>& body) {
  for_each(static_cast<std::uint32_t>(lane_rows_.size()), work, [&](std::uint32_t i) {
    const LaneRows lane = lane_rows_[i];
    body(lane.begin, lane.end, lane_of(lane.begin).state(layer));
  });
}

}  // namespace tacit
