// SPDX-License-Identifier: MIT
// The settings of the samplers that engines have.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace tacit {

// Penalties change logits; then temperature and filters apply in one of two orders:
//   kTemperatureFirst: temperature, top_k, top_p, min_p, typical_p, as in transformers
//                      (GenerationMixin._get_logits_processor) and, without typical_p, in vLLM (v1/sample/sampler.py);
//   kTemperatureLast:  top_k, typical_p, top_p, min_p, temperature, as in llama.cpp (common_params_sampling).
// A filter sees what the one before it has kept, made to sum to one again. Tokens with equal weights at a filter's edge
// are kept together.
struct SamplerSettings {
  enum class Order : std::uint8_t { kTemperatureFirst = 0, kTemperatureLast = 1 };

  float temperature = 1;      // logits are divided by it; 0: the most likely token, always
  std::uint32_t top_k = 0;    // keep the k most likely; 0: all
  float top_p = 1;            // nucleus: keep the smallest set of most likely tokens whose probability sums to this or
                              // more; 1: all
  float min_p = 0;            // keep tokens at least this times as likely as the most likely one; 0: all
  float typical_p = 1;        // keep the smallest set of tokens whose probability sums to this or more, those first
                              // whose information is nearest to the entropy (Meister et al., arXiv 2202.00666); 1: all
  float repetition_penalty = 1;   // of tokens that occurred: positive logits are divided by it, others multiplied
                                  // (Keskar et al., arXiv 1909.05858); 1: none
  float presence_penalty = 0;     // taken from the logits of tokens that occurred
  float frequency_penalty = 0;    // times how often they occurred, likewise
  std::uint32_t penalty_window = 0;  // tokens of the past that penalties look at; 0: all
  Order order = Order::kTemperatureFirst;

  bool operator==(const SamplerSettings&) const = default;
  [[nodiscard]] bool has_penalties() const {
    return repetition_penalty != 1 || presence_penalty != 0 || frequency_penalty != 0;
  }
  // Errors: kUsage, naming the setting, what was found and what is expected.
  [[nodiscard]] Status check() const;
};

}  // namespace tacit
