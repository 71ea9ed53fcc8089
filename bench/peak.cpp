// SPDX-License-Identifier: MIT
// What this machine can do, and what share of it the engine reaches on the built-in model: the int8 multiply-add peak of
// one core (AVX-512 VNNI dot products on registers), the matrix kernels, prefill and lane decoding. Best of several
// short runs, because the machine may be shared. Everything runs on one thread.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

#include "api/builtin_model.h"
#include "base/aligned_buffer.h"
#include "kernels/kernels.h"
#include "model/forward.h"
#include "predict/frequencies.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tacit {
namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds of the fastest of `repeats` calls.
template <class Body>
double best_of(int repeats, Body body) {
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const double begin = seconds();
    body();
    best = std::min(best, seconds() - begin);
  }
  return best;
}

#if defined(__x86_64__)
// 64 multiply-adds an instruction; ten chains that do not wait for each other.
__attribute__((target("avx512f,avx512vnni"))) std::int64_t dot_chains(int rounds) {
  const __m512i a = _mm512_set1_epi8(3);
  __m512i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a;
  for (int i = 0; i < rounds; ++i) {
    // The compiler must not see that the chains are equal.
    __asm__ volatile("" : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3), "+v"(s4), "+v"(s5), "+v"(s6), "+v"(s7), "+v"(s8), "+v"(s9));
    s0 = _mm512_dpbusd_epi32(s0, a, a);
    s1 = _mm512_dpbusd_epi32(s1, a, a);
    s2 = _mm512_dpbusd_epi32(s2, a, a);
    s3 = _mm512_dpbusd_epi32(s3, a, a);
    s4 = _mm512_dpbusd_epi32(s4, a, a);
    s5 = _mm512_dpbusd_epi32(s5, a, a);
    s6 = _mm512_dpbusd_epi32(s6, a, a);
    s7 = _mm512_dpbusd_epi32(s7, a, a);
    s8 = _mm512_dpbusd_epi32(s8, a, a);
    s9 = _mm512_dpbusd_epi32(s9, a, a);
  }
  return (s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9)[0];
}

double int8_peak() {
  constexpr int kRounds = 2'000'000;
  volatile std::int64_t keep = 0;  // the sums are used, so that no compiler leaves them out
  return 64.0 * 10 * kRounds / best_of(8, [&] { keep = keep + dot_chains(kRounds); });
}
#endif

// Multiply-adds a second of one matrix product, with weights of any bits that stay in the second-level cache.
double matmul_speed(const kernels::Kernels& kernels, kernels::WeightFormat format, std::uint32_t row_count) {
  constexpr std::uint32_t kWidth = 1024, kOutputs = 512, kBlocks = kWidth / kernels::kBlock;
  kernels::PackedMatrix matrix{nullptr, kOutputs, kBlocks, format};
  AlignedBuffer weights(matrix.tile_count() * kBlocks * kernels::tile_block_bytes(format));
  std::fill_n(weights.data(), weights.size(), std::uint8_t{9});  // as a float, 9-bytes are an ordinary one
  matrix.data = weights.data();
  const std::vector<std::int8_t> narrow(row_count * kWidth, 3);
  const std::vector<std::int16_t> wide(row_count * kWidth, 3);
  const std::vector<float> scales(row_count * kBlocks, 1.0f);
  const std::vector<std::int32_t> sums(row_count * kBlocks, 3 * kernels::kBlock);
  std::vector<float> out(row_count * kOutputs);
  const double time = best_of(20, [&] {
    for (int i = 0; i < 10; ++i) {
      kernels.matmul(matrix, 0, matrix.tile_count(), {narrow.data(), wide.data(), scales.data(), sums.data()}, row_count,
                     out.data(), kOutputs);
    }
  });
  return 10.0 * kWidth * kOutputs * row_count / time;
}

