// SPDX-License-Identifier: MIT
// The handler calls async-signal-safe functions only.
#include "signals.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

#include "exit_code.h"
#include "progress.h"
#include "tacit/tacit.h"

namespace tacit::cli {
namespace {

void clean_up() {
  tacit_remove_unfinished_outputs();
  clear_progress_in_signal_handler();
}

extern "C" void end_by_signal(int signal_number) {
  clean_up();
  // With the default action back in place the raised signal ends the process as soon as this handler returns, so that
  // the shell sees a death by signal.
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

// Models and archives are mapped. Where one is cut short meanwhile, or its disk fails, reading it is no call that could
// return an error.
extern "C" void end_by_lost_file(int) {
  constexpr std::string_view kMessage =
      "tacit: a model or an archive was cut short while it was read, or its disk failed\n";
  clean_up();
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(static_cast<int>(ExitCode::kIo));
}

void handle_unless_ignored(int signal_number) {
  struct sigaction current {};
  if (::sigaction(signal_number, nullptr, &current) != 0 || current.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = end_by_signal;
  sigfillset(&action.sa_mask);
  ::sigaction(signal_number, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) handle_unless_ignored(signal_number);
  std::signal(SIGBUS, end_by_lost_file);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace tacit::cli
