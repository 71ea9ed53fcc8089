// SPDX-License-Identifier: MIT
#include "codec/noise_runs.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace tacit {
namespace {

// A run that is cut out costs a segment and a fresh context behind it, some 26 bytes, and gains 0.055 bytes a
// character: it pays from some 500 on, and surely from here on (docs/decisions/0018).
constexpr std::size_t kRunMin = 1024;
constexpr std::size_t kWindow = 256;
constexpr std::size_t kLineMin = 60;  // of base64 that is broken into lines; 64 and 76 are usual
// The chance that two characters of a window are equal: 1/64 in random base64, 1/15 and more in text, 1/16 in hex.
constexpr double kCollisionsMax = 1.0 / 45;
constexpr std::size_t kProbe = 32;

constexpr std::array<bool, 256> kIsBase64 = [] {
  std::array<bool, 256> is{};
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-")) {
    is[static_cast<unsigned char>(c)] = true;
  }
  return is;
}();

std::size_t base64_length(ByteSpan text, std::size_t begin) {
  std::size_t end = begin;
  while (end < text.size() && kIsBase64[text[end]]) ++end;
  return end - begin;
}

// Bytes of the line end at `at`: "\n", "\r\n" or the escape of the first; 0: none.
std::size_t line_end_length(ByteSpan text, std::size_t at) {
  const auto is = [&](std::size_t i, char c) { return i < text.size() && text[i] == static_cast<std::uint8_t>(c); };
  if (is(at, '\n')) return 1;
  return (is(at, '\r') && is(at + 1, '\n')) || (is(at, '\\') && is(at + 1, 'n')) ? 2 : 0;
}

// The end of the base64 that begins at `begin`, lines that belong together taken as one.
std::size_t base64_end(ByteSpan text, std::size_t begin) {
  std::size_t end = begin + base64_length(text, begin);
  while (end - begin >= kLineMin) {
    const std::size_t line_end = line_end_length(text, end);
    const std::size_t next = line_end == 0 ? 0 : base64_length(text, end + line_end);
    if (next < kLineMin) return end;
    end += line_end + next;
  }
  return end;
}

bool is_random(ByteSpan window) {
  std::array<std::uint32_t, 256> counts{};
  for (const std::uint8_t byte : window) ++counts[byte];
  double pairs = 0;
  for (const double count : counts) pairs += count * (count - 1);
  const auto size = static_cast<double>(window.size());
  return pairs <= kCollisionsMax * size * (size - 1);
}

// The random parts of the base64 [begin, end).
void add_runs(ByteSpan text, std::size_t begin, std::size_t end, std::vector<NoiseRun>& runs) {
  NoiseRun open{begin, begin};
  for (std::size_t at = begin; at < end;) {
    const std::size_t stop = end - at < 2 * kWindow ? end : at + kWindow;  // no window at the end is a short one
    if (is_random(text.subspan(at, stop - at))) {
      open.end = stop;
    } else {
      if (open.size() >= kRunMin) runs.push_back(open);
      open = {stop, stop};
    }
    at = stop;
  }
  if (open.size() >= kRunMin) runs.push_back(open);
}

// Whether some of the run stands elsewhere in the text too.
bool is_repeated(std::string_view text, const NoiseRun& run) {
  for (std::size_t quarter = 1; quarter <= 3; ++quarter) {
    const std::string_view probe = text.substr(run.begin + run.size() * quarter / 4, kProbe);
    const std::size_t first = text.find(probe);
    if (text.find(probe, first + 1) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

std::vector<NoiseRun> find_noise_runs(ByteSpan text, std::size_t count_max) {
  std::vector<NoiseRun> runs;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = base64_end(text, at);
    if (end - at >= kRunMin) add_runs(text, at, end, runs);
    at = end + 1;
  }
  const auto size = [](const NoiseRun& run) { return run.size(); };
  std::ranges::stable_sort(runs, std::greater<>(), size);
  if (runs.size() > count_max) runs.resize(count_max);
  const std::string_view view(reinterpret_cast<const char*>(text.data()), text.size());
  std::erase_if(runs, [&](const NoiseRun& run) { return is_repeated(view, run); });
  std::ranges::sort(runs, {}, &NoiseRun::begin);
  return runs;
}

}  // namespace tacit
