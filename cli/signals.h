// SPDX-License-Identifier: MIT
// What signals do to the process: it ends, and leaves nothing behind.
#pragma once

namespace tacit::cli {

// SIGINT, SIGTERM and SIGHUP remove unfinished outputs and then end the process as they would have; a signal that the
// parent chose to ignore stays ignored. SIGPIPE is ignored: the write fails instead. SIGBUS, which is a mapped file
// that was cut short, ends the process with a message and ExitCode::kIo.
void install_signal_handlers();

}  // namespace tacit::cli
