// SPDX-License-Identifier: MIT
// A loaded model: weights in float64, and every choice of its architecture and metadata made, so that the forward pass
// has no names left to look up. Shapes are in the comments; `width` is that of the residual stream.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace tacit::oracle {

// Row-major [row_count, column_count].
struct Matrix {
  std::size_t row_count = 0;
  std::size_t column_count = 0;
  std::vector<double> values;

  [[nodiscard]] std::span<const double> row(std::size_t i) const {
    return std::span(values).subspan(i * column_count, column_count);
  }
  [[nodiscard]] std::span<double> row(std::size_t i) {
    return std::span(values).subspan(i * column_count, column_count);
  }
};

using Vector = std::vector<double>;

struct Linear {
  Matrix weight;  // [output, input]
  Vector bias;    // [output], or empty
};

enum class NormKind {
  kRms,    // arXiv 1910.07467
  kLayer,  // arXiv 1607.06450
};

// Normalises every group of `group_size` neighbours alone: a whole row, or one head.
struct Norm {
  NormKind kind = NormKind::kRms;
  std::size_t group_size = 0;
  double epsilon = 0;
  Vector weight;  // of a row's length, or empty
  Vector bias;    // of a row's length, or empty
};

// Rotary positions (arXiv 2104.09864). Elements of a head behind the last pair do not turn.
struct Rope {
  bool halves = false;   // pairs are (i, i + pair count) instead of (2i, 2i + 1)
  Vector frequencies;    // radians per position, one a pair, with all scaling of positions; empty: nothing turns
  double magnitude = 1;  // the turned elements of queries and keys are longer by this
};

struct Attention {
  std::size_t head_count = 0;
  std::size_t kv_head_count = 0;  // divides head_count; each serves head_count / kv_head_count query heads
  std::size_t key_dim = 0;        // of one head's queries and keys
  std::size_t value_dim = 0;      // of one head's values
  Linear query;                   // [head_count * key_dim, width]
  Linear key;                     // [kv_head_count * key_dim, width]
  Linear value;                   // [kv_head_count * value_dim, width]
  Linear output;                  // [width, head_count * value_dim]
  double clamp = 0;               // queries, keys and values stay within +- this; 0: any
  std::optional<Norm> query_norm;
  std::optional<Norm> key_norm;
  Rope rope;
  Vector alibi_slopes;     // [head_count] (arXiv 2108.12409), or empty
  double scale = 1;        // of scores
  double soft_cap = 0;     // of scores (arXiv 2408.00118); 0: none
  Vector sinks;            // [head_count]: a score that takes its share of attention and gives no value; or empty
  std::size_t window = 0;  // position p attends to j with p - j < window; 0: to all before it
};

enum class Activation {
  kSilu,
  kGelu,           // with tanh (arXiv 1606.08415)
  kSquaredRelu,    // arXiv 2109.08668
  kClampedSwiglu,  // that of gpt-oss; a gated layer as a whole
};

struct FeedForward {
  Activation activation = Activation::kSilu;
  std::optional<Linear> gate;  // [hidden width, width]
  Linear up;                   // [hidden width, width]
  Linear down;                 // [width, hidden width]
};

// What weights the chosen experts have.
enum class Routing {
  kSoftmaxOfAll,     // their probabilities among all experts
  kSoftmaxOfChosen,  // their probabilities among the chosen
};

struct Experts {
  Linear router;  // [expert count, width]
  Routing routing = Routing::kSoftmaxOfAll;
  std::size_t used_count = 0;
  bool renormalise = false;  // weights sum to 1
  double weight_scale = 1;
  std::vector<FeedForward> experts;
  std::optional<FeedForward> shared;  // added to them for every token
  std::optional<Linear> shared_gate;  // [1, width]
};

struct TransformerLayer {
  bool parallel = false;  // the feed-forward reads the layer's input, not what attention added to it
  double residual_scale = 1;
  std::optional<Norm> attention_norm;
  Attention attention;
  std::optional<Norm> attention_post_norm;
  std::optional<Norm> feed_forward_norm;
  std::variant<FeedForward, Experts> feed_forward;
  std::optional<Norm> feed_forward_post_norm;
};

// mix(x) = x + (previous x - x) * weight, element by element.
using TokenShift = Vector;

// Eagle and Finch, arXiv 2404.05892, section 4.
struct Rwkv6Layer {
  std::size_t head_size = 0;
  double output_scale = 1;
  Norm time_norm, channel_norm;
  TokenShift shift;                // [width], before the data-dependent shifts
  Matrix shift_down;               // [5 * rank, width]
  std::vector<Matrix> shift_up;    // five of [width, rank], in the order decay, key, value, receptance, gate
  std::vector<TokenShift> shifts;  // five of [width], in the same order
  Vector decay;                    // [width]
  Matrix decay_down;               // [rank, width]
  Matrix decay_up;                 // [width, rank]
  Vector bonus;                    // [width]
  Linear receptance, key, value, gate, output;  // [width, width]
  Norm head_norm;
  TokenShift channel_key_shift, channel_receptance_shift;
  Linear channel_key;         // [hidden width, width]
  Linear channel_value;       // [width, hidden width]
  Linear channel_receptance;  // [width, width]
};

// A two-step projection through a small rank.
struct LowRank {
  Matrix down;  // [rank, width]
  Matrix up;    // [width, rank]
};

// Goose, arXiv 2503.14456, section 4.
struct Rwkv7Layer {
  std::size_t head_size = 0;
  Norm time_norm, channel_norm;
  TokenShift receptance_shift, decay_shift, key_shift, value_shift, rate_shift, gate_shift;
  Vector decay_bias, rate_bias, value_bias;  // [width]
  LowRank decay, rate;
  std::optional<LowRank> value_mix;  // all but the first layer
  std::optional<LowRank> gate;
  Vector removal_key, replacement_key, bonus;  // [width]
  Linear receptance, key, value, output;       // [width, width]
  Norm head_norm;
  TokenShift channel_shift;
  Linear channel_key;    // [hidden width, width]
  Linear channel_value;  // [width, hidden width]
};

// Mamba, arXiv 2312.00752, section 3.
struct MambaLayer {
  Norm norm;
  std::size_t inner_width = 0, state_size = 0, rank = 0;
  Linear input;        // [2 * inner width, width]: x and then z
  Matrix convolution;  // [inner width, taps]
  Vector convolution_bias;
  Linear selection;                              // [rank + 2 * state size, inner width]: delta, B and C
  Linear delta;                                  // [inner width, rank]
  Matrix a;                                      // [inner width, state size], negative
  Vector d;                                      // [inner width]
  Linear output;                                 // [width, inner width]
  std::optional<double> selection_norm_epsilon;  // delta, B and C are RMS-normalised (Falcon Mamba)
};

using Layer = std::variant<TransformerLayer, Rwkv6Layer, Rwkv7Layer, MambaLayer>;

struct Model {
  Matrix token_embedding;  // [vocabulary size, width]
  double embedding_scale = 1;
  Matrix position_embedding;  // [context length, width], or empty
  std::optional<Norm> embedding_norm;
  std::vector<Layer> layers;
  Norm output_norm;
  Linear output;  // [vocabulary size, width]; the embedding again where the model ties them
  double logit_scale = 1;
  double logit_soft_cap = 0;  // 0: none
};

}  // namespace tacit::oracle
