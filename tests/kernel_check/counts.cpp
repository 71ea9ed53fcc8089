// SPDX-License-Identifier: MIT
// Cases of the kernels that make frequencies, and of those that work on them.
#include <algorithm>
#include <iterator>
#include <utility>

#include "kernel_check/check.h"

namespace tacit::test {
namespace {

using kernels::Kernels;
using kernels::MixtureCut;
using kernels::MixturePart;

constexpr std::uint32_t kAlignments = 16;
constexpr std::uint32_t kEveryCountTo = 300;
constexpr std::uint32_t kManyTokens = 4099;
constexpr std::uint32_t kVocabulary = 49152;

// make(count, offset, random) for all counts and alignments.
template <class Make>
void add_counts(CaseSink& sink, std::uint32_t count_min, Make make) {
  const auto add = [&](std::uint32_t count) {
    for (std::uint32_t offset = 0; offset < kAlignments; ++offset) {
      sink.add([&](Random& random) { return make(count, offset, random); });
    }
  };
  for (std::uint32_t count = count_min; count <= kEveryCountTo; ++count) add(count);
  add(kManyTokens);
}
template <auto kMake, std::uint32_t kCountMin>
void add_all_counts(CaseSink& sink) {
  add_counts(sink, kCountMin, kMake);
}
template <auto kMake>
std::vector<KernelCase> typical_counts(Random& random) {
  return {kMake(kVocabulary, 0, random)};
}

std::string text(std::uint32_t count, std::size_t offset) {
  return "count " + std::to_string(count) + " (in + " + std::to_string(offset) + ")";
}

KernelCase logits_case(std::uint32_t count, std::size_t offset, Flavour flavour, float scale, Random& random) {
  Input<float> logits(count, offset);
  fill(logits.data(), count, flavour, random);
  const std::size_t out_offset = random.below(kAlignments);
  const auto call = [=](const Kernels& k, Outputs& out) {
    auto* const frequencies = out.array<std::uint32_t>("frequencies", count, 0, out_offset);
    const std::uint64_t total = k.frequencies(logits.data(), count, scale, frequencies);
    out.returned(total);
    if (total == 0) std::fill_n(frequencies, count, 0u);  // then they may be anything
  };
  return {text(count, offset) + ", " + name_of(flavour) + ", scale " + std::to_string(scale),
          static_cast<double>(count), call};
}

KernelCase frequencies_case(std::uint32_t count, std::size_t offset, Random& random) {
  constexpr float kScales[] = {1.0f, 1.0f / 0.7f, 0.3f, 1e30f, 1e-30f};
  return logits_case(count, offset, kFlavours[(count + offset) % std::size(kFlavours)],
                     kScales[random.below(std::size(kScales))], random);
}
std::vector<KernelCase> typical_frequencies(Random& random) {
  return {logits_case(kVocabulary, 0, Flavour::kOrdinary, 1, random)};
}

// Of all magnitudes, the ends of their range among them.
std::uint32_t random_weight(Random& random) {
  if (random.one_in(16)) return random.one_in(2) ? 0 : kernels::kFrequencyOne;
  return random.below(kernels::kFrequencyOne) >> random.below(31);
}

Input<std::uint32_t> random_weights(std::uint32_t count, std::size_t offset, Random& random) {
  Input<std::uint32_t> weights(count, offset);
  for (std::uint32_t i = 0; i < count; ++i) weights[i] = random_weight(random);
  return weights;
}

struct Part {
  Input<std::uint32_t> weights;
  float gain;
  std::vector<MixtureCut> cuts;
};

// Cuts that begin and end at weights of the part, or, seldom, hold nothing. All gains together stay below 1.9, and so
// sums below 2^31.
Part random_part(std::uint32_t count, std::size_t offset, std::uint32_t part_count, Random& random) {
  Part part{random_weights(count, offset, random), 0, std::vector<MixtureCut>(random.below(5))};
  const auto gain = [&] {
    if (random.one_in(6)) return random.one_in(2) ? 0.0f : 1e-40f;
    return random.uniform() * 1.9f / static_cast<float>(part_count * (part.cuts.size() + 1));
  };
  part.gain = gain();
  for (MixtureCut& cut : part.cuts) {
    cut = {part.weights[random.below(count)], part.weights[random.below(count)], gain()};
    if (cut.lowest > cut.highest && !random.one_in(8)) std::swap(cut.lowest, cut.highest);
    if (random.one_in(8)) cut.highest = 0x7fffffff;
  }
  return part;
}

KernelCase mix_case(std::uint32_t count, std::size_t offset, Random& random) {
  std::vector<Part> parts;
  const std::uint32_t part_count = 1 + random.below(4);
  for (std::uint32_t p = 0; p < part_count; ++p) parts.push_back(random_part(count, offset, part_count, random));
  const std::size_t out_offset = random.below(kAlignments);
  const auto call = [=](const Kernels& k, Outputs& out) {
    MixturePart given[4];
    for (std::uint32_t p = 0; p < part_count; ++p) {
      given[p] = {parts[p].weights.data(), parts[p].gain, parts[p].cuts.data(),
                  static_cast<std::uint32_t>(parts[p].cuts.size())};
    }
    auto* const frequencies = out.array<std::uint32_t>("frequencies", count, 0, out_offset);
    out.returned(k.mix(given, part_count, count, frequencies));
  };
  return {text(count, offset) + ", " + std::to_string(part_count) + " parts", static_cast<double>(count), call};
}

KernelCase collect_case(std::uint32_t count, std::size_t offset, Random& random) {
  Input<std::uint32_t> weights = random_weights(count, offset, random);
  std::uint32_t lowest = weights[random.below(count)];
  std::uint32_t highest = random.one_in(4) ? 0x7fffffff : weights[random.below(count)];
  if (lowest > highest) std::swap(lowest, highest);
  const std::size_t out_offset = random.below(kAlignments);
  const auto call = [=](const Kernels& k, Outputs& out) {
    auto* const tokens = out.array<std::uint32_t>("tokens", count, 0, out_offset);
    const std::uint32_t size = k.collect(weights.data(), count, lowest, highest, tokens);
    out.returned(size);
    if (size <= count) std::fill(tokens + size, tokens + count, 0u);  // which may be anything
  };
  return {text(count, offset) + ", from " + std::to_string(lowest) + " to " + std::to_string(highest),
          static_cast<double>(count), call};
}

// Some are all the same, or the same but for few.
KernelCase top_two_case(std::uint32_t count, std::size_t offset, Random& random) {
  Input<std::uint32_t> weights = random_weights(count, offset, random);
  if (random.one_in(4)) {
    const std::uint32_t weight = random_weight(random);
    for (std::uint32_t i = 0; i < count; ++i) weights[i] = random.one_in(64) ? random_weight(random) : weight;
  }
  const auto call = [=](const Kernels& k, Outputs& out) {
    k.top_two(weights.data(), count, out.array<std::uint32_t>("tokens", 2, 0, 0));
  };
  return {text(count, offset), static_cast<double>(count), call};
}

KernelCase sum_case(std::uint32_t count, std::size_t offset, Random& random) {
  Input<std::uint32_t> frequencies(count, offset);
  for (std::uint32_t i = 0; i < count; ++i) {
    frequencies[i] = random.one_in(4) ? 0xffffffff : static_cast<std::uint32_t>(random.next());
  }
  const auto call = [=](const Kernels& k, Outputs& out) { out.returned(k.sum(frequencies.data(), count)); };
  return {text(count, offset), static_cast<double>(count), call};
}

constexpr KernelFunction kFunctions[] = {
    {"frequencies", "token", add_all_counts<frequencies_case, 1>, typical_frequencies},
    {"mix", "token", add_all_counts<mix_case, 1>, typical_counts<mix_case>},
    {"collect", "token", add_all_counts<collect_case, 1>, typical_counts<collect_case>},
    {"top_two", "token", add_all_counts<top_two_case, 1>, typical_counts<top_two_case>},
    {"sum", "token", add_all_counts<sum_case, 0>, typical_counts<sum_case>},
};

}  // namespace

std::span<const KernelFunction> count_functions() { return kFunctions; }

}  // namespace tacit::test
