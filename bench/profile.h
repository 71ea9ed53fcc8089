// SPDX-License-Identifier: MIT
// Where the time of coding goes: a kernel table whose functions call those of a set and add up what they take.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/cpu/kernels/kernels.h"

namespace tacit::bench {

enum class Share : std::uint8_t {
  kProducts,      // the model's matrices
  kAttention,     // products of queries and keys, softmax, sums of values
  kQuantisation,  // of activations, keys and values
  kRows,          // norms, activations, rotation, sums
  kFrequencies,   // logits to frequencies, and their mixtures
  kCount,
};
inline constexpr std::size_t kShareCount = static_cast<std::size_t>(Share::kCount);

// One at a time, and all coding by one thread while it lives.
class Profile {
 public:
  // `matrices`: where the values of the model's matrices begin; every other product is one of attention.
  Profile(const kernels::Kernels& set, std::span<const std::uint8_t* const> matrices);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  [[nodiscard]] const kernels::Kernels& kernels() const;

  void start();
  void stop();
  // Of the time from start to stop; what is left of 1 was spent outside of the kernels.
  [[nodiscard]] std::array<double, kShareCount> shares() const;

 private:
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace tacit::bench
