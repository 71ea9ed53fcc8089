// SPDX-License-Identifier: MIT
// What this machine can do, and what share of it coding reaches: the int8 multiply-add peak of the kernel set in use
// (peak.h) and the memory bandwidth of the threads in use, and then, for several shapes of model, encoding (prefill),
// decoding of many lanes and of a single one, logits, frequencies, experts and range coder included, and where the time
// goes. Best of several short runs, because the machine may be shared.
//
//   tacit_roofline [-T THREADS] [--csv FILE] [SHAPE...]
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "coding/strip_coder.h"
#include "engine/cpu/kernels/kernels.h"
#include "peak.h"
#include "profile.h"
#include "shapes.h"
#include "store/builtin_model.h"
#include "support/bare_ids.h"
#include "support/cpu_model.h"
#include "timing.h"

namespace tacit {
namespace {

using bench::best_of;
using bench::counts_processor_time;
using bench::kShareCount;

constexpr double kPassesSeconds = 5;  // after which nothing is measured again

// Bytes a second that the threads read from memory: sums of far more than any cache holds.
double memory_bandwidth(ThreadPool& pool) {
  constexpr std::size_t kWords = 32u << 20;
  const std::vector<std::uint64_t> words(kWords, 1);
  std::vector<std::uint64_t> sums(pool.thread_count());
  const double time = best_of(24, [&] {
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

// One kind of work on one model, ready to be done again and again.
class Coding {
 public:
  Coding(const Model& model, const PackedWeights& weights, const Work& work)
      : model_(model),
        weights_(weights),
        work_(work),
        alphabet_(model.config.vocabulary_size),
        tokens_(text_like(work.lane_count * work.tokens_a_lane, model.config.vocabulary_size)) {
    for (std::size_t i = 0; i < work.lane_count; ++i) {
      strips_.push_back(std::span(tokens_).subspan(i * work.tokens_a_lane, work.tokens_a_lane));
    }
  }

  [[nodiscard]] double token_count() const { return static_cast<double>(tokens_.size()); }

  // Seconds of the fastest of a few passes.
  double measure(const kernels::Kernels& kernels, ThreadPool& pool) {
    constexpr int kPasses = 3;
    const auto engine = make_cpu_engine(model_, weights_, kernels, pool);
    StripCoder coder(context(*engine, pool), Schedule::lockstep());
    if (codes_.empty() && work_.decodes) encode(coder);
    return best_of(
        kPasses, [&] { work_.decodes ? decode(coder) : encode(coder); }, kPassesSeconds);
  }

  // One more pass, of one thread and under observation. Returns its seconds of processor time.
  double profile(bench::Profile& profile) {
    ThreadPool pool(1);
    const auto engine = make_cpu_engine(model_, weights_, profile.kernels(), pool);
    StripCoder coder(context(*engine, pool), Schedule::lockstep());
    const double begin = bench::processor_seconds();
    profile.start();
    work_.decodes ? decode(coder) : encode(coder);
    profile.stop();
    return bench::processor_seconds() - begin;
  }

 private:
  CodingContext context(const Engine& engine, ThreadPool& pool) {
    return {engine, alphabet_, pool, model_.config.default_window(), work_.adaptive, std::nullopt, nullptr};
  }

  void encode(StripCoder& coder) { codes_ = coder.encode(strips_, test::ignore_progress).value().codes; }
  void decode(StripCoder& coder) {
    std::vector<CodedStrip> coded;
    for (const ByteVector& code : codes_) coded.push_back({code, work_.tokens_a_lane});
    if (!coder.decode(coded, test::ignore_progress).ok()) std::abort();
  }

  const Model& model_;
  const PackedWeights& weights_;
  Work work_;
  test::BareIds alphabet_;
  std::vector<TokenId> tokens_;
  std::vector<std::span<const TokenId>> strips_;
  std::vector<ByteVector> codes_;
};

struct Machine {
  bench::Peak peak;
  double bandwidth;  // bytes a second
};

// All matrices of a model of a shape, or of the built-in one.
std::vector<const kernels::PackedMatrix*> matrices_of(const Model& model, const PackedWeights& weights) {
  std::vector<const kernels::PackedMatrix*> matrices;
  for (std::uint32_t i = 0; i < model.weights.matrices.size(); ++i) matrices.push_back(&weights[i]);
  return matrices;
}

double weight_bytes(const Model& model, const PackedWeights& weights) {
  double bytes = 0;
  for (const kernels::PackedMatrix* matrix : matrices_of(model, weights)) {
    bytes += static_cast<double>(packed_bytes(*matrix));
  }
  return bytes;
}

// What one kind of work reached, in parts of what the machine can do and of the time.
struct Measured {
  double tokens_per_second = 0;
  double of_peak = 0;
  double of_bandwidth = 0;                       // where every token reads all weights; else 0
  std::array<double, kShareCount> of_time = {};  // of one thread's, in kernels
  double rest = 0;     // of one thread's: experts and range coder, and what the forward pass does outside of kernels
  double waiting = 0;  // of all threads': what a single thread would not have taken
};

Measured measure(const Model& model, const PackedWeights& weights, ThreadPool& pool, const Machine& machine,
                 const Work& work) {
  const kernels::Kernels& kernels = *kernels::find_kernels("");
  std::vector<const std::uint8_t*> matrices;
  for (const kernels::PackedMatrix* matrix : matrices_of(model, weights)) matrices.push_back(matrix->data);
  Coding coding(model, weights, work);
  const double time = coding.measure(kernels, pool);
  bench::Profile profile(kernels, matrices);
  const double alone = coding.profile(profile);

  Measured measured;
  measured.tokens_per_second = coding.token_count() / time;
  if (machine.peak.multiply_adds > 0) {
    measured.of_peak =
        measured.tokens_per_second * static_cast<double>(model.multiply_adds_per_token()) / machine.peak.multiply_adds;
  }
  if (work.lane_count == 1) {
    measured.of_bandwidth = measured.tokens_per_second * weight_bytes(model, weights) / machine.bandwidth;
  }
  measured.of_time = profile.shares();
  measured.rest = 1;
  for (const double share : measured.of_time) measured.rest -= share;
  if (pool.thread_count() > 1) measured.waiting = std::max(0.0, 1 - alone / (pool.thread_count() * time));
  return measured;
}

constexpr const char* kShareNames[kShareCount] = {"products", "attention", "quantisation", "norms and activations",
                                                  "frequencies"};

void print(const Work& work, const Measured& measured, double multiply_adds_per_token, std::uint32_t thread_count) {
  std::printf("  %-26s %9.0f tokens/s %8.1f G mac/s %5.0f %% of peak", work.name, measured.tokens_per_second,
              measured.tokens_per_second * multiply_adds_per_token / 1e9, 100 * measured.of_peak);
  if (measured.of_bandwidth > 0) std::printf(", %3.0f %% of bandwidth", 100 * measured.of_bandwidth);
  std::printf("\n      %% of the time:");
  for (std::size_t i = 0; i < kShareCount; ++i) std::printf(" %s %.1f,", kShareNames[i], 100 * measured.of_time[i]);
  std::printf(" the rest %.1f", 100 * measured.rest);
  if (thread_count > 1) std::printf("; of %u threads' waiting %.1f", thread_count, 100 * measured.waiting);
  std::printf("\n");
  std::fflush(stdout);
}

void write_csv_header(std::ostream& csv, const Machine& machine, const char* kernels) {
  csv << "# int8 peak " << machine.peak.multiply_adds << " multiply-adds/s (" << machine.peak.instructions
      << "), memory " << machine.bandwidth << " bytes/s, kernels " << kernels
      << "\nshape,work,threads,tokens_per_s,percent_of_peak,percent_of_bandwidth";
  for (const char* name : kShareNames) csv << ',' << name;
  csv << ",rest,waiting\n";
}

void write_csv(std::ostream& csv, const char* shape, const Work& work, std::uint32_t thread_count,
               const Measured& measured) {
  csv << shape << ",\"" << work.name << "\"," << thread_count << ',' << measured.tokens_per_second << ','
      << 100 * measured.of_peak << ',' << 100 * measured.of_bandwidth;
  for (const double share : measured.of_time) csv << ',' << 100 * share;
  csv << ',' << 100 * measured.rest << ',' << 100 * measured.waiting << std::endl;
}

void measure_shape(const char* name, const Model& model, ThreadPool& pool, const Machine& machine, std::ostream* csv) {
  const auto multiply_adds = static_cast<double>(model.multiply_adds_per_token());
  const PackedWeights weights = test::pack(model);
  std::printf("%s: %.1f M multiply-adds a token, %.1f MB of weights\n", name, multiply_adds / 1e6,
              weight_bytes(model, weights) / 1e6);
  // As many tokens as two threads that reach a third of their peak code in a second or so, for any number of threads,
  // since attention takes the longer the longer a text is; of small models more, so that caches and experts are not all
  // new, which large ones would take too long for.
  const double thread_peak = machine.peak.multiply_adds / pool.thread_count();
  const double budget = thread_peak > 0 ? 2 * thread_peak / 3 / multiply_adds : 1000;
  const auto length = [&](std::size_t lanes, double seconds) {
    const double tokens = budget / static_cast<double>(lanes);
    const double least = lanes > 1 ? std::clamp(8 * tokens, 16.0, 160.0) : 24;
    return static_cast<std::size_t>(std::clamp(seconds * tokens, least, 2000.0));
  };
  constexpr std::size_t kLanes = 32;
  const Work works[] = {{"encode, 32 lanes", kLanes, length(kLanes, 1), false, true},
                        {"encode, without experts", kLanes, length(kLanes, 1), false, false},
                        {"decode, 32 lanes", kLanes, length(kLanes, 1), true, true},
                        {"decode, one lane", 1, length(1, 0.1), true, true}};
  for (const Work& work : works) {
    const Measured measured = measure(model, weights, pool, machine, work);
    print(work, measured, multiply_adds, pool.thread_count());
    if (csv != nullptr) write_csv(*csv, name, work, pool.thread_count(), measured);
  }
}

constexpr bench::Shape kShapes[] = {
    {"288x6", 6, 288, 6, 6, 768, 32000},
    {"135M", 30, 576, 9, 3, 1536, 49152},
    {"1B", 16, 2048, 32, 8, 8192, 128256},
};

struct Options {
  std::uint32_t thread_count = 0;
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
  const kernels::Kernels& best = *list.sets[0];
  const Machine machine{bench::int8_peak(best, pool), memory_bandwidth(pool)};
  std::printf("%u threads, kernels %s: int8 peak %.1f G multiply-adds/s (%s), memory %.1f GB/s\n", pool.thread_count(),
              best.name, machine.peak.multiply_adds / 1e9, machine.peak.instructions, machine.bandwidth / 1e9);
  std::ofstream csv;
  if (!options.csv.empty()) {
    csv.open(options.csv);
    write_csv_header(csv, machine, best.name);
  }
  std::ostream* const out = csv.is_open() ? &csv : nullptr;
  if (options.wants("built-in")) {
    const auto model = builtin_model();
    if (!model.ok()) return 1;
    measure_shape("built-in", model.value()->model, pool, machine, out);
  }
  for (const bench::Shape& shape : kShapes) {
    if (!options.wants(shape.name)) continue;
    const ByteVector bytes = bench::random_model(shape);
    const auto file = gguf::File::parse(bytes, shape.name);
    if (!file.ok()) return 1;
    const auto model = Model::load(file.value());
    if (!model.ok()) return 1;
    measure_shape(shape.name, model.value(), pool, machine, out);
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
    } else if (argument[0] != '-') {
      options.shapes.push_back(argument);
    } else {
      std::fprintf(stderr, "usage: tacit_roofline [-T THREADS] [--csv FILE] [SHAPE...]\n");
      return 2;
    }
  }
  return tacit::run(options);
}