void print_matmuls(const kernels::KernelList& list) {
  std::printf("%-10s %-28s %10s %10s\n", "kernels", "G mac/s of one product", "1 row", "32 rows");
  for (std::uint32_t set = 0; set + 1 < list.count; ++set) {
    for (const kernels::FormatTraits& format : kernels::kWeightFormats) {
      const std::string name = std::to_string(format.bits) + " bits" + (format.part_count == 2 ? ", halves" : "") +
                               (format.has_minimum ? ", minimum" : "");
      std::printf("%-10s %-28s %10.1f %10.1f\n", list.sets[set]->name, name.c_str(),
                  matmul_speed(*list.sets[set], format.format, 1) / 1e9,
                  matmul_speed(*list.sets[set], format.format, 32) / 1e9);
    }
  }
}

// Tokens a second of forward pass, logits and frequencies, in steady state (the window is full).
double engine_speed(const LoadedModel& loaded, const kernels::Kernels& kernels, std::uint32_t lane_count,
                    std::uint32_t chunk) {
  const Model& model = loaded.model;
  const std::uint32_t window = loaded.model.config.default_window();
  std::vector<LaneCache> caches;
  for (std::uint32_t i = 0; i < lane_count; ++i) caches.emplace_back(model.config, window, 64);
  Forward forward(model, kernels, window, nullptr);
  const std::uint32_t stride = kernels::round_up(model.config.vocabulary_size, kernels::kTile);
  std::vector<float> logits(static_cast<std::size_t>(lane_count) * stride);
  Frequencies frequencies(kernels, model.config.vocabulary_size, model.config.vocabulary_size);
  std::vector<Row> rows;
  std::vector<std::uint32_t> indices(lane_count);
  std::uint32_t position = 0;
  const auto advance = [&](std::uint32_t steps) {
    for (const std::uint32_t end = position + steps; position < end; position += chunk) {
      rows.clear();
      for (LaneCache& cache : caches) {
        for (std::uint32_t i = 0; i < chunk; ++i) {
          const std::uint32_t token = (position + i) * 7919 % model.config.vocabulary_size;
          rows.push_back({&cache, position + i, static_cast<TokenId>(token)});
        }
      }
      forward.run(rows);
      for (std::uint32_t i = 0; i < chunk; ++i) {
        for (std::uint32_t lane = 0; lane < lane_count; ++lane) indices[lane] = lane * chunk + i;
        forward.logits(indices, logits.data(), stride);
        for (std::uint32_t lane = 0; lane < lane_count; ++lane) {
          if (!frequencies.set_softmax(logits.data() + lane * stride).ok()) std::abort();
        }
      }
    }
  };
  advance(window + chunk - window % chunk);
  constexpr std::uint32_t kSteps = 128;
  return lane_count * kSteps / best_of(6, [&] { advance(kSteps); });
}

int run() {
  const auto model = builtin_model();
  if (!model.ok()) return 1;
  const LoadedModel& loaded = *model.value();
  const auto multiply_adds = static_cast<double>(loaded.model.multiply_adds_per_token());
  double peak = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vnni")) {
    peak = int8_peak();
    std::printf("int8 peak, one core: %.1f G multiply-adds/s\n", peak / 1e9);
  }
#endif
  const kernels::KernelList list = kernels::available_kernels();
  print_matmuls(list);
  std::printf("built-in model: %.2f M multiply-adds a token, window %u\n", multiply_adds / 1e6, loaded.model.config.default_window());
  std::printf("%-10s %-28s %10s %10s %8s\n", "kernels", "work, one core", "tokens/s", "G mac/s", "of peak");
  for (std::uint32_t set = 0; set + 1 < list.count; ++set) {
    const std::uint32_t lanes = loaded.default_lane_count(loaded.model.config.default_window()) / 2;
    for (const auto& [name, lane_count, chunk] :
         {std::tuple{"encode: lanes x 16 steps", lanes, 16u}, std::tuple{"decode: lanes x 1 step", lanes, 1u},
          std::tuple{"decode: 1 lane", 1u, 1u}}) {
      const double speed = engine_speed(loaded, *list.sets[set], lane_count, chunk);
      std::printf("%-10s %-28s %10.0f %10.1f %7.0f%%\n", list.sets[set]->name, name, speed, speed * multiply_adds / 1e9,
                  peak > 0 ? 100 * speed * multiply_adds / peak : 0.0);
    }
  }
  return 0;
}

}  // namespace
}  // namespace tacit

int main() { return tacit::run(); }
