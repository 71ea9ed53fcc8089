// SPDX-License-Identifier: MIT
// Cases of the kernels that multiply integers: matrix products and attention.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>

#include "base/aligned_buffer.h"
#include "kernel_check/check.h"

namespace tacit::test {
namespace {

using kernels::AttentionHead;
using kernels::FormatTraits;
using kernels::kBlock;
using kernels::Kernels;
using kernels::kTile;
using kernels::PackedMatrix;
using kernels::SlotSpan;
using kernels::WeightFormat;

constexpr std::uint32_t kAlignments = 16;

// Which of the allowed integers: sums of products are largest where all are at an end of their range.
enum class Numbers : std::uint8_t { kAny, kLowest, kHighest, kEnds };
constexpr Numbers kNumbers[] = {Numbers::kAny, Numbers::kLowest, Numbers::kHighest, Numbers::kEnds};
const char* name_of(Numbers numbers) {
  constexpr const char* kNames[] = {"any", "lowest", "highest", "both ends"};
  return kNames[static_cast<std::size_t>(numbers)];
}

std::int32_t draw(Numbers numbers, std::int32_t lowest, std::int32_t highest, Random& random) {
  switch (numbers) {
    case Numbers::kLowest:
      return lowest;
    case Numbers::kHighest:
      return highest;
    case Numbers::kEnds:
      return random.one_in(2) ? lowest : highest;
    default:
      return lowest + static_cast<std::int32_t>(random.below(static_cast<std::size_t>(highest - lowest) + 1));
  }
}

template <class T>
void fill_numbers(T* q, std::size_t count, Numbers numbers, std::int32_t largest, Random& random) {
  for (std::size_t i = 0; i < count; ++i) q[i] = static_cast<T>(draw(numbers, -largest, largest, random));
}

void make_magnitudes(Input<float>& x) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::fabs(x[i]);
}

struct ProductSizes {
  FormatTraits format;
  std::uint32_t row_count;
  std::uint32_t first_tile, end_tile;
  std::uint32_t block_count;
};

AlignedBuffer random_weights(const ProductSizes& sizes, Numbers numbers, Flavour flavour, Random& random) {
  const std::size_t values = value_bytes(sizes.format.format);
  const std::size_t bytes = tile_block_bytes(sizes.format.format);
  AlignedBuffer weights(sizes.end_tile * sizes.block_count * bytes);
  for (std::size_t at = 0; at < weights.size(); at += bytes) {
    std::uint8_t* const block = weights.data() + at;
    if (sizes.format.format == WeightFormat::kInt16) {
      fill_numbers(reinterpret_cast<std::int16_t*>(block), values / 2, numbers, kernels::kInt16MagnitudeMax, random);
    } else {
      for (std::size_t i = 0; i < values; ++i) block[i] = static_cast<std::uint8_t>(draw(numbers, 0, 255, random));
    }
    fill(reinterpret_cast<float*>(block + values), (bytes - values) / sizeof(float), flavour, random);
  }
  return weights;
}

struct Activations {
  Input<std::int8_t> int8;
  Input<std::int16_t> int16;
  Input<float> scales;
  Input<std::int32_t> sums;
};

Activations random_activations(const ProductSizes& sizes, Numbers numbers, Flavour flavour, Random& random) {
  const std::size_t blocks = std::size_t{sizes.row_count} * sizes.block_count;
  const std::size_t offset = random.below(kAlignments);
  Activations x{Input<std::int8_t>(blocks * kBlock, offset), Input<std::int16_t>(blocks * kBlock, offset),
                Input<float>(blocks, offset), Input<std::int32_t>(blocks, offset)};
  fill_numbers(x.int8.data(), x.int8.size(), numbers, kernels::kInt8MagnitudeMax, random);
  fill_numbers(x.int16.data(), x.int16.size(), numbers, kernels::kInt16MagnitudeMax, random);
  fill(x.scales.data(), blocks, flavour, random);
  make_magnitudes(x.scales);
  for (std::size_t b = 0; b < blocks; ++b) {
    x.sums[b] = 0;
    for (std::uint32_t k = 0; k < kBlock; ++k) x.sums[b] += x.int8[b * kBlock + k];
  }
  return x;
}

std::string name_of(const FormatTraits& format) {
  return std::to_string(format.bits) + " bits" + (format.part_count == 2 ? ", halves" : "") +
         (format.has_minimum ? ", minimum" : "");
}

// Rows and tiles that do not take part, and what is between the rows, must stay as they are.
KernelCase product_case(const ProductSizes& sizes, Numbers weight_numbers, Numbers numbers, Flavour flavour,
                        Random& random) {
  const auto weights = std::make_shared<AlignedBuffer>(random_weights(sizes, weight_numbers, flavour, random));
  const auto x = std::make_shared<Activations>(random_activations(sizes, numbers, flavour, random));
  const std::size_t stride = sizes.end_tile * kTile + random.below(40);
  const std::size_t offset = random.below(kAlignments);
  const std::string text = name_of(sizes.format) + ", " + std::to_string(sizes.row_count) + " rows, tiles " +
                           std::to_string(sizes.first_tile) + " to " + std::to_string(sizes.end_tile) + ", " +
                           std::to_string(sizes.block_count) + " blocks (weights " + name_of(weight_numbers) +
                           ", activations " + name_of(numbers) + ", scales " + test::name_of(flavour) + ", stride " +
                           std::to_string(stride) + ", out + " + std::to_string(offset) + ")";
  const auto call = [=](const Kernels& k, Outputs& out) {
    const PackedMatrix matrix{weights->data(), sizes.end_tile * kTile, sizes.block_count, sizes.format.format};
    const bool is_int16 = sizes.format.format == WeightFormat::kInt16;
    const kernels::QuantizedRows rows{is_int16 ? nullptr : x->int8.data(), is_int16 ? x->int16.data() : nullptr,
                                      x->scales.data(), is_int16 ? nullptr : x->sums.data()};
    float* const result = out.array<float>("out", sizes.row_count * stride, 0, offset);
    k.matmul(matrix, sizes.first_tile, sizes.end_tile, rows, sizes.row_count, result, stride);
  };
  const double multiply_adds =
      1.0 * sizes.row_count * (sizes.end_tile - sizes.first_tile) * kTile * sizes.block_count * kBlock;
  return {text, multiply_adds, call};
}

// All around those that sets take at once, up to 32.
constexpr std::uint32_t kRowCounts[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                        16, 17, 20, 23, 31, 32, 33, 36, 47, 48, 49, 64, 67};

void add_products(CaseSink& sink) {
  for (const FormatTraits& format : kernels::kWeightFormats) {
    for (const std::uint32_t row_count : kRowCounts) {
      for (std::uint32_t tile_count = 1; tile_count <= 6; ++tile_count) {
        for (const std::uint32_t block_count : {1, 2, 3, 6}) {
          sink.add([&](Random& random) {
            const std::uint32_t first = random.below(3);
            const Numbers weight_numbers = kNumbers[random.below(std::size(kNumbers))];
            const Numbers numbers = kNumbers[random.below(std::size(kNumbers))];
            const Flavour flavour =
                random.one_in(2) ? Flavour::kOrdinary : kFlavours[random.below(std::size(kFlavours))];
            return product_case({format, row_count, first, first + tile_count, block_count}, weight_numbers, numbers,
                                flavour, random);
          });
        }
      }
    }
    sink.add([&](Random& random) {
      return product_case({format, 33, 0, 5, 20}, Numbers::kAny, Numbers::kAny, Flavour::kOrdinary, random);
    });
  }
}

std::vector<KernelCase> typical_products(Random& random) {
  std::vector<KernelCase> cases;
  for (const FormatTraits& format : kernels::kWeightFormats) {
    for (const std::uint32_t row_count : {1, 4, 32}) {
      KernelCase made =
          product_case({format, row_count, 0, 16, 18}, Numbers::kAny, Numbers::kAny, Flavour::kOrdinary, random);
      made.sizes =
          name_of(format) + ", " + std::to_string(row_count) + (row_count == 1 ? " row" : " rows") + ", 576 x 256";
      cases.push_back(std::move(made));
    }
  }
  return cases;
}

// The places of a lane's cache that a query attends to.
enum class Spans : std::uint8_t { kFromFirst, kInside, kSinkAndBand, kSinkAndWrappedBand };
constexpr Spans kSpans[] = {Spans::kFromFirst, Spans::kInside, Spans::kSinkAndBand, Spans::kSinkAndWrappedBand};

// The slots are `ring` and one block more, for the sink.
std::vector<SlotSpan> random_spans(Spans kind, std::uint32_t ring, Random& random) {
  const std::uint32_t begin = random.below(ring);
  const std::uint32_t end = begin + 1 + random.below(ring - begin);
  switch (kind) {
    case Spans::kFromFirst:
      return {{0, begin + 1}};
    case Spans::kInside:
      return {{begin, end}};
    case Spans::kSinkAndBand:
      return {{ring, ring + 1}, {begin, end}};
    default:
      return {{ring, ring + 1}, {begin, ring}, {0, 1 + random.below(begin + 1)}};
  }
}

constexpr std::uint32_t kQueriesMax = 6;

struct HeadInputs {
  Input<float> scores, residual_scores, value_scales;
  Input<std::int8_t> values;
  std::vector<SlotSpan> spans;
  bool has_sinks = false;
  float sinks[kQueriesMax] = {};
};

// Scores and scales outside of the spans may be anything.
void spoil_unattended(HeadInputs& inputs, std::uint32_t slots) {
  for (std::uint32_t s = 0; s < slots; ++s) {
    const auto holds = [s](const SlotSpan& span) { return s >= span.begin && s < span.end; };
    if (std::any_of(inputs.spans.begin(), inputs.spans.end(), holds)) continue;
    for (std::size_t i = s; i < inputs.scores.size(); i += slots) {
      inputs.scores[i] = std::numeric_limits<float>::quiet_NaN();
    }
    for (std::size_t i = s; i < inputs.value_scales.size(); i += slots) {
      inputs.value_scales[i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

KernelCase attention_case(std::uint32_t dim, std::uint32_t queries, std::uint32_t ring, Spans spans, Flavour flavour,
                          Random& random) {
  const std::uint32_t slots = ring + kBlock;
  const std::uint32_t groups = kernels::round_up(dim, kernels::kValueGroup) / kernels::kValueGroup;
  const auto inputs = std::make_shared<HeadInputs>();
  const std::size_t score_count = std::size_t{queries} * slots;
  inputs->scores = Input<float>(score_count, random.below(kAlignments));
  inputs->residual_scores = Input<float>(score_count, random.below(kAlignments));
  inputs->value_scales = Input<float>(groups * slots, random.below(kAlignments));
  inputs->values = Input<std::int8_t>(slots * kernels::round_up(dim, kTile), random.below(64));
  inputs->spans = random_spans(spans, ring, random);
  inputs->has_sinks = random.one_in(2);
  fill(inputs->scores.data(), score_count, flavour, random);
  fill(inputs->residual_scores.data(), score_count, flavour == Flavour::kOrdinary ? Flavour::kEdges : flavour, random);
  fill(inputs->value_scales.data(), inputs->value_scales.size(), flavour, random);
  make_magnitudes(inputs->value_scales);
  fill_numbers(inputs->values.data(), inputs->values.size(), kNumbers[random.below(std::size(kNumbers))],
               kernels::kInt8MagnitudeMax, random);
  fill(inputs->sinks, queries, flavour, random);
  spoil_unattended(*inputs, slots);
  const float scale = random.one_in(2) ? 0.125f : 1.0f;
  const std::size_t offset = random.below(kAlignments);
  std::string text = "value_dim " + std::to_string(dim) + ", " + std::to_string(queries) + " queries, " +
                     std::to_string(slots) + " slots, spans";
  double attended = 0;
  for (const SlotSpan& span : inputs->spans) {
    text += " " + std::to_string(span.begin) + " to " + std::to_string(span.end);
    attended += span.end - span.begin;
  }
  text += std::string(" (") + test::name_of(flavour) + (inputs->has_sinks ? ", sinks" : "") + ", out + " +
          std::to_string(offset) + ")";
  const auto call = [=](const Kernels& k, Outputs& out) {
    const AttentionHead head{inputs->scores.data(),
                             inputs->residual_scores.data(),
                             slots,
                             queries,
                             scale,
                             inputs->spans.data(),
                             static_cast<std::uint32_t>(inputs->spans.size()),
                             dim,
                             inputs->values.data(),
                             inputs->value_scales.data(),
                             slots,
                             inputs->has_sinks ? inputs->sinks : nullptr};
    k.attend(head, out.array<float>("out", std::size_t{queries} * dim, 0, offset));
  };
  return {text, attended * dim * queries, call};
}

void add_attentions(CaseSink& sink) {
  for (std::uint32_t dim = 1; dim <= 160; ++dim) {
    for (const Spans spans : kSpans) {
      for (const Flavour flavour : kFlavours) {
        sink.add([&](Random& random) {
          const std::uint32_t queries = 1 + random.below(kQueriesMax);
          const std::uint32_t ring = kBlock * (1 + random.below(6));  // after it, with any compiler
          return attention_case(dim, queries, ring, spans, flavour, random);
        });
      }
    }
  }
  for (const std::uint32_t dim : {256u, 511u, kernels::kHeadDimMax}) {
    sink.add([&](Random& random) {
      return attention_case(dim, 4, 512, Spans::kSinkAndWrappedBand, Flavour::kOrdinary, random);
    });
  }
}

std::vector<KernelCase> typical_attentions(Random& random) {
  std::vector<KernelCase> cases;
  for (const std::uint32_t ring : {64, 512}) {
    for (const std::uint32_t queries : {1, 3, 4}) {
      cases.push_back(attention_case(64, queries, ring, Spans::kSinkAndWrappedBand, Flavour::kOrdinary, random));
    }
  }
  return cases;
}

constexpr KernelFunction kFunctions[] = {
    {"matmul", "multiply-add", add_products, typical_products},
    {"attend", "multiply-add", add_attentions, typical_attentions},
};

}  // namespace

std::span<const KernelFunction> product_functions() { return kFunctions; }

}  // namespace tacit::test
