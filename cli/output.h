// SPDX-License-Identifier: MIT
// Where a result goes: standard output, or a file that the library makes appear complete or not at all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "files.h"
#include "messages.h"

namespace tacit::cli {

// Says what forbids writing to `path`, before work that would be for nothing. `replace`: as Output::open has it.
Outcome check_output_path(const std::string& path, const FileFacts& facts, bool replace);

class Output {
 public:
  // `path`: "-" for standard output.
  explicit Output(std::string path) : path_(std::move(path)) {}
  // Removes what was not committed.
  ~Output() { tacit_output_close(file_); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // `replace`: an existing file may be replaced.
  Outcome open(bool replace);
  Outcome write(std::string_view bytes);
  // The file gets its name.
  Outcome commit();

  // The first write that failed, or success. The library only knows of one of its callbacks that it failed.
  const Outcome& failure() const { return failure_; }

  // A tacit_write_function and a tacit_text_function; `context` is an Output.
  static int write_bytes(void* context, const void* data, std::size_t data_bytes);
  static int write_text(void* context, const char* text, std::size_t text_bytes) {
    return write_bytes(context, text, text_bytes);
  }

 private:
  Outcome outcome_of(tacit_status status) const;

  std::string path_;
  tacit_output* file_ = nullptr;  // null: standard output
  Outcome failure_;
};

}  // namespace tacit::cli
