// SPDX-License-Identifier: MIT
// Recurrent layers, each as its paper writes it: one state a head or channel, walked from the first position to the
// last.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "oracle/layers.h"

namespace tacit::oracle {
namespace {

template <class Function>
Matrix map(Matrix x, Function function) {
  for (double& value : x.values) value = function(value);
  return x;
}

Matrix times(Matrix x, const Matrix& y) {
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] *= y.values[i];
  return x;
}

Matrix plus(Matrix x, const Vector& bias) {
  for (std::size_t p = 0; p < x.row_count; ++p) {
    for (std::size_t i = 0; i < x.column_count; ++i) x.row(p)[i] += bias[i];
  }
  return x;
}

// Every row the one before it; zeros come first.
Matrix previous(const Matrix& x) {
  Matrix y = zeros(x.row_count, x.column_count);
  for (std::size_t p = 1; p < x.row_count; ++p) std::ranges::copy(x.row(p - 1), y.row(p).begin());
  return y;
}

// x + (previous x - x) * weight
Matrix shift(const Matrix& x, const TokenShift& weight) {
  const Matrix before = previous(x);
  Matrix y = x;
  for (std::size_t p = 0; p < x.row_count; ++p) {
    for (std::size_t i = 0; i < x.column_count; ++i) y.row(p)[i] += (before.row(p)[i] - x.row(p)[i]) * weight[i];
  }
  return y;
}

constexpr auto kTanh = [](double x) { return std::tanh(x); };

// RWKV-6: x + (previous x - x) * (weight + up(tanh(down(shifted x)))), for each of the five inputs.
std::vector<Matrix> data_dependent_shifts(const Rwkv6Layer& layer, const Matrix& x) {
  const Matrix before = previous(x);
  const Matrix low = map(apply(layer.shift_down, shift(x, layer.shift)), kTanh);  // [n, 5 * rank]
  const std::size_t rank = low.column_count / layer.shifts.size();
  std::vector<Matrix> shifted;
  for (std::size_t k = 0; k < layer.shifts.size(); ++k) {
    Matrix y = x;
    for (std::size_t p = 0; p < x.row_count; ++p) {
      const auto part = low.row(p).subspan(k * rank, rank);
      for (std::size_t i = 0; i < x.column_count; ++i) {
        const double weight = layer.shifts[k][i] + dot(layer.shift_up[k].row(i), part);
        y.row(p)[i] += (before.row(p)[i] - x.row(p)[i]) * weight;
      }
    }
    shifted.push_back(std::move(y));
  }
  return shifted;
}

// For every head, with a state S of keys by values: y = r (S + bonus k v^T), then S = decay S + k v^T.
Matrix wkv6(const Matrix& r, const Matrix& k, const Matrix& v, const Matrix& decay, const Vector& bonus,
            std::size_t head_size) {
  Matrix y = zeros(r.row_count, r.column_count);
  for (std::size_t head = 0; head < r.column_count; head += head_size) {
    Matrix state = zeros(head_size, head_size);
    for (std::size_t p = 0; p < r.row_count; ++p) {
      for (std::size_t i = 0; i < head_size; ++i) {
        const std::size_t c = head + i;
        for (std::size_t j = 0; j < head_size; ++j) {
          const double kv = k.row(p)[c] * v.row(p)[head + j];
          double& cell = state.row(i)[j];
          y.row(p)[head + j] += r.row(p)[c] * (cell + bonus[c] * kv);
          cell = decay.row(p)[c] * cell + kv;
        }
      }
    }
  }
  return y;
}

Matrix time_mix(const Rwkv6Layer& layer, const Matrix& x) {
  const std::vector<Matrix> shifted = data_dependent_shifts(layer, x);
  const Matrix &xw = shifted[0], &xk = shifted[1], &xv = shifted[2], &xr = shifted[3], &xg = shifted[4];
  const Matrix low = map(apply(layer.decay_down, xw), kTanh);
  const Matrix decay =
      map(plus(apply(layer.decay_up, low), layer.decay), [](double w) { return std::exp(-std::exp(w)); });
  const Matrix y = wkv6(apply(layer.receptance, xr), apply(layer.key, xk), apply(layer.value, xv), decay, layer.bonus,
                        layer.head_size);
  return apply(layer.output, times(normalise(y, layer.head_norm), map(apply(layer.gate, xg), silu)));
}

Matrix channel_mix(const Rwkv6Layer& layer, const Matrix& x) {
  const Matrix key = map(apply(layer.channel_key, shift(x, layer.channel_key_shift)), squared_relu);
  const Matrix receptance = map(apply(layer.channel_receptance, shift(x, layer.channel_receptance_shift)), sigmoid);
  return times(apply(layer.channel_value, key), receptance);
}

Matrix apply(const LowRank& low_rank, const Matrix& x) { return apply(low_rank.up, apply(low_rank.down, x)); }

// x / max(|x|, 1e-12), head by head.
Matrix unit_length(Matrix x, std::size_t head_size) {
  for (std::size_t p = 0; p < x.row_count; ++p) {
    for (std::size_t head = 0; head < x.column_count; head += head_size) {
      const auto part = x.row(p).subspan(head, head_size);
      const double length = std::max(std::sqrt(dot(part, part)), 1e-12);
      for (double& value : part) value /= length;
    }
  }
  return x;
}

// For every head, with a state S of values by keys: S = S (diag(decay) - removal^T (rate * removal)) + v k^T, and
// y = S r.
Matrix wkv7(const Matrix& r, const Matrix& decay, const Matrix& k, const Matrix& v, const Matrix& removal,
            const Matrix& rate, std::size_t head_size) {
  Matrix y = zeros(r.row_count, r.column_count);
  for (std::size_t head = 0; head < r.column_count; head += head_size) {
    Matrix state = zeros(head_size, head_size);
    const auto part = [&](const Matrix& x, std::size_t p) { return x.row(p).subspan(head, head_size); };
    for (std::size_t p = 0; p < r.row_count; ++p) {
      for (std::size_t i = 0; i < head_size; ++i) {
        const double removed = dot(state.row(i), part(removal, p));
        for (std::size_t j = 0; j < head_size; ++j) {
          double& cell = state.row(i)[j];
          cell = cell * part(decay, p)[j] - removed * part(removal, p)[j] * part(rate, p)[j] +
                 part(v, p)[i] * part(k, p)[j];
        }
        y.row(p)[head + i] = dot(state.row(i), part(r, p));
      }
    }
  }
  return y;
}

// y + v (r . (bonus * k)), head by head.
void add_bonus(Matrix& y, const Matrix& r, const Matrix& k, const Matrix& v, const Vector& bonus,
               std::size_t head_size) {
  for (std::size_t p = 0; p < y.row_count; ++p) {
    for (std::size_t head = 0; head < y.column_count; head += head_size) {
      double weight = 0;
      for (std::size_t i = head; i < head + head_size; ++i) weight += r.row(p)[i] * bonus[i] * k.row(p)[i];
      for (std::size_t i = head; i < head + head_size; ++i) y.row(p)[i] += v.row(p)[i] * weight;
    }
  }
}

// The value that the first layer computed takes the place of a part of this one's.
Matrix mix_values(const Rwkv7Layer& layer, const Matrix& x, Matrix v, const Matrix& first_value) {
  const Matrix share = map(plus(apply(*layer.value_mix, x), layer.value_bias), sigmoid);
  for (std::size_t i = 0; i < v.values.size(); ++i) {
    v.values[i] += (first_value.values[i] - v.values[i]) * share.values[i];
  }
  return v;
}

Matrix time_mix(const Rwkv7Layer& layer, const Matrix& x, Matrix& first_value) {
  const Matrix xv = shift(x, layer.value_shift);
  const Matrix r = apply(layer.receptance, shift(x, layer.receptance_shift));
  const Matrix low = map(apply(layer.decay.down, shift(x, layer.decay_shift)), kTanh);
  const Matrix decay = map(plus(apply(layer.decay.up, low), layer.decay_bias),
                           [](double w) { return std::exp(-std::exp(-0.5) * sigmoid(w)); });
  Matrix k = apply(layer.key, shift(x, layer.key_shift));
  Matrix v = apply(layer.value, xv);
  if (layer.value_mix) {
    v = mix_values(layer, xv, std::move(v), first_value);
  } else {
    first_value = v;
  }
  const Matrix rate = map(plus(apply(layer.rate, shift(x, layer.rate_shift)), layer.rate_bias), sigmoid);
  Matrix removal = k;
  for (std::size_t p = 0; p < k.row_count; ++p) {
    for (std::size_t i = 0; i < k.column_count; ++i) {
      removal.row(p)[i] *= layer.removal_key[i];
      k.row(p)[i] *= 1 + (rate.row(p)[i] - 1) * layer.replacement_key[i];
    }
  }
  removal = unit_length(std::move(removal), layer.head_size);
  Matrix y = normalise(wkv7(r, decay, k, v, removal, rate, layer.head_size), layer.head_norm);
  add_bonus(y, r, k, v, layer.bonus, layer.head_size);
  if (layer.gate) {
    const Matrix gate = map(apply(layer.gate->down, shift(x, layer.gate_shift)), sigmoid);
    y = times(std::move(y), apply(layer.gate->up, gate));
  }
  return apply(layer.output, y);
}

Matrix channel_mix(const Rwkv7Layer& layer, const Matrix& x) {
  return apply(layer.channel_value, map(apply(layer.channel_key, shift(x, layer.channel_shift)), squared_relu));
}

Matrix columns(const Matrix& x, std::size_t first, std::size_t count) {
  Matrix y = zeros(x.row_count, count);
  for (std::size_t p = 0; p < x.row_count; ++p) std::ranges::copy(x.row(p).subspan(first, count), y.row(p).begin());
  return y;
}

// A causal convolution of each channel with its own taps; the last tap is that of the position itself.
Matrix convolve(const Matrix& x, const Matrix& taps, const Vector& bias) {
  Matrix y = plus(zeros(x.row_count, x.column_count), bias);
  for (std::size_t p = 0; p < x.row_count; ++p) {
    for (std::size_t back = 0; back < std::min(p + 1, taps.column_count); ++back) {
      for (std::size_t c = 0; c < x.column_count; ++c) {
        y.row(p)[c] += x.row(p - back)[c] * taps.row(c)[taps.column_count - 1 - back];
      }
    }
  }
  return y;
}

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// For every channel, with a state h: h = exp(delta A) h + delta B x, and y = C h + D x.
Matrix selective_scan(const MambaLayer& layer, const Matrix& x, const Matrix& delta, const Matrix& b, const Matrix& c) {
  Matrix y = zeros(x.row_count, x.column_count);
  for (std::size_t channel = 0; channel < x.column_count; ++channel) {
    Vector state(layer.state_size);
    for (std::size_t p = 0; p < x.row_count; ++p) {
      const double step = delta.row(p)[channel], input = x.row(p)[channel];
      for (std::size_t i = 0; i < layer.state_size; ++i) {
        state[i] = std::exp(step * layer.a.row(channel)[i]) * state[i] + step * b.row(p)[i] * input;
      }
      y.row(p)[channel] = dot(c.row(p), state) + layer.d[channel] * input;
    }
  }
  return y;
}

}  // namespace

