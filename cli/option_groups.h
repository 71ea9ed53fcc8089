// SPDX-License-Identifier: MIT
// The options of each command, described once: their names, help lines and where their values go.
#pragma once

#include <CLI/CLI.hpp>

#include "request.h"

namespace tacit::cli {

// Values that become part of the Request only after all options are known.
struct ParsedFlags {
  bool to_stdout = false;
  bool decompress = false;
  bool test = false;
};

// Adds the options of `request.command` to `app`, which must not outlive `request` and `flags`.
void add_command_options(CLI::App& app, Request& request, ParsedFlags& flags);

// Adds the options of `tacit [-d | -t] FILE...`, the form without a command.
void add_plain_options(CLI::App& app, Request& request, ParsedFlags& flags);

}  // namespace tacit::cli
