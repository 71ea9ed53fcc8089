// SPDX-License-Identifier: MIT
// Loading of recurrent layers.
#include "base/limits.h"
#include "oracle/load.h"

namespace tacit::oracle {
namespace {

constexpr double kHeadNormEpsilon = 64e-5;  // of RWKV's norm of every head, whatever the file's epsilon

Vector part(const Vector& all, std::size_t i, std::size_t size) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * size);
  return {begin, begin + static_cast<std::ptrdiff_t>(size)};
}

// One layer's tensors: square ones without a bias are most of what RWKV has.
class Tensors {
 public:
  Tensors(Reader& reader, std::string prefix, std::size_t width)
      : reader_(reader), prefix_(std::move(prefix)), width_(width) {}

  Result<Linear> square(const std::string& name) { return linear(name, width_, width_); }
  Result<Linear> linear(const std::string& name, std::size_t output, std::size_t input) {
    return reader_.linear(prefix_ + name, output, input, Presence::kNever);
  }
  Result<Matrix> matrix(const std::string& name, std::size_t row_count, std::size_t column_count) {
    return reader_.matrix(prefix_ + name + ".weight", row_count, column_count);
  }
  Result<Vector> vector(const std::string& name) { return reader_.values(prefix_ + name + ".weight", {width_}); }
  Result<LowRank> low_rank(const std::string& down, const std::string& up, std::size_t rank) {
    LowRank result;
    TACIT_ASSIGN(result.down, matrix(down, rank, width_));
    TACIT_ASSIGN(result.up, matrix(up, width_, rank));
    return result;
  }
  // The norm of every head behind the recurrence.
  Result<Norm> head_norm(std::size_t head_size) {
    Norm norm{NormKind::kLayer, head_size, kHeadNormEpsilon, {}, {}};
    TACIT_ASSIGN(norm.weight, vector("time_mix_ln"));
    TACIT_ASSIGN(norm.bias, reader_.values(prefix_ + "time_mix_ln.bias", {width_}));
    return norm;
  }

 private:
  Reader& reader_;
  std::string prefix_;
  std::size_t width_;
};

Result<std::size_t> load_head_size(const Reader& reader, std::size_t width) {
  TACIT_ASSIGN(const std::size_t head_size, reader.count("wkv.head_size", width));
  if (width % head_size != 0) {
    return reader.mismatch(reader.key("wkv.head_size"), std::to_string(head_size),
                           "a divisor of the width, " + std::to_string(width));
  }
  return head_size;
}

Result<std::size_t> load_hidden_width(const Reader& reader) {
  return reader.count("feed_forward_length", limits::kWidthMax);
}

// One tensor with all five, or a tensor each.
Result<std::vector<TokenShift>> load_shifts(Reader& reader, Tensors& tensors, const std::string& prefix,
                                            std::size_t width) {
  std::vector<TokenShift> shifts;
  const std::string fused = prefix + "time_mix_lerp_fused.weight";
  if (reader.find(fused) != nullptr) {
    TACIT_ASSIGN(const Vector all, reader.values(fused, {width, 1, 1, 5}));
    for (std::size_t i = 0; i < 5; ++i) shifts.push_back(part(all, i, width));
    return shifts;
  }
  for (const char* name :
       {"time_mix_lerp_w", "time_mix_lerp_k", "time_mix_lerp_v", "time_mix_lerp_r", "time_mix_lerp_g"}) {
    TACIT_ASSIGN(shifts.emplace_back(), tensors.vector(name));
  }
  return shifts;
}

