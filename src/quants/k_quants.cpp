// SPDX-License-Identifier: MIT
// Blocks of 256 elements. In the k-quants and IQ4_XS small integers times one binary16 number are the scales of 16 or
// 32 elements; each such product is rounded to float once. Most types spread the bits of an element over fields of k
// bits a byte: field j of byte l is element j * stride + l of a group.
#include "quants/blocks.h"

namespace tacit::quants {
namespace {

constexpr std::uint32_t kSize = kBlockMax;

// Element i's field of `bits` bits, where a group takes `stride` bytes.
std::uint32_t field_at(const std::uint8_t* source, std::uint32_t i, std::uint32_t bits, std::uint32_t stride) {
  const std::uint32_t group = i / (stride * 8 / bits);
  const std::uint32_t within = i % (stride * 8 / bits);
  return (source[group * stride + within % stride] >> bits * (within / stride)) & ((1u << bits) - 1);
}

// Q4_K and Q5_K: eight scales and eight minimums of six bits. Of the last four of each the low four bits are in bytes 8
// to 11, the high two on top of the first four.
struct ScalePair {
  std::uint32_t scale;
  std::uint32_t minimum;
};
ScalePair packed_scales(const std::uint8_t* packed, std::uint32_t i) {
  if (i < 4) return {packed[i] & 63u, packed[4 + i] & 63u};
  const std::uint32_t low = packed[4 + i];
  return {(low & 15u) | (packed[i - 4] >> 6) << 4, low >> 4 | (packed[i] >> 6) << 4};
}

void set_packed_scales(const std::uint8_t* block, Integers& out) {
  const float d = half_at(block);
  const float dmin = half_at(block + 2);
  for (std::uint32_t i = 0; i < 8; ++i) {
    const ScalePair pair = packed_scales(block + 4, i);
    set_scale(out, 32 * i, 32, d * static_cast<float>(pair.scale), -(dmin * static_cast<float>(pair.minimum)));
  }
}

// Q3_K: sixteen scales of six bits, 32 too large: four low bits, then two high ones.
std::int32_t q3_scale(const std::uint8_t* packed, std::uint32_t i) {
  const std::uint32_t low = (packed[i % 8] >> 4 * (i / 8)) & 15u;
  const std::uint32_t high = (packed[8 + i % 4] >> 2 * (i / 4)) & 3u;
  return static_cast<std::int32_t>(low | high << 4) - 32;
}

}  // namespace

void decode_q2_k(const std::uint8_t* block, Integers& out) {
  const float d = half_at(block + 80);
  const float dmin = half_at(block + 82);
  for (std::uint32_t run = 0; run < kSize / kRun; ++run) {
    set_scale(out, run * kRun, kRun, d * static_cast<float>(block[run] & 15),
              -(dmin * static_cast<float>(block[run] >> 4)));
  }
  for (std::uint32_t i = 0; i < kSize; ++i) out.values[i] = static_cast<std::int8_t>(field_at(block + 16, i, 2, 32));
}

void decode_q3_k(const std::uint8_t* block, Integers& out) {
  const float d = half_at(block + 108);
  for (std::uint32_t run = 0; run < kSize / kRun; ++run) {
    set_scale(out, run * kRun, kRun, d * static_cast<float>(q3_scale(block + 96, run)));
  }
  for (std::uint32_t i = 0; i < kSize; ++i) {
    const std::uint32_t value = field_at(block + 32, i, 2, 32) | field_at(block, i, 1, 32) << 2;
    out.values[i] = static_cast<std::int8_t>(static_cast<int>(value) - 4);
  }
}

void decode_q4_k(const std::uint8_t* block, Integers& out) {
  set_packed_scales(block, out);
  for (std::uint32_t i = 0; i < kSize; ++i) out.values[i] = static_cast<std::int8_t>(field_at(block + 16, i, 4, 32));
}

void decode_q5_k(const std::uint8_t* block, Integers& out) {
  set_packed_scales(block, out);
  for (std::uint32_t i = 0; i < kSize; ++i) {
    out.values[i] = static_cast<std::int8_t>(field_at(block + 48, i, 4, 32) | field_at(block + 16, i, 1, 32) << 4);
  }
}

void decode_q6_k(const std::uint8_t* block, Integers& out) {
  const float d = half_at(block + 208);
  for (std::uint32_t run = 0; run < kSize / kRun; ++run) {
    set_scale(out, run * kRun, kRun, d * static_cast<float>(static_cast<std::int8_t>(block[192 + run])));
  }
  for (std::uint32_t i = 0; i < kSize; ++i) {
    const std::uint32_t value = field_at(block, i, 4, 64) | field_at(block + 128, i, 2, 32) << 4;
    out.values[i] = static_cast<std::int8_t>(static_cast<int>(value) - 32);
  }
}

void decode_iq4_xs(const std::uint8_t* block, Integers& out) {
  const float d = half_at(block);
  const auto high = load_unaligned<std::uint16_t>(block + 2);
  for (std::uint32_t i = 0; i < 8; ++i) {
    const std::uint32_t scale = nibble_at(block + 4, i) | ((high >> 2 * i) & 3u) << 4;
    set_scale(out, 32 * i, 32, d * static_cast<float>(static_cast<int>(scale) - 32));
  }
  for (std::uint32_t i = 0; i < kSize; ++i) out.values[i] = kIq4Values[field_at(block + 8, i, 4, 16)];
}

// Five ternary digits a byte, four in the last four bytes. A byte is a fraction of 256, and its digits come from the
// top: the carry of byte * 3^n (mod 256) times 3.
void decode_tq1_0(const std::uint8_t* block, Integers& out) {
  constexpr std::uint8_t kPowers[] = {1, 3, 9, 27, 81};
  set_scale(out, 0, kSize, half_at(block + 52));
  const auto digits = [&](const std::uint8_t* source, std::uint32_t stride, std::uint32_t count, std::int8_t* values) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto rest = static_cast<std::uint8_t>(source[i % stride] * kPowers[i / stride]);
      values[i] = static_cast<std::int8_t>((rest * 3 >> 8) - 1);
    }
  };
  digits(block, 32, 160, out.values.data());
  digits(block + 32, 16, 80, out.values.data() + 160);
  digits(block + 48, 4, 16, out.values.data() + 240);
}

void decode_tq2_0(const std::uint8_t* block, Integers& out) {
  set_scale(out, 0, kSize, half_at(block + 64));
  for (std::uint32_t i = 0; i < kSize; ++i) {
    out.values[i] = static_cast<std::int8_t>(static_cast<int>(field_at(block, i, 2, 32)) - 1);
  }
}

}  // namespace tacit::quants
