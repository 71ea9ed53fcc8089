// SPDX-License-Identifier: MIT
// Which file goes where, and every reason why not that can be known before the work.
#pragma once

#include <string>
#include <string_view>

#include "files.h"
#include "messages.h"
#include "request.h"

namespace tacit::cli {

struct Transfer {
  bool is_compression = true;
  std::string input;   // "-": standard input
  std::string output;  // "-": standard output
  FileFacts input_facts;
  FileFacts output_facts;
};

// A path that ends in .tct, with something before it in its last part.
bool has_archive_suffix(std::string_view path);

// Fills in `transfer` for one input, or says what forbids it.
Outcome plan_transfer(const Request& request, const std::string& input, Transfer& transfer);

// Both ends are files, so the library does all of it: names, permissions, sync.
bool is_file_to_file(const Transfer& transfer);

}  // namespace tacit::cli
