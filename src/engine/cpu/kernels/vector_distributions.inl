// SPDX-License-Identifier: MIT
// The functions over rows of the vocabulary (sampling/distribution_kernels.h), for any vector width. Part of
// vector.inl, which includes it.
namespace tacit::kernels {
namespace {

// The frequencies of logits, given in x how far they are below the largest (times the scale). What is less than kExpMin
// below it has a frequency of one, as kExpMin has.
template <std::uint32_t kCount>
TACIT_INLINE void frequencies_of(Floats* x, Ints* frequencies) {
  static_assert(kFrequencyOne == 1u << 30);
  for (std::uint32_t v = 0; v < kCount; ++v) x[v] = larger(x[v], splat(numeric::kExpMin));
  exp_in_range<kCount>(x, 30);
  for (std::uint32_t v = 0; v < kCount; ++v) frequencies[v] = larger(__builtin_convertvector(x[v], Ints), Ints{} + 1);
}

// Sums of neighbours, which no longer fit 32 bits.
TACIT_INLINE Uint64s add_pairs(Ints frequencies) {
  const Uint64s pairs = reinterpret_cast<Uint64s>(frequencies);
  return (pairs & 0xffffffff) + (pairs >> 32);
}

std::uint64_t frequencies(const float* logits, std::uint32_t count, float scale, std::uint32_t* frequencies) {
  const std::uint32_t whole = count / kLanes * kLanes;
  float rest[kLanes];  // filled up with the first logit, which changes no maximum
  for (std::uint32_t i = 0; i < kLanes; ++i) rest[i] = whole + i < count ? logits[whole + i] : logits[0];
  Floats largest = load(rest);
  Ints largest_bits = magnitudes(largest);
  for (std::uint32_t i = 0; i < whole; i += kLanes) {
    const Floats v = load(logits + i);
    largest = larger(v, largest);
    largest_bits = larger(magnitudes(v), largest_bits);
  }
  if (fold(largest_bits, larger) >= 0x7f800000) return 0;
  const float maximum = fold(largest, larger);
  Uint64s total{};
  const auto convert = [&]<std::uint32_t kCount>(std::uint32_t first, std::integral_constant<std::uint32_t, kCount>) {
    Floats x[kCount];
    Ints converted[kCount];
    for (std::uint32_t v = 0; v < kCount; ++v) x[v] = (load(logits + first + v * kLanes) - maximum) * scale;
    frequencies_of<kCount>(x, converted);
    for (std::uint32_t v = 0; v < kCount; ++v) {
      store_as(frequencies + first + v * kLanes, converted[v]);
      total = total + add_pairs(converted[v]);
    }
  };
  constexpr std::uint32_t kVectors = 4;
  std::uint32_t done = 0;
  for (; done + kVectors * kLanes <= whole; done += kVectors * kLanes) {
    convert(done, std::integral_constant<std::uint32_t, kVectors>{});
  }
  for (; done < whole; done += kLanes) convert(done, std::integral_constant<std::uint32_t, 1>{});
  std::uint64_t sum = fold(total, plus);
  Floats last_below = (load(rest) - maximum) * scale;
  Ints last{};
  frequencies_of<1>(&last_below, &last);
  for (std::uint32_t i = whole; i < count; ++i) {
    frequencies[i] = static_cast<std::uint32_t>(last[i - whole]);
    sum += frequencies[i];
  }
  return sum;
}

// Whole strides of the mixture; what is behind them is mixed from a padded copy.
TACIT_INLINE Ints mixed(const MixturePart* parts, std::uint32_t part_count, std::uint32_t first, std::uint32_t size) {
  Floats sum{};
  for (std::uint32_t p = 0; p < part_count; ++p) {
    std::uint32_t copy[kLanes] = {};
    const std::uint32_t* from = parts[p].weights + first;
    if (size < kLanes) {
      for (std::uint32_t i = 0; i < size; ++i) copy[i] = from[i];
      from = copy;
    }
    const Ints weights = load_as<Ints>(from);
    Floats gain = Floats{} + parts[p].gain;
    for (std::uint32_t c = 0; c < parts[p].cut_count; ++c) {
      const MixtureCut& cut = parts[p].cuts[c];
      const Ints inside = (weights >= static_cast<std::int32_t>(cut.lowest)) &
                          (weights <= static_cast<std::int32_t>(cut.highest));
      gain = gain + reinterpret_cast<Floats>(inside & reinterpret_cast<Ints>(Floats{} + cut.gain));
    }
    sum = sum + __builtin_convertvector(weights, Floats) * gain;
  }
  return larger(__builtin_convertvector(sum, Ints), Ints{} + 1);
}

std::uint64_t mix(const MixturePart* parts, std::uint32_t part_count, std::uint32_t count,
                  std::uint32_t* frequencies) {
  const std::uint32_t whole = count / kLanes * kLanes;
  Uint64s total{};
  for (std::uint32_t i = 0; i < whole; i += kLanes) {
    const Ints frequency = mixed(parts, part_count, i, kLanes);
    store_as(frequencies + i, frequency);
    total = total + add_pairs(frequency);
  }
  std::uint64_t sum = fold(total, plus);
  if (whole == count) return sum;
  const Ints last = mixed(parts, part_count, whole, count - whole);
  for (std::uint32_t i = whole; i < count; ++i) {
    frequencies[i] = static_cast<std::uint32_t>(last[i - whole]);
    sum += frequencies[i];
  }
  return sum;
}

std::uint32_t collect(const std::uint32_t* weights, std::uint32_t count, std::uint32_t lowest, std::uint32_t highest,
                      std::uint32_t* tokens) {
  const auto low = static_cast<std::int32_t>(lowest);
  const auto high = static_cast<std::int32_t>(highest);
  std::uint32_t size = 0;
  std::uint32_t token = 0;
  for (; token + kLanes <= count; token += kLanes) {
    const Ints v = load_as<Ints>(weights + token);
    for (std::uint32_t lanes = lanes_set((v >= low) & (v <= high)); lanes != 0; lanes &= lanes - 1) {
      tokens[size++] = token + static_cast<std::uint32_t>(__builtin_ctz(lanes));
    }
  }
  for (; token < count; ++token) {
    if (weights[token] >= lowest && weights[token] <= highest) tokens[size++] = token;
  }
  return size;
}

// The first token from `token` on that has the weight; there is one.
TACIT_INLINE std::uint32_t find_weight(const std::uint32_t* weights, std::uint32_t count, std::uint32_t token,
                                       std::int32_t weight) {
  for (; token + kLanes <= count; token += kLanes) {
    const std::uint32_t lanes = lanes_set(load_as<Ints>(weights + token) == weight);
    if (lanes != 0) return token + static_cast<std::uint32_t>(__builtin_ctz(lanes));
  }
  while (weights[token] != static_cast<std::uint32_t>(weight)) ++token;
  return token;
}

void top_two(const std::uint32_t* weights, std::uint32_t count, std::uint32_t* tokens) {
  std::int32_t rest[kLanes];  // filled up with what is less than any weight
  const std::uint32_t whole = count / kLanes * kLanes;
  for (std::uint32_t i = 0; i < kLanes; ++i) {
    rest[i] = whole + i < count ? static_cast<std::int32_t>(weights[whole + i]) : -1;
  }
  Ints largest = load_as<Ints>(rest);  // in each lane
  Ints second = Ints{} - 1;            // likewise
  for (std::uint32_t token = 0; token < whole; token += kLanes) {
    const Ints v = load_as<Ints>(weights + token);
    second = larger(second, smaller(v, largest));
    largest = larger(largest, v);
  }
  const std::int32_t first_weight = fold(largest, larger);
  const Ints has_first = largest == first_weight;
  const std::uint32_t lanes = lanes_set(has_first);
  const bool is_alone = (lanes & (lanes - 1)) == 0;
  const std::int32_t second_weight = is_alone ? fold(has_first ? second : largest, larger) : first_weight;
  tokens[0] = tokens[1] = find_weight(weights, count, 0, first_weight);
  if (count == 1) return;
  tokens[1] = find_weight(weights, count, second_weight == first_weight ? tokens[0] + 1 : 0, second_weight);
}

std::uint64_t sum(const std::uint32_t* frequencies, std::uint32_t count) {
  Uint64s total{};
  std::uint32_t i = 0;
  for (; i + kLanes <= count; i += kLanes) total = total + add_pairs(load_as<Ints>(frequencies + i));
  std::uint64_t rest = 0;
  for (; i < count; ++i) rest += frequencies[i];
  return fold(total, plus) + rest;
}

}  // namespace
}  // namespace tacit::kernels
