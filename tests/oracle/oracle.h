// SPDX-License-Identifier: MIT
// The oracle of architectures: a slow float64 forward pass that reads like the papers. It takes its bytes from the GGUF
// reader and shares no arithmetic with src/, so that the two can be compared. family.h says what tells architectures
// apart, model.h what a loaded model is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "gguf/gguf.h"
#include "oracle/model.h"

namespace tacit::oracle {

// Reads tensors of types F32, F16, BF16, Q8_0, Q4_0 and Q6_K. `context_length` is that of the text to come, which
// decides between the two sets of rope factors of long-context models; 0: the longest that the file allows.
// Errors (kModel): an architecture that is not in the table, a missing key or tensor, another type or shape, a tensor
// that the architecture has no use for.
Result<Model> load(const gguf::File& file, std::size_t context_length = 0);

// Which positions a position attends to, beyond what the model says. Recurrent models know no such thing.
struct AttentionRule {
  // 0: to all up to itself. Otherwise a band with a sink: position p attends to position 0 and to positions
  // max(1, p - window + 2) to p, as if they were a text of their own: distances (of rotation, of ALiBi, and against
  // the model's own windows) are p - j, but the sink's is min(p, window - 1). Learned positions stay as they are.
  std::size_t window = 0;
};

// Logits [token count, vocabulary size] of one sequence at positions 0, 1, ... Tokens are in [0, vocabulary size), and
// no more than learned positions where the model has those.
Matrix logits(const Model& model, std::span<const std::int32_t> tokens, const AttentionRule& rule = {});

}  // namespace tacit::oracle
