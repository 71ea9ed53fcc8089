// SPDX-License-Identifier: MIT
// From argv to a Request.
#pragma once

#include <variant>

#include "exit_code.h"
#include "request.h"

namespace tacit::cli {

// What to do, or how to end at once: kDone after --help and --version, kUsage after a message.
std::variant<Request, ExitCode> parse_command_line(int argc, const char* const* argv);

}  // namespace tacit::cli
