// SPDX-License-Identifier: MIT
// What this machine can do, and what share of it coding reaches: the int8 multiply-add peak (AVX-512 VNNI dot products
// on registers) and the memory bandwidth of the threads in use, the matrix kernels, and then, for several shapes of
// model, encoding (prefill), decoding of many lanes and of a single one, logits, frequencies, experts and range coder
// included. Best of several short runs, because the machine may be shared.
//
//   tacit_roofline [-T THREADS] [--kernels] [--csv FILE] [SHAPE...]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "api/builtin_model.h"
#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "codec/lockstep.h"
#include "kernels/kernels.h"
#include "shapes.h"
#include "support/bare_ids.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tacit {
namespace {

// Of the processor where one thread works, so that what else the machine does matters less; else of the clock, since
// waiting threads take processor time too.
bool counts_processor_time = false;
double seconds() {
  if (counts_processor_time) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
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

double int8_peak(ThreadPool& pool) {
  constexpr int kRounds = 2'000'000;
  std::vector<std::int64_t> keep(pool.thread_count());  // the sums are used, so that no compiler leaves them out
  const double time = best_of(8, [&] { pool.run(pool.thread_count(), [&](std::uint32_t i) { keep[i] += dot_chains(kRounds); }); });
  return 64.0 * 10 * kRounds * pool.thread_count() / time + (keep[0] == 1 ? 1 : 0);
}
#else
double int8_peak(ThreadPool&) { return 0; }
#endif

bool has_vnni() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni") != 0;
#else
  return false;
#endif
}

// Bytes a second that the threads read from memory: sums of far more than any cache holds.
double memory_bandwidth(ThreadPool& pool) {
  constexpr std::size_t kWords = 32u << 20;
  const std::vector<std::uint64_t> words(kWords, 1);
  std::vector<std::uint64_t> sums(pool.thread_count());
  const double time = best_of(8, [&] {
    pool.run(pool.thread_count(), [&](std::uint32_t i) {
      const std::size_t begin = kWords / pool.thread_count() * i;
      std::uint64_t sum[8] = {};
      for (std::size_t w = begin; w + 8 <= begin + kWords / pool.thread_count(); w += 8) {
        for (std::size_t k = 0; k < 8; ++k) sum[k] += words[w + k];
      }
      for (const std::uint64_t part : sum) sums[i] += part;
    });
  });
  return 8.0 * kWords / time + (sums[0] == 1 ? 1 : 0);
}

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

// Token ids that repeat themselves about as much as text does: half of them are copies of a run that came before.
std::vector<TokenId> text_like(std::size_t count, std::uint32_t vocabulary_size) {
  constexpr std::size_t kRun = 12;
  std::vector<TokenId> tokens;
  std::uint64_t random = 1;
  const auto next = [&](std::uint64_t below) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return (random >> 33) % below;
  };
  while (tokens.size() < count) {
    const bool copies = tokens.size() > 4 * kRun && next(2) == 0;
    const std::size_t from = copies ? next(tokens.size() - kRun) : 0;
    for (std::size_t i = 0; i < kRun; ++i) {
      const std::uint64_t frequent = next(vocabulary_size);
      tokens.push_back(copies ? tokens[from + i] : static_cast<TokenId>(next(frequent + 1)));
    }
  }
  tokens.resize(count);
  return tokens;
}

struct Work {
  const char* name;
  std::size_t lane_count;
  std::size_t tokens_a_lane;
  bool decodes;
  bool adaptive;
};

// Tokens a second of one kind of work.
double coding_speed(const Model& model, ThreadPool& pool, const Work& work) {
  const test::BareIds alphabet(model.config.vocabulary_size);
  const std::vector<TokenId> tokens = text_like(work.lane_count * work.tokens_a_lane, model.config.vocabulary_size);
  std::vector<std::span<const TokenId>> strips;
  for (std::size_t i = 0; i < work.lane_count; ++i) {
    strips.push_back(std::span(tokens).subspan(i * work.tokens_a_lane, work.tokens_a_lane));
  }
  const CodingContext context{model, alphabet, *kernels::find_kernels(""), pool, model.config.default_window(),
                              work.adaptive, std::nullopt, nullptr};
  const auto ignore = [](const LockstepState&) { return Status(); };
  Lockstep coder(context);
  std::vector<ByteVector> codes;
  double time = best_of(work.decodes ? 1 : 3, [&] { codes = coder.encode(strips, ignore).value(); });
  if (work.decodes) {
    std::vector<CodedStrip> coded;
    for (std::size_t i = 0; i < codes.size(); ++i) coded.push_back({codes[i], work.tokens_a_lane});
    time = best_of(3, [&] {
      if (!coder.decode(coded, ignore).ok()) std::abort();
    });
  }
  return static_cast<double>(tokens.size()) / time;
}

struct Machine {
  double multiply_adds;  // a second, of all threads
  double bandwidth;      // bytes a second
};

std::uint64_t weight_bytes(const Model& model) {
  std::uint64_t bytes = model.weights.output.storage.size();
  for (const LayerWeights& layer : model.weights.layers) {
    for (const Linear* linear : {&layer.query, &layer.key, &layer.value, &layer.attention_output, &layer.ffn.gate,
                                 &layer.ffn.up, &layer.ffn.down}) {
      bytes += linear->storage.size();
    }
  }
  return bytes;
}