Result<Layer> load_rwkv6(Reader& reader, const Family& family, const Shape& shape, std::size_t index) {
  const std::string prefix = "blk." + std::to_string(index) + ".";
  const std::size_t width = shape.width;
  Tensors tensors(reader, prefix, width);
  Rwkv6Layer layer;
  TACIT_ASSIGN(layer.head_size, load_head_size(reader, width));
  TACIT_ASSIGN(const std::size_t hidden_width, load_hidden_width(reader));
  TACIT_ASSIGN(const std::size_t shift_rank, reader.count("time_mix_extra_dim", limits::kWidthMax));
  TACIT_ASSIGN(const std::size_t decay_rank, reader.count("time_decay_extra_dim", limits::kWidthMax));
  // Halving keeps half-precision engines in range; output_norm undoes it.
  TACIT_ASSIGN(const std::size_t rescale_period, reader.count_or("rescale_every_n_layers", 0, limits::kLayersMax));
  if (rescale_period != 0 && (index + 1) % rescale_period == 0) layer.output_scale = 0.5;

  TACIT_ASSIGN(layer.time_norm, load_norm(reader, family, shape, prefix + "attn_norm"));
  TACIT_ASSIGN(layer.channel_norm, load_norm(reader, family, shape, prefix + "attn_norm_2"));
  TACIT_ASSIGN(layer.shift, tensors.vector("time_mix_lerp_x"));
  TACIT_ASSIGN(layer.shift_down, tensors.matrix("time_mix_w1", 5 * shift_rank, width));
  TACIT_ASSIGN(const Vector shift_up, reader.values(prefix + "time_mix_w2.weight", {shift_rank, width, 5}));
  for (std::size_t i = 0; i < 5; ++i) {
    layer.shift_up.push_back({width, shift_rank, part(shift_up, i, width * shift_rank)});
  }
  TACIT_ASSIGN(layer.shifts, load_shifts(reader, tensors, prefix, width));
  TACIT_ASSIGN(layer.decay, tensors.vector("time_mix_decay"));
  TACIT_ASSIGN(layer.decay_down, tensors.matrix("time_mix_decay_w1", decay_rank, width));
  TACIT_ASSIGN(layer.decay_up, tensors.matrix("time_mix_decay_w2", width, decay_rank));
  TACIT_ASSIGN(layer.bonus,
               reader.values(prefix + "time_mix_first.weight", {layer.head_size, width / layer.head_size}));
  TACIT_ASSIGN(layer.receptance, tensors.square("time_mix_receptance"));
  TACIT_ASSIGN(layer.key, tensors.square("time_mix_key"));
  TACIT_ASSIGN(layer.value, tensors.square("time_mix_value"));
  TACIT_ASSIGN(layer.gate, tensors.square("time_mix_gate"));
  TACIT_ASSIGN(layer.output, tensors.square("time_mix_output"));
  TACIT_ASSIGN(layer.head_norm, tensors.head_norm(layer.head_size));
  TACIT_ASSIGN(layer.channel_key_shift, tensors.vector("channel_mix_lerp_k"));
  TACIT_ASSIGN(layer.channel_receptance_shift, tensors.vector("channel_mix_lerp_r"));
  TACIT_ASSIGN(layer.channel_key, tensors.linear("channel_mix_key", hidden_width, width));
  TACIT_ASSIGN(layer.channel_value, tensors.linear("channel_mix_value", width, hidden_width));
  TACIT_ASSIGN(layer.channel_receptance, tensors.square("channel_mix_receptance"));
  return Layer{std::move(layer)};
}

Status load_rwkv7_shifts(Reader& reader, const std::string& prefix, std::size_t width, Rwkv7Layer& layer) {
  TACIT_ASSIGN(const Vector all,
               reader.values(prefix + "time_mix_lerp_fused.weight", {width, 1, 1, std::size_t{layer.gate ? 6u : 5u}}));
  layer.receptance_shift = part(all, 0, width);
  layer.decay_shift = part(all, 1, width);
  layer.key_shift = part(all, 2, width);
  layer.value_shift = part(all, 3, width);
  layer.rate_shift = part(all, 4, width);
  if (layer.gate) layer.gate_shift = part(all, 5, width);
  return {};
}

Status load_rwkv7_projections(Reader& reader, Tensors& tensors, const std::string& prefix, std::size_t index,
                              Rwkv7Layer& layer) {
  TACIT_ASSIGN(const std::size_t decay_rank, reader.count("attention.decay_lora_rank", limits::kWidthMax));
  TACIT_ASSIGN(const std::size_t rate_rank, reader.count("attention.iclr_lora_rank", limits::kWidthMax));
  TACIT_ASSIGN(layer.decay_bias, tensors.vector("time_mix_w0"));
  TACIT_ASSIGN(layer.decay, tensors.low_rank("time_mix_w1", "time_mix_w2", decay_rank));
  TACIT_ASSIGN(layer.rate_bias, tensors.vector("time_mix_a0"));
  TACIT_ASSIGN(layer.rate, tensors.low_rank("time_mix_a1", "time_mix_a2", rate_rank));
  if (index == 0) {
    // The first layer has nothing to mix with; files have the tensors all the same.
    for (const char* name : {"time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight"}) {
      reader.skip(prefix + name);
    }
  } else {
    TACIT_ASSIGN(const std::size_t rank, reader.count("attention.value_residual_mix_lora_rank", limits::kWidthMax));
    TACIT_ASSIGN(layer.value_bias, tensors.vector("time_mix_v0"));
    TACIT_ASSIGN(layer.value_mix, tensors.low_rank("time_mix_v1", "time_mix_v2", rank));
  }
  TACIT_ASSIGN(const std::size_t gate_rank, reader.count_or("attention.gate_lora_rank", 0, limits::kWidthMax));
  if (gate_rank == 0) return {};
  TACIT_ASSIGN(layer.gate, tensors.low_rank("time_mix_g1", "time_mix_g2", gate_rank));
  return {};
}

