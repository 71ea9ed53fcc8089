// SPDX-License-Identifier: MIT
#include "profile.h"

#include <algorithm>
#include <vector>

#include "timing.h"

namespace tacit::bench {
namespace {

using kernels::Kernels;

// Functions of a table know nothing but their arguments, so what they need stands here.
struct State {
  const Kernels* set = nullptr;
  Kernels timed{};
  std::vector<const std::uint8_t*> matrices;  // ascending
  std::array<std::uint64_t, kShareCount> ticks{};
};
State state;

class Stopwatch {
 public:
  explicit Stopwatch(Share share) : share_(share), begin_(ticks()) {}
  ~Stopwatch() { state.ticks[static_cast<std::size_t>(share_)] += ticks() - begin_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  Share share_;
  std::uint64_t begin_;
};

// Makes a field of the table call that of the set, on the watch.
template <auto kField, Share kShare, class Table, class Result, class... Arguments>
void wrap(Result (*Table::*)(Arguments...)) {
  state.timed.*kField = [](Arguments... arguments) -> Result {
    const Stopwatch watch(kShare);
    return (state.set->*kField)(arguments...);
  };
}
template <auto kField, Share kShare>
void wrap() {
  wrap<kField, kShare>(kField);
}

void timed_matmul(const kernels::PackedMatrix& weights, std::uint32_t first_tile, std::uint32_t end_tile,
                  const kernels::QuantizedRows& rows, std::uint32_t row_count, float* out, std::size_t out_stride) {
  const bool is_of_model = std::binary_search(state.matrices.begin(), state.matrices.end(), weights.data);
  const Stopwatch watch(is_of_model ? Share::kProducts : Share::kAttention);
  state.set->matmul(weights, first_tile, end_tile, rows, row_count, out, out_stride);
}

}  // namespace

Profile::Profile(const Kernels& set, std::span<const std::uint8_t* const> matrices) {
  state = {&set, set, {matrices.begin(), matrices.end()}, {}};
  std::sort(state.matrices.begin(), state.matrices.end());
  state.timed.matmul = timed_matmul;
  wrap<&Kernels::attend, Share::kAttention>();
  wrap<&Kernels::quantize_int8, Share::kQuantisation>();
  wrap<&Kernels::quantize_int16, Share::kQuantisation>();
  wrap<&Kernels::quantize_values, Share::kQuantisation>();
  wrap<&Kernels::rms_norm, Share::kRows>();
  wrap<&Kernels::layer_norm, Share::kRows>();
  wrap<&Kernels::swiglu, Share::kRows>();
  wrap<&Kernels::geglu, Share::kRows>();
  wrap<&Kernels::gelu, Share::kRows>();
  wrap<&Kernels::soft_cap, Share::kRows>();
  wrap<&Kernels::add, Share::kRows>();
  wrap<&Kernels::rotate_pairs, Share::kRows>();
  wrap<&Kernels::rotate_halves, Share::kRows>();
  wrap<&Kernels::frequencies, Share::kFrequencies>();
  wrap<&Kernels::mix, Share::kFrequencies>();
  wrap<&Kernels::collect, Share::kFrequencies>();
  wrap<&Kernels::top_two, Share::kFrequencies>();
  wrap<&Kernels::sum, Share::kFrequencies>();
}

Profile::~Profile() { state = {}; }

const Kernels& Profile::kernels() const { return state.timed; }

void Profile::start() {
  state.ticks = {};
  begin_ = ticks();
}

void Profile::stop() { end_ = ticks(); }

std::array<double, kShareCount> Profile::shares() const {
  std::array<double, kShareCount> shares;
  for (std::size_t i = 0; i < kShareCount; ++i) {
    shares[i] = static_cast<double>(state.ticks[i]) / static_cast<double>(end_ - begin_);
  }
  return shares;
}

}  // namespace tacit::bench
