// SPDX-License-Identifier: MIT
// Loading of feed-forward layers, plain or of experts.
#include "base/limits.h"
#include "oracle/load.h"

namespace tacit::oracle {
namespace {

// The file may be silent about a width that no layer needs.
Status need_width(const Loader& l, std::size_t hidden_width) {
  if (hidden_width != 0) return {};
  return l.reader.mismatch(l.reader.key("feed_forward_length"), "nothing", "at least 1");
}

// ffn_gate, ffn_up and ffn_down with `suffix` behind.
Result<FeedForward> load_plain(const Loader& l, const std::string& prefix, const std::string& suffix,
                               std::size_t hidden_width) {
  const std::size_t width = l.shape.width;
  const Presence bias = l.family.bias;
  TACIT_TRY(need_width(l, hidden_width));
  FeedForward f;
  f.activation = l.family.activation;
  if (l.family.gate == GateTensor::kFused) {
    TACIT_ASSIGN(const Linear both, l.reader.linear(prefix + "ffn_up" + suffix, 2 * hidden_width, width, bias));
    f.gate = rows(both, 0, hidden_width);
    f.up = rows(both, hidden_width, hidden_width);
  } else {
    if (l.family.gate == GateTensor::kSeparate) {
      TACIT_ASSIGN(f.gate, l.reader.linear(prefix + "ffn_gate" + suffix, hidden_width, width, bias));
    }
    TACIT_ASSIGN(f.up, l.reader.linear(prefix + "ffn_up" + suffix, hidden_width, width, bias));
  }
  TACIT_ASSIGN(f.down, l.reader.linear(prefix + "ffn_down" + suffix, width, hidden_width, bias));
  return f;
}

Result<std::size_t> load_expert_width(const Loader& l, std::size_t hidden_width, std::size_t used_count) {
  switch (l.family.experts.width) {
    case ExpertWidth::kFeedForward:
      return hidden_width;
    case ExpertWidth::kKey:
      return l.reader.count("expert_feed_forward_length", limits::kWidthMax);
    case ExpertWidth::kKeyOrShare:
      return l.reader.count_or("expert_feed_forward_length", hidden_width / used_count, limits::kWidthMax);
  }
  return hidden_width;
}

// Its width; 0: there is none.
Result<std::size_t> load_shared_width(const Loader& l, std::size_t hidden_width, std::size_t expert_width) {
  switch (l.family.experts.shared) {
    case SharedExpert::kNone:
      return std::size_t{0};
    case SharedExpert::kByWidth:
      return l.reader.count_or("expert_shared_feed_forward_length", 0, limits::kWidthMax);
    case SharedExpert::kByCount: {
      TACIT_ASSIGN(const std::size_t count, l.reader.count("expert_shared_count", limits::kWidthMax));
      return count * expert_width;
    }
    case SharedExpert::kGated:
      return l.reader.count_or("expert_shared_feed_forward_length", hidden_width, limits::kWidthMax);
  }
  return std::size_t{0};
}

Result<Experts> load_experts(const Loader& l, const std::string& prefix, std::size_t hidden_width,
                             std::size_t expert_count) {
  const std::size_t width = l.shape.width;
  const Presence bias = l.family.bias;
  const ExpertRule& rule = l.family.experts;
  Experts e;
  e.routing = rule.routing;
  e.renormalise = rule.renormalise;
  TACIT_ASSIGN(e.used_count, l.reader.count("expert_used_count", expert_count));
  if (rule.scaled) {
    TACIT_ASSIGN(const double scale, l.reader.real_or("expert_weights_scale", 0));
    if (scale != 0) e.weight_scale = scale;
  }
  TACIT_ASSIGN(const std::size_t expert_width, load_expert_width(l, hidden_width, e.used_count));
  TACIT_TRY(need_width(l, expert_width));
  TACIT_ASSIGN(e.router, l.reader.linear(prefix + "ffn_gate_inp", expert_count, width, bias));
  TACIT_ASSIGN(auto gates, l.reader.linears(prefix + "ffn_gate_exps", expert_count, expert_width, width, bias));
  TACIT_ASSIGN(auto ups, l.reader.linears(prefix + "ffn_up_exps", expert_count, expert_width, width, bias));
  TACIT_ASSIGN(auto downs, l.reader.linears(prefix + "ffn_down_exps", expert_count, width, expert_width, bias));
  for (std::size_t i = 0; i < expert_count; ++i) {
    e.experts.push_back({l.family.activation, std::move(gates[i]), std::move(ups[i]), std::move(downs[i])});
  }
  TACIT_ASSIGN(const std::size_t shared_width, load_shared_width(l, hidden_width, expert_width));
  if (shared_width == 0) return e;
  TACIT_ASSIGN(e.shared, load_plain(l, prefix, "_shexp", shared_width));
  if (rule.shared == SharedExpert::kGated) {
    TACIT_ASSIGN(e.shared_gate, l.reader.linear(prefix + "ffn_gate_inp_shexp", 1, width, Presence::kNever));
  }
  return e;
}

// How many experts layer `index` has; 0: a plain feed-forward.
Result<std::size_t> load_expert_count(const Loader& l, std::size_t index) {
  const ExpertRule& rule = l.family.experts;
  if (rule.presence == Presence::kNever) return std::size_t{0};
  if (rule.leading_dense) {
    TACIT_ASSIGN(const std::size_t dense, l.reader.count_or("leading_dense_block_count", 0, limits::kLayersMax));
    if (index < dense) return std::size_t{0};
  }
  if (rule.presence == Presence::kAlways) return l.reader.count("expert_count", limits::kWidthMax);
  return l.reader.count_or("expert_count", 0, limits::kWidthMax);
}

}  // namespace

Result<std::variant<FeedForward, Experts>> load_feed_forward(const Loader& l, const std::string& prefix,
                                                             std::size_t index) {
  const std::size_t hidden_width = l.heads.hidden_widths[index];
  TACIT_ASSIGN(const std::size_t expert_count, load_expert_count(l, index));
  std::variant<FeedForward, Experts> layer;
  if (expert_count == 0) {
    TACIT_ASSIGN(layer, load_plain(l, prefix, "", hidden_width));
  } else {
    TACIT_ASSIGN(layer, load_experts(l, prefix, hidden_width, expert_count));
  }
  return layer;
}

}  // namespace tacit::oracle
