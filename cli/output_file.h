// SPDX-License-Identifier: MIT
// An output file that appears complete or not at all, for what the library does not write itself: results that come
// from standard input, and logits.
#pragma once

#include <string>

#include "descriptors.h"
#include "files.h"
#include "messages.h"

namespace tacit::cli {

// Says what forbids writing to `path`, before work that would be for nothing. `replace`: as OutputFile has it.
Outcome check_output_path(const std::string& path, const FileFacts& facts, bool replace);

class OutputFile {
 public:
  // The file appears at `path` on commit(); only with `replace` may it take the place of another. A device or a pipe
  // is written to directly.
  OutputFile(std::string path, bool replace) : path_(std::move(path)), replace_(replace) {}
  // Removes what was not committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Opens the temporary file beside the final one. Returns 0 or errno.
  int open();
  int descriptor() const { return descriptor_.number(); }
  // Syncs, closes and renames. Returns 0 or errno: EEXIST where another file took the name.
  int commit();

 private:
  int open_temporary();
  int take_name();

  std::string path_;
  bool replace_;
  std::string temporary_path_;  // "" while none exists
  Descriptor descriptor_;
};

// Removes the temporary file that is being written, if any. Async-signal-safe.
void remove_unfinished_output_file();

}  // namespace tacit::cli
