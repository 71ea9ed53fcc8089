// SPDX-License-Identifier: MIT
// Cases of the kernels that work on rows of floats: quantisation, norms, activations, rotation.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "kernel_check/check.h"

namespace tacit::test {
namespace {

using kernels::kBlock;
using kernels::Kernels;

constexpr std::uint32_t kAlignments = 16;  // places of a float between boundaries of 64 bytes
constexpr std::uint32_t kEveryCountTo = 300;
constexpr std::uint32_t kSomeCounts[] = {575, 576, 960, 1023, 1536, 2049};

std::uint32_t padding_of(std::uint32_t count) { return kernels::round_up(count, kBlock) - count; }

struct RowSizes {
  std::uint32_t count = 0;
  std::size_t offset = 0;      // of the input, in elements
  std::size_t out_offset = 0;  // of the output
  Flavour flavour = Flavour::kOrdinary;
  bool in_place = false;  // where a kernel is called like that: the output is the first input
};

std::string text(const RowSizes& sizes) {
  return "count " + std::to_string(sizes.count) + " (" + name_of(sizes.flavour) + ", in + " +
         std::to_string(sizes.offset) + ", out + " + std::to_string(sizes.out_offset) +
         (sizes.in_place ? ", in place)" : ")");
}

// make(sizes, random) for all counts and alignments, with all flavours in turn.
template <class Make>
void add_rows(CaseSink& sink, std::uint32_t count_max, Make make) {
  const auto add = [&](std::uint32_t count) {
    for (std::uint32_t offset = 0; offset < kAlignments; ++offset) {
      sink.add([&](Random& random) {
        const Flavour flavour = kFlavours[(count + offset) % std::size(kFlavours)];
        return make({count, offset, random.below(kAlignments), flavour, random.one_in(4)}, random);
      });
    }
  };
  for (std::uint32_t count = 1; count <= std::min(count_max, kEveryCountTo); ++count) add(count);
  for (const std::uint32_t count : kSomeCounts) {
    if (count <= count_max) add(count);
  }
}
template <auto kMake>
void add_all_rows(CaseSink& sink) {
  add_rows(sink, 1u << 20, kMake);
}

template <auto kMake, std::uint32_t... kCounts>
std::vector<KernelCase> typical_rows(Random& random) {
  return {kMake({kCounts, 0, 0, Flavour::kOrdinary, false}, random)...};
}

// What is behind the floats may be anything: heads lie one behind the other, without zeros between them.
Input<float> unpadded_row(const RowSizes& sizes, float largest, Random& random) {
  Input<float> x(sizes.count + padding_of(sizes.count), sizes.offset);
  fill(x.data(), x.size(), Flavour::kAnyBits, random);
  fill(x.data(), sizes.count, sizes.flavour, random, largest);
  return x;
}

KernelCase int8_case(const RowSizes& sizes, Random& random) {
  const auto call = [sizes, x = unpadded_row(sizes, kernels::kInt8MagnitudeMax, random)](const Kernels& k,
                                                                                         Outputs& out) {
    const std::uint32_t blocks = kernels::round_up(sizes.count, kBlock) / kBlock;
    auto* const q = out.array<std::int8_t>("q", blocks * kBlock, 0, sizes.out_offset);
    auto* const scales = out.array<float>("scales", blocks, 0, sizes.out_offset);
    auto* const sums = out.array<std::int32_t>("sums", blocks, 0, sizes.out_offset);
    k.quantize_int8(x.data(), sizes.count, q, scales, sums);
  };
  return {text(sizes), static_cast<double>(sizes.count), call};
}

KernelCase int16_case(const RowSizes& sizes, Random& random) {
  const auto call = [sizes, x = unpadded_row(sizes, kernels::kInt16MagnitudeMax, random)](const Kernels& k,
                                                                                          Outputs& out) {
    const std::uint32_t blocks = kernels::round_up(sizes.count, kBlock) / kBlock;
    auto* const q = out.array<std::int16_t>("q", blocks * kBlock, 0, sizes.out_offset);
    k.quantize_int16(x.data(), sizes.count, q, out.array<float>("scales", blocks, 0, sizes.out_offset));
  };
  return {text(sizes), static_cast<double>(sizes.count), call};
}

KernelCase values_case(const RowSizes& sizes, Random& random) {
  const auto call = [sizes, x = unpadded_row(sizes, kernels::kInt8MagnitudeMax, random)](const Kernels& k,
                                                                                         Outputs& out) {
    auto* const q = out.array<std::int8_t>("q", sizes.count, 0, sizes.out_offset);
    out.returned(k.quantize_values(x.data(), sizes.count, q));
  };
  return {text(sizes), static_cast<double>(sizes.count), call};
}

// A kernel that makes a padded row `out` of a padded row x: run(kernels, x, out). In place x is out.
template <class Run>
KernelCase row_case(const RowSizes& sizes, Random& random, Run run) {
  const auto call = [sizes, run, x = random_row(sizes.count, sizes.offset, sizes.flavour, random)](const Kernels& k,
                                                                                                   Outputs& out) {
    const float* const initial = sizes.in_place ? x.data() : nullptr;
    float* const row = out.array<float>("out", sizes.count, padding_of(sizes.count), sizes.out_offset, initial);
    run(k, sizes.in_place ? row : x.data(), row);
  };
  return {text(sizes), static_cast<double>(sizes.count), call};
}

constexpr float kEpsilons[] = {1e-5f, 1e-6f, 0.0f};

KernelCase rms_norm_case(const RowSizes& sizes, Random& random) {
  const float epsilon = kEpsilons[random.below(std::size(kEpsilons))];
  return row_case(
      sizes, random,
      [sizes, epsilon, weight = random_row(sizes.count, sizes.offset, sizes.flavour, random)](
          const Kernels& k, const float* x, float* out) { k.rms_norm(x, weight.data(), sizes.count, epsilon, out); });
}

KernelCase layer_norm_case(const RowSizes& sizes, Random& random) {
  const float epsilon = kEpsilons[random.below(std::size(kEpsilons))];
  const bool has_bias = random.one_in(2);
  KernelCase made =
      row_case(sizes, random,
               [sizes, epsilon, has_bias, weight = random_row(sizes.count, sizes.offset, sizes.flavour, random),
                bias = random_row(sizes.count, sizes.out_offset, sizes.flavour, random)](const Kernels& k,
                                                                                         const float* x, float* out) {
                 k.layer_norm(x, weight.data(), has_bias ? bias.data() : nullptr, sizes.count, epsilon, out);
               });
  made.sizes += has_bias ? ", bias" : ", no bias";
  return made;
}

template <auto kField>
KernelCase gated_case(const RowSizes& sizes, Random& random) {
  return row_case(
      sizes, random,
      [sizes, up = random_row(sizes.count, sizes.out_offset, sizes.flavour, random)](
          const Kernels& k, const float* gate, float* out) { (k.*kField)(gate, up.data(), sizes.count, out); });
}

// The kernels that have no other output than their input.
KernelCase gelu_case(RowSizes sizes, Random& random) {
  sizes.in_place = true;
  return row_case(sizes, random, [count = sizes.count](const Kernels& k, const float*, float* x) { k.gelu(x, count); });
}
std::vector<KernelCase> typical_gelu(Random& random) { return {gelu_case({1536, 0, 0, Flavour::kSix, true}, random)}; }

KernelCase soft_cap_case(RowSizes sizes, Random& random) {
  constexpr float kCaps[] = {50.0f, 3.5f, 1.0f, 0.001f, 1e5f};
  const float cap = kCaps[random.below(std::size(kCaps))];
  sizes.in_place = true;
  KernelCase made = row_case(sizes, random, [cap, count = sizes.count](const Kernels& k, const float*, float* x) {
    k.soft_cap(x, count, cap);
  });
  made.sizes += ", cap " + std::to_string(cap);
  return made;
}

KernelCase add_case(RowSizes sizes, Random& random) {
  sizes.in_place = true;
  return row_case(sizes, random,
                  [count = sizes.count, other = random_row(sizes.count, sizes.offset, sizes.flavour, random)](
                      const Kernels& k, const float*, float* x) { k.add(other.data(), count, x); });
}

// Heads one behind the other; what is not turned, and what is behind them, stays as it is.
template <auto kField>
KernelCase rotation_case(std::uint32_t head_count, std::uint32_t head_dim, std::uint32_t pair_count, Flavour flavour,
                         Random& random) {
  const std::size_t offset = random.below(kAlignments);
  Input<float> x(head_count * head_dim), cosine(pair_count, random.below(kAlignments)),
      sine(pair_count, random.below(kAlignments));
  fill(x.data(), x.size(), flavour, random);
  for (std::uint32_t i = 0; i < pair_count; ++i) {
    const float angle = 6.3f * random.uniform();
    cosine[i] = std::cos(angle);
    sine[i] = std::sin(angle);
  }
  const std::string sizes = std::to_string(head_count) + " heads of " + std::to_string(head_dim) + ", " +
                            std::to_string(pair_count) + " pairs (" + name_of(flavour) + ", x + " +
                            std::to_string(offset) + ")";
  const auto call = [=](const Kernels& k, Outputs& out) {
    float* const heads = out.array<float>("x", x.size(), 0, offset, x.data());
    (k.*kField)(heads, head_count, head_dim, pair_count, cosine.data(), sine.data());
  };
  return {sizes, 2.0 * head_count * pair_count, call};
}

template <auto kField>
void add_rotations(CaseSink& sink) {
  for (std::uint32_t head_dim = 2; head_dim <= 160; ++head_dim) {
    for (const std::uint32_t pair_count : {head_dim / 2, head_dim / 4 + 1, std::uint32_t{1}}) {
      if (2 * pair_count > head_dim) continue;
      for (const Flavour flavour : kFlavours) {
        sink.add([&](Random& random) {
          return rotation_case<kField>(1 + random.below(4), head_dim, pair_count, flavour, random);
        });
      }
    }
  }
}

template <auto kField>
std::vector<KernelCase> typical_rotations(Random& random) {
  return {rotation_case<kField>(9, 64, 32, Flavour::kOrdinary, random)};
}

constexpr KernelFunction kFunctions[] = {
    {"quantize_int8", "float", add_all_rows<int8_case>, typical_rows<int8_case, 64, 576, 2048>},
    {"quantize_int16", "float", add_all_rows<int16_case>, typical_rows<int16_case, 576>},
    {"quantize_values", "float", [](CaseSink& sink) { add_rows(sink, kernels::kValueGroup, values_case); },
     typical_rows<values_case, 64>},
    {"rms_norm", "float", add_all_rows<rms_norm_case>, typical_rows<rms_norm_case, 576, 2048>},
    {"layer_norm", "float", add_all_rows<layer_norm_case>, typical_rows<layer_norm_case, 768>},
    {"swiglu", "float", add_all_rows<gated_case<&Kernels::swiglu>>, typical_rows<gated_case<&Kernels::swiglu>, 1536>},
    {"geglu", "float", add_all_rows<gated_case<&Kernels::geglu>>, typical_rows<gated_case<&Kernels::geglu>, 1536>},
    {"gelu", "float", add_all_rows<gelu_case>, typical_gelu},
    {"soft_cap", "float", add_all_rows<soft_cap_case>, typical_rows<soft_cap_case, 1536>},
    {"add", "float", add_all_rows<add_case>, typical_rows<add_case, 576>},
    {"rotate_pairs", "float", add_rotations<&Kernels::rotate_pairs>, typical_rotations<&Kernels::rotate_pairs>},
    {"rotate_halves", "float", add_rotations<&Kernels::rotate_halves>, typical_rotations<&Kernels::rotate_halves>},
};

}  // namespace

std::span<const KernelFunction> row_functions() { return kFunctions; }

}  // namespace tacit::test
