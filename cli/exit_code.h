// SPDX-License-Identifier: MIT
// The exit codes of tacit, a promise to scripts (docs/cli.md), and how the results of several files become one.
#pragma once

#include "tacit/tacit.h"

namespace tacit::cli {

enum class ExitCode {
  kDone = 0,
  kDamaged = 1,  // the data is damaged, or a check failed
  kUsage = 2,    // wrong usage
  kModel = 3,    // the model needed is not here
  kIo = 4,       // input or output failed, memory ran out, or the program has a fault
};

// The exit code of a run that got this status.
ExitCode exit_code_of(tacit_status status);

// The worse of two results. From severe to light: kDamaged, kIo, kModel, kUsage, kDone.
ExitCode worse_of(ExitCode left, ExitCode right);

}  // namespace tacit::cli
