// SPDX-License-Identifier: MIT
// Blocks of 32 elements with one scale, and NVFP4's 64 with four. Element i is in the low nibble of byte i, element
// i + half the block in its high nibble.
#include <bit>

#include "quants/blocks.h"

namespace tacit::quants {
namespace {

constexpr std::uint32_t kSize = 32;

// e2m1, doubled. (OCP Microscaling Formats 1.0, 5.3.3)
constexpr std::int8_t kE2m1Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// `count` nibbles.
template <class Map>
void map_nibbles(const std::uint8_t* source, std::uint32_t count, std::int8_t* values, Map map) {
  for (std::uint32_t i = 0; i < count / 2; ++i) {
    values[i] = static_cast<std::int8_t>(map(source[i] & 15, i));
    values[i + count / 2] = static_cast<std::int8_t>(map(source[i] >> 4, i + count / 2));
  }
}

void read_nibbles(const std::uint8_t* source, int offset, Integers& out) {
  map_nibbles(source, kSize, out.values.data(), [&](int nibble, std::uint32_t) { return nibble - offset; });
}

// Bit i of the word is the fifth bit of element i.
void read_five_bits(const std::uint8_t* fifth, const std::uint8_t* nibbles, int offset, Integers& out) {
  const auto word = load_unaligned<std::uint32_t>(fifth);
  map_nibbles(nibbles, kSize, out.values.data(),
              [&](int nibble, std::uint32_t i) { return (nibble | static_cast<int>((word >> i) & 1) << 4) - offset; });
}

// 2^(exponent - 128): half of an e8m0 scale, for the doubled values.
float half_of_e8m0(std::uint32_t exponent) {
  return std::bit_cast<float>(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
}

// Half of a scale of four exponent bits and three others, without a sign. The code of NaN means 0.
float half_of_ue4m3(std::uint8_t code) {
  const std::uint32_t exponent = (code >> 3) & 15u;
  const auto mantissa = static_cast<float>(code & 7);
  if (code == 0x7f) return 0;
  if (exponent == 0) return mantissa * 0x1p-10f;
  return (8 + mantissa) * std::bit_cast<float>((exponent + 127 - 11) << 23);
}

}  // namespace

void decode_q4_0(const std::uint8_t* block, Integers& out) {
  set_scale(out, 0, kSize, half_at(block));
  read_nibbles(block + 2, 8, out);
}

void decode_q4_1(const std::uint8_t* block, Integers& out) {
  set_scale(out, 0, kSize, half_at(block), half_at(block + 2));
  read_nibbles(block + 4, 0, out);
}

void decode_q5_0(const std::uint8_t* block, Integers& out) {
  set_scale(out, 0, kSize, half_at(block));
  read_five_bits(block + 2, block + 6, 16, out);
}

void decode_q5_1(const std::uint8_t* block, Integers& out) {
  set_scale(out, 0, kSize, half_at(block), half_at(block + 2));
  read_five_bits(block + 4, block + 8, 0, out);
}

void decode_q8_0(const std::uint8_t* block, Integers& out) {
  set_scale(out, 0, kSize, half_at(block));
  for (std::uint32_t i = 0; i < kSize; ++i) out.values[i] = static_cast<std::int8_t>(block[2 + i]);
}

void decode_iq4_nl(const std::uint8_t* block, Integers& out) {
  set_scale(out, 0, kSize, half_at(block));
  map_nibbles(block + 2, kSize, out.values.data(), [](int nibble, std::uint32_t) { return kIq4Values[nibble]; });
}

void decode_mxfp4(const std::uint8_t* block, Integers& out) {
  set_scale(out, 0, kSize, half_of_e8m0(block[0]));
  map_nibbles(block + 1, kSize, out.values.data(), [](int nibble, std::uint32_t) { return kE2m1Values[nibble]; });
}

void decode_nvfp4(const std::uint8_t* block, Integers& out) {
  for (std::uint32_t run = 0; run < 4; ++run) {
    set_scale(out, run * kRun, kRun, half_of_ue4m3(block[run]));
    map_nibbles(block + 4 + run * kRun / 2, kRun, out.values.data() + run * kRun,
                [](int nibble, std::uint32_t) { return kE2m1Values[nibble]; });
  }
}

}  // namespace tacit::quants
