// SPDX-License-Identifier: MIT
// The commands. Each does what a checked request asks for, reports its own failures, and returns the exit code.
#pragma once

#include "exit_code.h"
#include "request.h"

namespace tacit::cli {

// compress and decompress: each input to its output.
ExitCode run_transfer(const Request& request);
ExitCode run_test(const Request& request);
ExitCode run_info(const Request& request);
// info, where a model is named.
ExitCode run_model_info(const Request& request);
ExitCode run_eval(const Request& request);
ExitCode run_tokenize(const Request& request);
ExitCode run_generate(const Request& request);
ExitCode run_inspect(const Request& request);
ExitCode run_models(const Request& request);
ExitCode run_cat(const Request& request);

}  // namespace tacit::cli
