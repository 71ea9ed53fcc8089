// SPDX-License-Identifier: MIT
// Results that are text, on standard output.
#pragma once

#include <string_view>

#include "exit_code.h"
#include "messages.h"

namespace tacit::cli {

// Writing to standard output failed with this errno: kIo, without a message if only the reader has gone.
Outcome output_failure(int error_number);

// Writes `text`. Reports a failure.
ExitCode write_output(std::string_view text);

}  // namespace tacit::cli