void run(const Rwkv6Layer& layer, Matrix& x) {
  add(x, time_mix(layer, normalise(x, layer.time_norm)));
  add(x, channel_mix(layer, normalise(x, layer.channel_norm)));
  for (double& value : x.values) value *= layer.output_scale;
}

void run(const Rwkv7Layer& layer, Matrix& x, Matrix& first_value) {
  add(x, time_mix(layer, normalise(x, layer.time_norm), first_value));
  add(x, channel_mix(layer, normalise(x, layer.channel_norm)));
}

void run(const MambaLayer& layer, Matrix& x) {
  const Matrix inputs = apply(layer.input, normalise(x, layer.norm));
  const Matrix z = columns(inputs, layer.inner_width, layer.inner_width);
  const Matrix u =
      map(convolve(columns(inputs, 0, layer.inner_width), layer.convolution, layer.convolution_bias), silu);
  const Matrix selection = apply(layer.selection, u);
  const auto part = [&](std::size_t first, std::size_t count) {
    const Matrix y = columns(selection, first, count);
    if (!layer.selection_norm_epsilon) return y;
    return normalise(y, Norm{NormKind::kRms, count, *layer.selection_norm_epsilon, {}, {}});
  };
  const Matrix delta = map(apply(layer.delta, part(0, layer.rank)), softplus);
  const Matrix b = part(layer.rank, layer.state_size), c = part(layer.rank + layer.state_size, layer.state_size);
  add(x, apply(layer.output, times(selective_scan(layer, u, delta, b, c), map(z, silu))));
}

}  // namespace tacit::oracle
