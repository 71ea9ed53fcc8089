// SPDX-License-Identifier: MIT
// Random numbers that are the same on every machine, and the kinds of floats that kernels are fed with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel_check/memory.h"

namespace tacit::test {

// SplitMix64: cheap to start, so that every case has its own.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::uint32_t below(std::size_t bound) { return static_cast<std::uint32_t>((next() >> 32) * bound >> 32); }
  bool one_in(std::uint32_t count) { return below(count) == 0; }
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24f; }  // [0, 1)

 private:
  std::uint64_t state_;
};

enum class Flavour : std::uint8_t {
  kOrdinary,  // about normally distributed, of several magnitudes
  kEdges,     // mostly values beside those where something changes: zeros, subnormals, ends of exp's range, the largest
  kTies,      // blocks whose quotients lie between two integers, both as near
  kAnyBits,   // NaN now and then
  kNotFinite,  // ordinary, with a NaN or an infinity among them
  kZeros,      // of both signs
  kSubnormal,
  kQuantizeMin,  // blocks that become zero, or are just large enough
  kSix,          // from 6 to 8, where gelu changes nothing: only for measuring its time
};
inline constexpr Flavour kFlavours[] = {Flavour::kOrdinary,  Flavour::kEdges,      Flavour::kTies,
                                        Flavour::kAnyBits,   Flavour::kNotFinite,  Flavour::kZeros,
                                        Flavour::kSubnormal, Flavour::kQuantizeMin};
const char* name_of(Flavour flavour);

// `largest`: what the largest magnitude of a block is quantised to, for ties.
void fill(float* x, std::size_t count, Flavour flavour, Random& random, float largest = 127);

// A row of `count` floats with zeros behind it, to a multiple of kBlock.
Input<float> random_row(std::uint32_t count, std::size_t offset, Flavour flavour, Random& random);

}  // namespace tacit::test
