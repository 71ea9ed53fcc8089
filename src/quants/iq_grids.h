// SPDX-License-Identifier: MIT
// The codebooks of the IQ types: what an index means. Published data of the format (ggml-common.h, MIT licence,
// Copyright (c) 2023-2024 The ggml authors); an entry's elements are kept as places in the few values that occur.
#pragma once

#include <array>
#include <cstdint>

namespace tacit::quants {

struct Grids {
  template <std::size_t kCount, std::size_t kWidth>
  using Grid = std::array<std::array<std::int8_t, kWidth>, kCount>;

  Grid<2048, 8> iq1;
  Grid<256, 8> iq2_xxs;
  Grid<512, 8> iq2_xs;
  Grid<1024, 8> iq2_s;
  Grid<256, 4> iq3_xxs;
  Grid<512, 4> iq3_s;

  static const Grids& instance();
};

}  // namespace tacit::quants
