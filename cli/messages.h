// SPDX-License-Identifier: MIT
// Sentences for people, on standard error. Text that came from a file or an archive is made printable first, so that
// none can write escape sequences to a terminal.
#pragma once

#include <string>
#include <string_view>

#include "exit_code.h"
#include "tacit/tacit.h"

namespace tacit::cli {

// `text` as tacit_printable shows it.
std::string printable(std::string_view text);

// Writes "tacit: MESSAGE" and returns `code`, so that a failure is reported and returned in one line.
ExitCode fail(ExitCode code, std::string_view message);

// How a step ended; `message` may be empty where nothing is to be said.
struct Outcome {
  ExitCode code = ExitCode::kDone;
  std::string message;
};

// Writes the message, if any, as fail() does, and returns the code.
ExitCode report(const Outcome& outcome);

// Writes one line as it is, to standard error.
void print_line(std::string_view line);

// The library's last error, with `subject` (a file's name) in front unless the message names it already.
std::string library_message(std::string_view subject, tacit_status status);

// "SUBJECT: what errno says".
std::string errno_message(std::string_view subject, int error_number);

// The name to show for a path that may be "-".
std::string shown_input(const std::string& path);
std::string shown_output(const std::string& path);

}  // namespace tacit::cli
