// SPDX-License-Identifier: MIT
// The oracle of the architecture: a slow float64 forward pass of dense `llama` models that reads like the paper. It
// takes its bytes from the GGUF reader and shares no arithmetic with src/, so that the two can be compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"

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

struct Config {
  std::size_t vocabulary_size = 0;
  std::size_t width = 0;  // of the residual stream
  std::size_t layer_count = 0;
  std::size_t head_count = 0;
  std::size_t kv_head_count = 0;  // divides head_count; each serves head_count / kv_head_count query heads
  std::size_t key_dim = 0;        // of one head's queries and keys
  std::size_t value_dim = 0;      // of one head's values
  std::size_t hidden_width = 0;   // of the feed-forward part
  double norm_epsilon = 0;
  // Radians per position of the pair of elements (2i, 2i + 1); elements behind the last pair do not turn. Scaling of
  // positions (linear, YaRN, rope_freqs.weight) is in these numbers already.
  std::vector<double> rope_frequencies;
  double rope_magnitude = 1;  // YaRN lengthens queries and keys by this
};

struct Linear {
  Matrix weight;             // [output, input]
  std::vector<double> bias;  // [output], or empty
};

struct Layer {
  std::vector<double> attention_norm;     // [width]
  Linear query;                           // [head_count * key_dim, width]
  Linear key;                             // [kv_head_count * key_dim, width]
  Linear value;                           // [kv_head_count * value_dim, width]
  Linear attention_output;                // [width, head_count * value_dim]
  std::vector<double> feed_forward_norm;  // [width]
  Linear gate;                            // [hidden_width, width]
  Linear up;                              // [hidden_width, width]
  Linear down;                            // [width, hidden_width]
};

struct Model {
  Config config;
  Matrix token_embedding;  // [vocabulary_size, width]
  std::vector<Layer> layers;
  std::vector<double> output_norm;  // [width]
  Linear output;                    // [vocabulary_size, width]; the embedding again where the model ties them
};

// Reads tensors of types F32, F16, BF16, Q8_0, Q4_0 and Q6_K. Errors (kModel): another architecture, experts, a missing
// tensor, another type or shape.
Result<Model> load(const gguf::File& file);

// Which positions a position attends to.
struct AttentionRule {
  // 0: to all up to itself. Otherwise a band with a sink: position p attends to position 0 and to positions
  // max(1, p - window + 2) to p. Rotary distances are p - j, but the sink's is min(p, window - 1).
  std::size_t window = 0;
};

// Logits [token count, vocabulary_size] of one sequence at positions 0, 1, ... Tokens are in [0, vocabulary_size).
Matrix logits(const Model& model, std::span<const std::int32_t> tokens, const AttentionRule& rule = {});

}  // namespace tacit::oracle
