// SPDX-License-Identifier: MIT
// Reading a whole file.
#include "input.h"

#include <fcntl.h>

#include <cerrno>

#include "descriptors.h"

namespace tacit::cli {

Outcome read_input(const std::string& path, std::string& text) {
  Descriptor opened;
  int descriptor = kStandardInput;
  if (path != kStandardStream) {
    opened = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.is_open()) return {ExitCode::kIo, errno_message(path, errno)};
    descriptor = opened.number();
  }
  const int error_number = read_all(descriptor, text);
  if (error_number != 0) return {ExitCode::kIo, errno_message(shown_input(path), error_number)};
  return {};
}

}  // namespace tacit::cli
