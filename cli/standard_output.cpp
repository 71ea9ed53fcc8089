// SPDX-License-Identifier: MIT
// Writing text results and naming what went wrong.
#include "standard_output.h"

#include <cerrno>

#include "descriptors.h"

namespace tacit::cli {

Outcome output_failure(int error_number) {
  if (error_number == EPIPE) return {ExitCode::kIo, ""};
  return {ExitCode::kIo, errno_message("standard output", error_number)};
}

ExitCode write_output(std::string_view text) {
  const int error_number = write_all(kStandardOutput, text.data(), text.size());
  return error_number == 0 ? ExitCode::kDone : report(output_failure(error_number));
}

}  // namespace tacit::cli
