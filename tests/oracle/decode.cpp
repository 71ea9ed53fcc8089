// SPDX-License-Identifier: MIT
#include "oracle/decode.h"

#include <bit>
#include <cmath>

#include "base/bytes.h"

namespace tacit::oracle {
namespace {

using gguf::TensorType;

double half_to_double(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const double sign = bits >> 15 != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

double half_at(const std::uint8_t* bytes) { return half_to_double(load_unaligned<std::uint16_t>(bytes)); }

double bfloat_at(const std::uint8_t* bytes) {
  return std::bit_cast<float>(std::uint32_t{load_unaligned<std::uint16_t>(bytes)} << 16);
}

// A block of Q8_0 is a half-precision scale and 32 signed bytes.
void decode_q8_0(const std::uint8_t* block, double* out) {
  for (int i = 0; i < 32; ++i) out[i] = half_at(block) * load_unaligned<std::int8_t>(block + 2 + i);
}

// A block of Q4_0 is a half-precision scale and 16 bytes; byte i holds elements i (low half) and i + 16, plus 8 each.
void decode_q4_0(const std::uint8_t* block, double* out) {
  for (int i = 0; i < 16; ++i) {
    const int byte = block[2 + i];
    out[i] = half_at(block) * ((byte & 15) - 8);
    out[i + 16] = half_at(block) * ((byte >> 4) - 8);
  }
}

// A block of Q6_K is two halves of 128 elements: per half 64 bytes with the low four bits, 32 bytes with the high two
// and 8 signed scales, one for 16 elements; each kind is stored for both halves together, and a half-precision scale
// for all comes last. Element 32 j + i of a half has its low bits in byte 32 (j % 2) + i, in the upper half of it where
// j >= 2, and its high bits in byte i, from bit 2 j on. A number is stored plus 32.
void decode_q6_k(const std::uint8_t* block, double* out) {
  const double scale = half_at(block + 208);
  for (int half = 0; half < 2; ++half) {
    const std::uint8_t* low = block + 64 * half;
    const std::uint8_t* high = block + 128 + 32 * half;
    const std::uint8_t* scales = block + 192 + 8 * half;
    for (int j = 0; j < 4; ++j) {
      for (int i = 0; i < 32; ++i) {
        const int low_bits = low[32 * (j % 2) + i] >> (j < 2 ? 0 : 4) & 15;
        const int high_bits = high[i] >> (2 * j) & 3;
        const double group_scale = load_unaligned<std::int8_t>(scales + 2 * j + i / 16);
        out[128 * half + 32 * j + i] = scale * group_scale * (low_bits + 16 * high_bits - 32);
      }
    }
  }
}

}  // namespace

bool decode_block(TensorType type, const std::uint8_t* block, double* out) {
  switch (type) {
    case TensorType::kF32:
      *out = load_unaligned<float>(block);
      return true;
    case TensorType::kF16:
      *out = half_at(block);
      return true;
    case TensorType::kBF16:
      *out = bfloat_at(block);
      return true;
    case TensorType::kQ8_0:
      decode_q8_0(block, out);
      return true;
    case TensorType::kQ4_0:
      decode_q4_0(block, out);
      return true;
    case TensorType::kQ6_K:
      decode_q6_k(block, out);
      return true;
    default:
      return false;
  }
}

}  // namespace tacit::oracle
