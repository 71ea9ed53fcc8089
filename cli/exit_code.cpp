// SPDX-License-Identifier: MIT
// From the library's status to the exit code, and the order of severity.
#include "exit_code.h"

namespace tacit::cli {
namespace {

// Damaged data comes first: whoever checks a folder of archives must learn of the one that is lost.
int severity(ExitCode code) {
  switch (code) {
    case ExitCode::kDone:
      return 0;
    case ExitCode::kUsage:
      return 1;
    case ExitCode::kModel:
      return 2;
    case ExitCode::kIo:
      return 3;
    case ExitCode::kDamaged:
      return 4;
  }
  return 4;
}

}  // namespace

ExitCode exit_code_of(tacit_status status) {
  switch (status) {
    case TACIT_OK:
      return ExitCode::kDone;
    case TACIT_DAMAGED:
      return ExitCode::kDamaged;
    case TACIT_USAGE:
      return ExitCode::kUsage;
    case TACIT_MODEL:
      return ExitCode::kModel;
    case TACIT_IO:
    case TACIT_CANCELLED:
    case TACIT_OUT_OF_MEMORY:
    case TACIT_INTERNAL:  // says nothing of the data, which kDamaged would
      return ExitCode::kIo;
  }
  return ExitCode::kDamaged;
}

ExitCode worse_of(ExitCode left, ExitCode right) { return severity(left) >= severity(right) ? left : right; }

}  // namespace tacit::cli
