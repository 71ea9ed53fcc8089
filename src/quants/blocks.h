// SPDX-License-Identifier: MIT
// The decoders of blocks, by family, and what they share. Layouts and codebooks are those of ggml (MIT licence),
// https://github.com/ggml-org/ggml: ggml-common.h draws the blocks, gguf-py's quants.py says what they mean.
#pragma once

#include <algorithm>

#include "base/bytes.h"
#include "numeric/float_formats.h"
#include "quants/dequantize.h"

namespace tacit::quants {

inline float half_at(const std::uint8_t* source) {
  return numeric::from_binary16(load_unaligned<std::uint16_t>(source));
}

// The scale of `count` elements from `first` on, a whole number of runs.
inline void set_scale(Integers& out, std::uint32_t first, std::uint32_t count, float scale, float minimum = 0) {
  for (std::uint32_t run = first / kRun; run < (first + count) / kRun; ++run) {
    out.scales[run] = scale;
    out.minimums[run] = minimum;
  }
}

// Nibble `index`, low ones first.
inline std::uint32_t nibble_at(const std::uint8_t* source, std::uint32_t index) {
  return (source[index / 2] >> 4 * (index % 2)) & 15u;
}

// small_blocks.cpp: 32 or 64 elements with plain scales.
void decode_q4_0(const std::uint8_t* block, Integers& out);
void decode_q4_1(const std::uint8_t* block, Integers& out);
void decode_q5_0(const std::uint8_t* block, Integers& out);
void decode_q5_1(const std::uint8_t* block, Integers& out);
void decode_q8_0(const std::uint8_t* block, Integers& out);
void decode_iq4_nl(const std::uint8_t* block, Integers& out);
void decode_mxfp4(const std::uint8_t* block, Integers& out);
void decode_nvfp4(const std::uint8_t* block, Integers& out);

// k_quants.cpp: 256 elements whose scales are integers times one float, and ternary ones.
void decode_q2_k(const std::uint8_t* block, Integers& out);
void decode_q3_k(const std::uint8_t* block, Integers& out);
void decode_q4_k(const std::uint8_t* block, Integers& out);
void decode_q5_k(const std::uint8_t* block, Integers& out);
void decode_q6_k(const std::uint8_t* block, Integers& out);
void decode_iq4_xs(const std::uint8_t* block, Integers& out);
void decode_tq1_0(const std::uint8_t* block, Integers& out);
void decode_tq2_0(const std::uint8_t* block, Integers& out);

// iq_quants.cpp: 256 elements from codebooks of vectors.
void decode_iq1_s(const std::uint8_t* block, Integers& out);
void decode_iq1_m(const std::uint8_t* block, Integers& out);
void decode_iq2_xxs(const std::uint8_t* block, Integers& out);
void decode_iq2_xs(const std::uint8_t* block, Integers& out);
void decode_iq2_s(const std::uint8_t* block, Integers& out);
void decode_iq3_xxs(const std::uint8_t* block, Integers& out);
void decode_iq3_s(const std::uint8_t* block, Integers& out);

// The integers that the nibbles of IQ4_NL and IQ4_XS stand for.
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace tacit::quants
