// SPDX-License-Identifier: MIT
// The line that shows long work on a terminal, and the summary after it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "request.h"
#include "tacit/tacit.h"

namespace tacit::cli {

// Standard error is a terminal that may be drawn on: not with --quiet, and not where results go to a terminal too.
bool is_progress_shown(const Request& request, bool writes_to_stdout);

// Draws from the library's progress calls while it lives, at most ten times a second, plus once when verifying starts,
// and leaves an empty line behind.
class Progress {
 public:
  // `total` is used where the library does not know how many bytes will come; 0: neither do we.
  Progress(Command command, std::string name, std::uint64_t total)
      : has_ratio_(command == Command::kCompress), name_(std::move(name)), total_(total) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Makes `options` report here. This object must outlive the work.
  void attach(tacit_options& options);

 private:
  using Clock = std::chrono::steady_clock;

  // A tacit_progress_function; `context` is a Progress.
  static int receive(void* context, const tacit_progress* progress);
  void start_phase(const tacit_progress& progress, Clock::time_point now);
  void draw(const tacit_progress& progress, Clock::time_point now);

  bool has_ratio_;  // only encoding finds out how small the text becomes
  std::string name_;
  std::uint64_t total_;
  Clock::time_point last_drawn_;
  // Encoding and verifying run at different speeds, so speed and time left are those of the phase at hand.
  Clock::time_point phase_start_ = Clock::now();
  std::uint64_t phase_first_byte_ = 0;
  std::uint64_t phase_first_token_ = 0;
  int phase_verifying_ = 0;
  bool is_drawn_ = false;
};

// Wipes the progress line, if one is drawn. Async-signal-safe.
void clear_progress_in_signal_handler();

// "chat.txt : 5.41x (868978 -> 160634 bytes, chat.txt.tct)".
std::string summary_line(const std::string& input, std::uint64_t input_bytes, const std::string& output,
                         std::uint64_t output_bytes, double ratio);

}  // namespace tacit::cli
