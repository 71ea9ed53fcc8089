// SPDX-License-Identifier: MIT
// Blocks of 256 elements, eight or four at a time from a codebook (iq_grids.h) by an index, with signs or a shift of
// their own. A scale is one binary16 number times an odd integer and a power of two, exact in float.
#include <bit>

#include "quants/blocks.h"
#include "quants/iq_grids.h"

namespace tacit::quants {
namespace {

// Seven signs; the eighth makes their number even.
std::uint32_t even_signs(std::uint32_t seven) { return seven | (std::popcount(seven) & 1u) << 7; }

// Entries with the signs, of which bit i is that of entry i.
void put_signed(const std::int8_t* entries, std::uint32_t count, std::uint32_t signs, std::int8_t* values) {
  for (std::uint32_t i = 0; i < count; ++i) {
    values[i] = static_cast<std::int8_t>((signs >> i & 1) != 0 ? -entries[i] : entries[i]);
  }
}

// Entries -1, 0 and 1 plus or minus an eighth, times eight.
void put_shifted(const std::int8_t* entries, bool down, std::int8_t* values) {
  for (std::uint32_t i = 0; i < 8; ++i) values[i] = static_cast<std::int8_t>(8 * entries[i] + (down ? -1 : 1));
}

// d * (2 * scale + 1) * unit
float odd_scale(float d, std::uint32_t scale, float unit) { return d * static_cast<float>(2 * scale + 1) * unit; }

}  // namespace

void decode_iq1_s(const std::uint8_t* block, Integers& out) {
  const Grids& grids = Grids::instance();
  const float d = half_at(block);
  for (std::uint32_t i = 0; i < 8; ++i) {
    const auto high = load_unaligned<std::uint16_t>(block + 34 + 2 * i);
    set_scale(out, 32 * i, 32, odd_scale(d, (high >> 12) & 7u, 0.125f));
    for (std::uint32_t l = 0; l < 4; ++l) {
      const std::uint32_t index = block[2 + 4 * i + l] | ((high >> 3 * l) & 7u) << 8;
      put_shifted(grids.iq1[index].data(), (high & 0x8000) != 0, out.values.data() + 32 * i + 8 * l);
    }
  }
}

// The binary16 scale is the high nibbles of four words, whose other bits are sixteen scales of three bits.
void decode_iq1_m(const std::uint8_t* block, Integers& out) {
  const Grids& grids = Grids::instance();
  std::uint32_t d_bits = 0;
  for (std::uint32_t i = 0; i < 4; ++i) d_bits |= (block[48 + 2 * i + 1] >> 4) << 4 * i;
  const float d = numeric::from_binary16(static_cast<std::uint16_t>(d_bits));
  for (std::uint32_t run = 0; run < kBlockMax / kRun; ++run) {
    const auto word = load_unaligned<std::uint16_t>(block + 48 + 2 * (run / 4));
    set_scale(out, run * kRun, kRun, odd_scale(d, (word >> 3 * (run % 4)) & 7u, 0.125f));
  }
  for (std::uint32_t i = 0; i < 32; ++i) {
    const std::uint32_t high = nibble_at(block + 32, i);
    put_shifted(grids.iq1[block[i] | (high & 7) << 8].data(), (high & 8) != 0, out.values.data() + 8 * i);
  }
}

void decode_iq2_xxs(const std::uint8_t* block, Integers& out) {
  const Grids& grids = Grids::instance();
  const float d = half_at(block);
  for (std::uint32_t i = 0; i < 8; ++i) {
    const std::uint8_t* indices = block + 2 + 8 * i;
    const auto word = load_unaligned<std::uint32_t>(indices + 4);
    set_scale(out, 32 * i, 32, odd_scale(d, word >> 28, 0.125f));
    for (std::uint32_t l = 0; l < 4; ++l) {
      put_signed(grids.iq2_xxs[indices[l]].data(), 8, even_signs((word >> 7 * l) & 127),
                 out.values.data() + 32 * i + 8 * l);
    }
  }
}

void decode_iq2_xs(const std::uint8_t* block, Integers& out) {
  const Grids& grids = Grids::instance();
  const float d = half_at(block);
  for (std::uint32_t i = 0; i < 32; ++i) {
    const auto word = load_unaligned<std::uint16_t>(block + 2 + 2 * i);
    put_signed(grids.iq2_xs[word & 511].data(), 8, even_signs(word >> 9), out.values.data() + 8 * i);
  }
  for (std::uint32_t run = 0; run < 16; ++run) {
    set_scale(out, run * kRun, kRun, odd_scale(d, nibble_at(block + 66, run), 0.125f));
  }
}

void decode_iq2_s(const std::uint8_t* block, Integers& out) {
  const Grids& grids = Grids::instance();
  const float d = half_at(block);
  for (std::uint32_t i = 0; i < 32; ++i) {
    const std::uint32_t index = block[2 + i] | ((block[66 + i / 4] >> 2 * (i % 4)) & 3u) << 8;
    put_signed(grids.iq2_s[index].data(), 8, block[34 + i], out.values.data() + 8 * i);
  }
  for (std::uint32_t run = 0; run < 16; ++run) {
    set_scale(out, run * kRun, kRun, odd_scale(d, nibble_at(block + 74, run), 0.125f));
  }
}

void decode_iq3_xxs(const std::uint8_t* block, Integers& out) {
  const Grids& grids = Grids::instance();
  const float d = half_at(block);
  for (std::uint32_t i = 0; i < 8; ++i) {
    const auto word = load_unaligned<std::uint32_t>(block + 66 + 4 * i);
    set_scale(out, 32 * i, 32, odd_scale(d, word >> 28, 0.25f));
    for (std::uint32_t l = 0; l < 8; ++l) {
      const std::uint32_t signs = even_signs((word >> 7 * (l / 2)) & 127) >> 4 * (l % 2);
      put_signed(grids.iq3_xxs[block[2 + 8 * i + l]].data(), 4, signs, out.values.data() + 32 * i + 4 * l);
    }
  }
}

void decode_iq3_s(const std::uint8_t* block, Integers& out) {
  const Grids& grids = Grids::instance();
  const float d = half_at(block);
  for (std::uint32_t i = 0; i < 8; ++i) set_scale(out, 32 * i, 32, odd_scale(d, nibble_at(block + 106, i), 1.0f));
  for (std::uint32_t i = 0; i < 64; ++i) {
    const std::uint32_t index = block[2 + i] | ((block[66 + i / 8] >> i % 8) & 1u) << 8;
    put_signed(grids.iq3_s[index].data(), 4, nibble_at(block + 74, i), out.values.data() + 4 * i);
  }
}

}  // namespace tacit::quants
