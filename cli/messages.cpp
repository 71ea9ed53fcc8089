// SPDX-License-Identifier: MIT
// Putting messages together and writing them.
#include "messages.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "descriptors.h"

namespace tacit::cli {
namespace {

// What to say where the library left no sentence.
std::string_view default_message(tacit_status status) {
  switch (status) {
    case TACIT_OK:
      return "no error";
    case TACIT_DAMAGED:
      return "the data is damaged";
    case TACIT_USAGE:
      return "an argument makes no sense";
    case TACIT_MODEL:
      return "the model needed is not here";
    case TACIT_IO:
      return "reading or writing failed";
    case TACIT_CANCELLED:
      return "stopped";
    case TACIT_OUT_OF_MEMORY:
      return "out of memory";
    case TACIT_INTERNAL:
      return "a fault of this program";
  }
  return "an unknown error";
}

}  // namespace

std::string printable(std::string_view text) {
  char* shown = nullptr;
  if (tacit_printable(text.data(), text.size(), &shown) != TACIT_OK) throw std::bad_alloc();
  const std::unique_ptr<char, decltype(&tacit_free)> owner(shown, tacit_free);
  return shown;
}

void print_line(std::string_view line) {
  const std::string text = printable(line) + "\n";
  // Nobody could be told of a failure here.
  static_cast<void>(write_all(kStandardError, text.data(), text.size()));
}

ExitCode fail(ExitCode code, std::string_view message) {
  print_line("tacit: " + std::string(message));
  return code;
}

ExitCode report(const Outcome& outcome) {
  return outcome.message.empty() ? outcome.code : fail(outcome.code, outcome.message);
}

std::string library_message(std::string_view subject, tacit_status status) {
  std::string message = tacit_last_error();
  if (message.empty()) message = default_message(status);
  // The library names files in front: the subject, or the output that is called after it.
  const std::string shown = printable(subject);
  const std::string_view rest = std::string_view(message).substr(std::min(shown.size(), message.size()));
  if (message.starts_with(shown) && (rest.starts_with(':') || rest.starts_with('.'))) return message;
  return shown + ": " + message;
}

std::string errno_message(std::string_view subject, int error_number) {
  return std::string(subject) + ": " + std::strerror(error_number);
}

std::string shown_input(const std::string& path) { return path == kStandardStream ? "standard input" : path; }

std::string shown_output(const std::string& path) { return path == kStandardStream ? "standard output" : path; }

}  // namespace tacit::cli
