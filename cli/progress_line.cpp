// SPDX-License-Identifier: MIT
// Putting the progress line together.
#include "progress_line.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "messages.h"
#include "sizes.h"

namespace tacit::cli {
namespace {

constexpr std::size_t kNameBytesMax = 28;
constexpr std::size_t kNameBytesMin = 8;
constexpr std::size_t kBarCells = 10;
constexpr std::string_view kEllipsis = "...";

template <class... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 64> buffer;
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<unsigned long>(seconds + 0.5);
  if (whole < 3600) return formatted("%lu:%02lu", whole / 60, whole % 60);
  return formatted("%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
}

// The last characters of a long name tell more than the first.
std::string name_text(const std::string& name, std::size_t bytes_max) {
  const std::string shown = printable(name);
  if (shown.size() <= bytes_max) return shown;
  std::size_t begin = shown.size() - (bytes_max - kEllipsis.size());
  const auto is_continuation = [&](std::size_t i) { return (static_cast<unsigned char>(shown[i]) & 0xc0) == 0x80; };
  while (begin < shown.size() && is_continuation(begin)) ++begin;
  return std::string(kEllipsis) + shown.substr(begin);
}

std::string bar_text(const ProgressView& view) {
  if (view.bytes_total == 0) return "";
  const double fraction = static_cast<double>(view.bytes_done) / static_cast<double>(view.bytes_total);
  const auto filled = static_cast<std::size_t>(std::min(1.0, fraction) * kBarCells);
  return "[" + std::string(filled, '#') + std::string(kBarCells - filled, '.') + "]  ";
}

std::string numbers_text(const ProgressView& view) {
  std::string text = size_text(view.bytes_done, view.bytes_total);
  if (view.ratio > 0) text += formatted("  %.2fx", view.ratio);
  text += formatted("  %.0f tokens/s", view.tokens_per_second);
  if (view.is_verifying) text += "  verifying";
  if (view.seconds_left >= 0) text += "  " + duration_text(view.seconds_left) + " left";
  return text;
}

}  // namespace

std::string progress_line(const ProgressView& view, std::size_t columns) {
  const std::string numbers = "  " + numbers_text(view);
  const std::string bar = "  " + bar_text(view);
  const std::size_t name_bytes_min = std::min(kNameBytesMin, view.name.size());
  for (const std::string& rest : {bar + numbers.substr(2), numbers}) {
    if (rest.size() + name_bytes_min > columns) continue;
    return name_text(view.name, std::min(kNameBytesMax, columns - rest.size())) + rest;
  }
  return numbers.substr(2, columns);
}

}  // namespace tacit::cli