void measure(const char* name, const Model& model, ThreadPool& pool, const Machine& machine, std::ostream* csv) {
  const auto multiply_adds = static_cast<double>(model.multiply_adds_per_token());
  const auto bytes = static_cast<double>(weight_bytes(model));
  std::printf("%s: %.1f M multiply-adds a token, %.1f MB of weights\n", name, multiply_adds / 1e6, bytes / 1e6);
  // Enough tokens for a second or so of a machine that reaches a third of its peak.
  const double budget = machine.multiply_adds > 0 ? machine.multiply_adds / 3 / multiply_adds : 1000;
  const auto length = [&](std::size_t lanes, double share) {
    return std::clamp<std::size_t>(static_cast<std::size_t>(budget * share / static_cast<double>(lanes)), lanes > 1 ? 160 : 24, 2000);
  };
  constexpr std::size_t kLanes = 32;
  const Work works[] = {{"encode, 32 lanes", kLanes, length(kLanes, 1), false, true},
                        {"encode, without experts", kLanes, length(kLanes, 1), false, false},
                        {"decode, 32 lanes", kLanes, length(kLanes, 1), true, true},
                        {"decode, one lane", 1, length(1, 0.1), true, true}};
  for (const Work& work : works) {
    const double speed = coding_speed(model, pool, work);
    const double compute = machine.multiply_adds > 0 ? 100 * speed * multiply_adds / machine.multiply_adds : 0;
    const double traffic = work.lane_count == 1 ? 100 * speed * bytes / machine.bandwidth : 0;
    std::printf("  %-26s %9.0f tokens/s %8.1f G mac/s %5.0f %% of peak", work.name, speed, speed * multiply_adds / 1e9, compute);
    if (traffic > 0) std::printf(", %3.0f %% of bandwidth", traffic);
    std::printf("\n");
    std::fflush(stdout);
    if (csv != nullptr) {
      *csv << name << ',' << work.name << ',' << pool.thread_count() << ',' << speed << ',' << compute << ',' << traffic << '\n';
    }
  }
}

constexpr bench::Shape kShapes[] = {
    {"288x6", 6, 288, 6, 6, 768, 32000},
    {"135M", 30, 576, 9, 3, 1536, 49152},
    {"1B", 16, 2048, 32, 8, 8192, 128256},
};

struct Options {
  std::uint32_t thread_count = 0;
  bool kernels = false;
  std::string csv;
  std::vector<std::string> shapes;
  [[nodiscard]] bool wants(const char* shape) const {
    return shapes.empty() || std::find(shapes.begin(), shapes.end(), shape) != shapes.end();
  }
};

int run(const Options& options) {
  ThreadPool pool(options.thread_count);
  counts_processor_time = pool.thread_count() == 1;
  const kernels::KernelList list = kernels::available_kernels();
  const Machine machine{has_vnni() ? int8_peak(pool) : 0, memory_bandwidth(pool)};
  std::printf("%u threads, kernels %s: int8 peak %.1f G multiply-adds/s, memory %.1f GB/s\n", pool.thread_count(),
              list.sets[0]->name, machine.multiply_adds / 1e9, machine.bandwidth / 1e9);
  if (options.kernels) print_matmuls(list);
  std::ofstream csv;
  if (!options.csv.empty()) {
    csv.open(options.csv);
    csv << "# int8 peak " << machine.multiply_adds << " multiply-adds/s, memory " << machine.bandwidth << " bytes/s, kernels "
        << list.sets[0]->name << "\nshape,work,threads,tokens_per_s,percent_of_peak,percent_of_bandwidth\n";
  }
  std::ostream* const out = csv.is_open() ? &csv : nullptr;
  if (options.wants("built-in")) {
    const auto model = builtin_model();
    if (!model.ok()) return 1;
    measure("built-in", model.value()->model, pool, machine, out);
  }
  for (const bench::Shape& shape : kShapes) {
    if (!options.wants(shape.name)) continue;
    const ByteVector bytes = bench::random_model(shape);
    const auto file = gguf::File::parse(bytes, shape.name);
    if (!file.ok()) return 1;
    const auto model = Model::load(file.value());
    if (!model.ok()) return 1;
    measure(shape.name, model.value(), pool, machine, out);
  }
  return 0;
}

}  // namespace
}  // namespace tacit

int main(int argument_count, char** arguments) {
  tacit::Options options;
  for (int i = 1; i < argument_count; ++i) {
    const std::string argument = arguments[i];
    const bool has_value = i + 1 < argument_count;
    if (argument == "-T" && has_value) {
      options.thread_count = static_cast<std::uint32_t>(std::strtoul(arguments[++i], nullptr, 10));
    } else if (argument == "--csv" && has_value) {
      options.csv = arguments[++i];
    } else if (argument == "--kernels") {
      options.kernels = true;
    } else if (argument[0] != '-') {
      options.shapes.push_back(argument);
    } else {
      std::fprintf(stderr, "usage: tacit_roofline [-T THREADS] [--kernels] [--csv FILE] [SHAPE...]\n");
      return 2;
    }
  }
  return tacit::run(options);
}
