// SPDX-License-Identifier: MIT
// The commands by name, and what --help says.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "request.h"

namespace tacit::cli {

struct CommandEntry {
  Command command;
  std::string_view name;
  std::string_view arguments;  // of the usage line
  std::string_view summary;    // one line
};

// nullptr where `name` is no command.
const CommandEntry* find_command(std::string_view name);

// The text of `tacit --help`.
std::string main_help();

// The text of `tacit COMMAND --help`.
std::string command_help(const CommandEntry& entry, const CLI::App& app);

}  // namespace tacit::cli
