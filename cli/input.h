// SPDX-License-Identifier: MIT
// Reading a whole file, or standard input, for commands that need all of it.
#pragma once

#include <string>

#include "messages.h"

namespace tacit::cli {

// Reads `path`, or standard input for "-", into `text`.
Outcome read_input(const std::string& path, std::string& text);

}  // namespace tacit::cli
