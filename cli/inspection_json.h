// SPDX-License-Identifier: MIT
// An inspection as JSON (docs/cli.md lists the fields): what `inspect --json` writes and what its page draws.
#pragma once

#include <string>

#include "inspection.h"
#include "tacit/tacit.h"

namespace tacit::cli {

// One token or stored segment, as an object on one line.
std::string span_json(const tacit_span& span);

// All of it. `name` is the file's.
std::string inspection_json(const std::string& name, const tacit_archive_info& archive, const Inspection& inspection);

}  // namespace tacit::cli
