// SPDX-License-Identifier: MIT
// When to draw the progress line, and where.
#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <string_view>

#include "descriptors.h"
#include "progress_line.h"

namespace tacit::cli {
namespace {

constexpr std::chrono::milliseconds kDrawInterval{100};
constexpr std::size_t kDefaultColumns = 80;
constexpr std::string_view kClearLine = "\r\x1b[K";

// For the signal handler, which cannot reach the object.
std::atomic<bool> is_line_on_terminal = false;

std::size_t terminal_columns() {
  struct winsize size {};
  if (::ioctl(kStandardError, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

double seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

bool is_progress_shown(const Request& request, bool writes_to_stdout) {
  if (request.quiet || ::isatty(kStandardError) == 0) return false;
  return !writes_to_stdout || ::isatty(kStandardOutput) == 0;
}

Progress::~Progress() {
  if (!is_drawn_) return;
  static_cast<void>(write_all(kStandardError, kClearLine.data(), kClearLine.size()));
  is_line_on_terminal = false;
}

void Progress::attach(tacit_options& options) {
  options.progress = receive;
  options.progress_context = this;
}

int Progress::receive(void* context, const tacit_progress* progress) {
  auto& self = *static_cast<Progress*>(context);
  const Clock::time_point now = Clock::now();
  const bool is_new_phase = progress->verifying != self.phase_verifying_;
  if (is_new_phase) self.start_phase(*progress, now);
  if (!self.is_drawn_ || is_new_phase || now - self.last_drawn_ >= kDrawInterval) self.draw(*progress, now);
  return 0;
}

void Progress::start_phase(const tacit_progress& progress, Clock::time_point now) {
  phase_start_ = now;
  phase_first_byte_ = progress.original_bytes_done;
  phase_first_token_ = progress.tokens_done;
  phase_verifying_ = progress.verifying;
}

void Progress::draw(const tacit_progress& progress, Clock::time_point now) {
  const double elapsed = std::max(seconds(now - phase_start_), 1e-3);
  ProgressView view;
  view.name = name_;
  view.bytes_done = progress.original_bytes_done;
  view.bytes_total = progress.original_bytes_total > 0 ? progress.original_bytes_total : total_;
  view.is_verifying = progress.verifying != 0;
  if (has_ratio_ && !view.is_verifying && progress.stored_bytes > 0) {
    view.ratio = static_cast<double>(progress.original_bytes_done) / static_cast<double>(progress.stored_bytes);
  }
  view.tokens_per_second = static_cast<double>(progress.tokens_done - phase_first_token_) / elapsed;
  if (view.bytes_total >= view.bytes_done && view.bytes_done > phase_first_byte_) {
    const double seconds_per_byte = elapsed / static_cast<double>(view.bytes_done - phase_first_byte_);
    view.seconds_left = seconds_per_byte * static_cast<double>(view.bytes_total - view.bytes_done);
  }
  // The last column stays empty: some terminals wrap when it is written.
  const std::string line = std::string(kClearLine) + progress_line(view, terminal_columns() - 1);
  is_line_on_terminal = true;
  static_cast<void>(write_all(kStandardError, line.data(), line.size()));
  is_drawn_ = true;
  last_drawn_ = now;
}

void clear_progress_in_signal_handler() {
  if (is_line_on_terminal) static_cast<void>(write_all(kStandardError, kClearLine.data(), kClearLine.size()));
}

std::string summary_line(const std::string& input, std::uint64_t input_bytes, const std::string& output,
                         std::uint64_t output_bytes, double ratio) {
  std::array<char, 96> numbers;
  std::snprintf(numbers.data(), numbers.size(), " : %.2fx (%llu -> %llu bytes, ", ratio,
                static_cast<unsigned long long>(input_bytes), static_cast<unsigned long long>(output_bytes));
  return input + numbers.data() + output + ")";
}

}  // namespace tacit::cli
