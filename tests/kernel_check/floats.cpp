// SPDX-License-Identifier: MIT
#include "kernel_check/floats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>

#include "engine/cpu/kernels/kernels.h"

namespace tacit::test {
namespace {

constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float signed_at_random(float magnitude, Random& random) { return random.one_in(2) ? -magnitude : magnitude; }

float ordinary(Random& random) {
  float sum = -2;
  for (int i = 0; i < 4; ++i) sum += random.uniform();
  return std::ldexp(sum, static_cast<int>(random.below(8)));
}

// One of the values where something changes, or one of its neighbours.
float edge(Random& random) {
  constexpr float kHalfLn2 = 0.34657359f;  // where exp changes its power of two
  constexpr float kAbsorbed = 16.635532f;  // where 1 + exp(-x) becomes 1
  constexpr float kEdges[] = {
      0.0f,      0x1p-126f, 0x1p-101f, kernels::kQuantizeMin, 0x1p-24f, kHalfLn2, 0.5f,    1.0f, 1.5f,
      kAbsorbed, 87.0f,     88.0f,     12582912.0f,           0x1p63f,  1e30f,    kLargest};
  const auto bits = std::bit_cast<std::uint32_t>(kEdges[random.below(std::size(kEdges))]);
  const std::uint32_t near = bits + random.below(5);
  const std::uint32_t neighbour = std::min(near < 2 ? 0 : near - 2, std::bit_cast<std::uint32_t>(kLargest));
  return signed_at_random(std::bit_cast<float>(neighbour), random);
}

// kQuantizeMin, the number before it, and smaller ones.
float about_quantize_min(Random& random) {
  const auto bits = std::bit_cast<std::uint32_t>(kernels::kQuantizeMin);
  const std::uint32_t below = random.one_in(64) ? 0 : random.one_in(64) ? 1 : random.below(bits);
  return signed_at_random(std::bit_cast<float>(bits - below), random);
}

float not_finite(Random& random) {
  return signed_at_random(random.one_in(2) ? kInfinity : std::numeric_limits<float>::quiet_NaN(), random);
}

float draw(Flavour flavour, Random& random) {
  switch (flavour) {
    case Flavour::kEdges:
      return random.one_in(3) ? ordinary(random) : edge(random);
    case Flavour::kAnyBits:
      return std::bit_cast<float>(static_cast<std::uint32_t>(random.next() >> 32));
    case Flavour::kNotFinite:
      return random.one_in(40) ? not_finite(random) : ordinary(random);
    case Flavour::kZeros:
      return signed_at_random(0, random);
    case Flavour::kSubnormal:
      return signed_at_random(std::bit_cast<float>(random.below(1u << 23)), random);
    case Flavour::kQuantizeMin:
      return about_quantize_min(random);
    case Flavour::kSix:
      return 6 + 2 * random.uniform();
    default:
      return ordinary(random);
  }
}

// Blocks with the largest magnitude `largest`, times a power of two, and otherwise halves between integers.
void fill_ties(float* x, std::size_t count, float largest, Random& random) {
  for (std::size_t begin = 0; begin < count; begin += kernels::kBlock) {
    const std::size_t size = std::min<std::size_t>(kernels::kBlock, count - begin);
    const int exponent = static_cast<int>(random.below(41)) - 20;
    for (std::size_t i = begin; i < begin + size; ++i) {
      const float half = static_cast<float>(random.below(static_cast<std::size_t>(largest))) + 0.5f;
      x[i] = std::ldexp(signed_at_random(half, random), exponent);
    }
    x[begin + random.below(size)] = std::ldexp(signed_at_random(largest, random), exponent);
  }
}

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

const char* name_of(Flavour flavour) {
  constexpr const char* kNames[] = {"ordinary", "edges",     "ties",         "any bits", "not finite",
                                    "zeros",    "subnormal", "quantize_min", "six"};
  return kNames[static_cast<std::size_t>(flavour)];
}

void fill(float* x, std::size_t count, Flavour flavour, Random& random, float largest) {
  if (flavour == Flavour::kTies) return fill_ties(x, count, largest, random);
  for (std::size_t i = 0; i < count; ++i) x[i] = draw(flavour, random);
  if (flavour == Flavour::kNotFinite && count > 0) x[random.below(count)] = not_finite(random);
}

Input<float> random_row(std::uint32_t count, std::size_t offset, Flavour flavour, Random& random) {
  Input<float> row(kernels::round_up(count, kernels::kBlock), offset);
  fill(row.data(), count, flavour, random);
  return row;
}

}  // namespace tacit::test