Result<Layer> load_rwkv7(Reader& reader, const Family& family, const Shape& shape, std::size_t index) {
  const std::string prefix = "blk." + std::to_string(index) + ".";
  Tensors tensors(reader, prefix, shape.width);
  Rwkv7Layer layer;
  TACIT_ASSIGN(layer.head_size, load_head_size(reader, shape.width));
  TACIT_ASSIGN(const std::size_t hidden_width, load_hidden_width(reader));
  TACIT_ASSIGN(layer.time_norm, load_norm(reader, family, shape, prefix + "attn_norm"));
  TACIT_ASSIGN(layer.channel_norm, load_norm(reader, family, shape, prefix + "attn_norm_2"));
  TACIT_TRY(load_rwkv7_projections(reader, tensors, prefix, index, layer));
  TACIT_TRY(load_rwkv7_shifts(reader, prefix, shape.width, layer));
  TACIT_ASSIGN(layer.removal_key, tensors.vector("time_mix_k_k"));
  TACIT_ASSIGN(layer.replacement_key, tensors.vector("time_mix_k_a"));
  TACIT_ASSIGN(layer.bonus, tensors.vector("time_mix_r_k"));
  TACIT_ASSIGN(layer.receptance, tensors.square("time_mix_receptance"));
  TACIT_ASSIGN(layer.key, tensors.square("time_mix_key"));
  TACIT_ASSIGN(layer.value, tensors.square("time_mix_value"));
  TACIT_ASSIGN(layer.output, tensors.square("time_mix_output"));
  TACIT_ASSIGN(layer.head_norm, tensors.head_norm(layer.head_size));
  TACIT_ASSIGN(layer.channel_shift, tensors.vector("channel_mix_lerp_k"));
  TACIT_ASSIGN(layer.channel_key, tensors.linear("channel_mix_key", hidden_width, shape.width));
  TACIT_ASSIGN(layer.channel_value, tensors.linear("channel_mix_value", shape.width, hidden_width));
  return Layer{std::move(layer)};
}

Result<Layer> load_mamba(Reader& reader, const Family& family, const Shape& shape, std::size_t index) {
  const std::string prefix = "blk." + std::to_string(index) + ".";
  MambaLayer layer;
  TACIT_ASSIGN(layer.inner_width, reader.count("ssm.inner_size", limits::kWidthMax));
  TACIT_ASSIGN(layer.state_size, reader.count("ssm.state_size", limits::kWidthMax));
  TACIT_ASSIGN(layer.rank, reader.count("ssm.time_step_rank", limits::kWidthMax));
  TACIT_ASSIGN(const std::size_t tap_count, reader.count("ssm.conv_kernel", limits::kWidthMax));
  TACIT_ASSIGN(const bool normalised, reader.boolean_or("ssm.dt_b_c_rms", false));
  if (normalised) layer.selection_norm_epsilon = shape.norm_epsilon;

  const std::size_t inner = layer.inner_width;
  TACIT_ASSIGN(layer.norm, load_norm(reader, family, shape, prefix + "attn_norm"));
  TACIT_ASSIGN(layer.input, reader.linear(prefix + "ssm_in", 2 * inner, shape.width, Presence::kNever));
  TACIT_ASSIGN(layer.convolution, reader.matrix(prefix + "ssm_conv1d.weight", inner, tap_count));
  TACIT_ASSIGN(layer.convolution_bias, reader.values(prefix + "ssm_conv1d.bias", {inner}));
  TACIT_ASSIGN(layer.selection,
               reader.linear(prefix + "ssm_x", layer.rank + 2 * layer.state_size, inner, Presence::kNever));
  TACIT_ASSIGN(layer.delta, reader.linear(prefix + "ssm_dt", inner, layer.rank, Presence::kAlways));
  TACIT_ASSIGN(layer.a, reader.matrix(prefix + "ssm_a", inner, layer.state_size));
  TACIT_ASSIGN(layer.d, reader.values(prefix + "ssm_d", {inner}));
  TACIT_ASSIGN(layer.output, reader.linear(prefix + "ssm_out", shape.width, inner, Presence::kNever));
  return Layer{std::move(layer)};
}

}  // namespace

Result<Layer> load_recurrent_layer(Reader& reader, const Family& family, const Shape& shape, std::size_t index) {
  if (family.layer == LayerKind::kRwkv6) return load_rwkv6(reader, family, shape, index);
  if (family.layer == LayerKind::kRwkv7) return load_rwkv7(reader, family, shape, index);
  return load_mamba(reader, family, shape, index);
}

}  // namespace tacit::oracle
