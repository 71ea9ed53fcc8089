// SPDX-License-Identifier: MIT
// How a matrix product is cut into calls of matmul_rows<format, rows, tiles>, which the including file has defined
// together with kRowsMax, 4 or 8. A tile of weights stays in the first-level cache while all rows pass it. Where
// ManyRows<format>::kApart, its matmul() multiplies kMin to kMax rows, a multiple of kRowsMax, by a tile.
#include <iterator>

namespace tacit::kernels {
namespace {

using RowsFunction = void (*)(const std::uint8_t*, std::size_t, std::uint32_t, const QuantizedRows&, std::size_t,
                              float*, std::size_t);

// Tiles that go side by side when a product has so few rows.
constexpr std::uint32_t tiles_at_once(std::uint32_t row_count) { return row_count == 1 ? 4 : row_count == 2 ? 2 : 1; }

// [r]: the functions for r rows by one tile.
template <WeightFormat kFormat>
constexpr RowsFunction kOneTile[9] = {
    nullptr,
    matmul_rows<kFormat, 1, 1>,
    matmul_rows<kFormat, 2, 1>,
    matmul_rows<kFormat, 3, 1>,
    matmul_rows<kFormat, 4, 1>,
    matmul_rows<kFormat, (kRowsMax > 4 ? 5 : 4), 1>,
    matmul_rows<kFormat, (kRowsMax > 4 ? 6 : 4), 1>,
    matmul_rows<kFormat, (kRowsMax > 4 ? 7 : 4), 1>,
    matmul_rows<kFormat, kRowsMax, 1>,
};

template <WeightFormat kFormat>
void matmul_format(const PackedMatrix& weights, std::uint32_t first_tile, std::uint32_t end_tile,
                   const QuantizedRows& rows, std::uint32_t row_count, float* out, std::size_t out_stride) {
  const std::size_t tile_bytes = weights.block_count * tile_block_bytes(kFormat);
  std::uint32_t tile = first_tile;
  if (row_count <= 2) {
    const RowsFunction several = row_count == 1 ? matmul_rows<kFormat, 1, tiles_at_once(1)>
                                                : matmul_rows<kFormat, 2, tiles_at_once(2)>;
    const std::uint32_t step = tiles_at_once(row_count);
    for (; tile + step <= end_tile; tile += step) {
      several(weights.data + tile * tile_bytes, tile_bytes, weights.block_count, rows, 0, out + tile * kTile,
              out_stride);
    }
  }
  for (; tile < end_tile; ++tile) {
    const std::uint8_t* const tile_data = weights.data + tile * tile_bytes;
    std::uint32_t row = 0;
    if constexpr (ManyRows<kFormat>::kApart) {
      while (row_count - row >= ManyRows<kFormat>::kMin) {
        const std::uint32_t left = (row_count - row) / kRowsMax * kRowsMax;
        const std::uint32_t count = left < ManyRows<kFormat>::kMax ? left : ManyRows<kFormat>::kMax;
        ManyRows<kFormat>::matmul(tile_data, weights.block_count, rows, row, count,
                                  out + row * out_stride + tile * kTile, out_stride);
        row += count;
      }
    }
    for (; row < row_count; row += kRowsMax) {
      const std::uint32_t count = row_count - row < kRowsMax ? row_count - row : kRowsMax;
      kOneTile<kFormat>[count](tile_data, tile_bytes, weights.block_count, rows, row,
                               out + row * out_stride + tile * kTile, out_stride);
    }
  }
}

// [format], in the order of kWeightFormats.
constexpr decltype(&matmul_format<WeightFormat::kInt16>) kMatmuls[] = {
    matmul_format<WeightFormat::kInt4>,       matmul_format<WeightFormat::kInt4Minimum>,
    matmul_format<WeightFormat::kInt4Halves>, matmul_format<WeightFormat::kInt4HalvesMinimum>,
    matmul_format<WeightFormat::kInt5>,       matmul_format<WeightFormat::kInt5Minimum>,
    matmul_format<WeightFormat::kInt5Halves>, matmul_format<WeightFormat::kInt8>,
    matmul_format<WeightFormat::kInt8Halves>, matmul_format<WeightFormat::kInt16>,
};
static_assert(std::size(kMatmuls) == std::size(kWeightFormats));

void matmul(const PackedMatrix& weights, std::uint32_t first_tile, std::uint32_t end_tile, const QuantizedRows& rows,
            std::uint32_t row_count, float* out, std::size_t out_stride) {
  kMatmuls[static_cast<std::size_t>(weights.format)](weights, first_tile, end_tile, rows, row_count, out, out_stride);
}

}  // namespace
}  // namespace tacit::kernels
