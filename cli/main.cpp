// SPDX-License-Identifier: MIT
// tacit, the command line: a client of include/tacit/tacit.h that knows nothing else of the library. Each command is a
// file in commands/.
#include <new>
#include <variant>

#include "commands/commands.h"
#include "messages.h"
#include "options.h"
#include "signals.h"

namespace tacit::cli {
namespace {

ExitCode run(const Request& request) {
  switch (request.command) {
    case Command::kCompress:
    case Command::kDecompress:
      return run_transfer(request);
    case Command::kTest:
      return run_test(request);
    case Command::kInfo:
      return request.model_path.empty() ? run_info(request) : run_model_info(request);
    case Command::kEval:
      return run_eval(request);
    case Command::kTokenize:
      return run_tokenize(request);
    case Command::kGenerate:
      return run_generate(request);
    case Command::kInspect:
      return run_inspect(request);
    case Command::kModels:
      return run_models(request);
    case Command::kCat:
      return run_cat(request);
  }
  return ExitCode::kUsage;
}

ExitCode parse_and_run(int argc, const char* const* argv) {
  try {
    const std::variant<Request, ExitCode> parsed = parse_command_line(argc, argv);
    if (const auto* code = std::get_if<ExitCode>(&parsed)) return *code;
    return run(std::get<Request>(parsed));
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::kIo, "out of memory");
  }
}

}  // namespace
}  // namespace tacit::cli

int main(int argc, char** argv) {
  tacit::cli::install_signal_handlers();
  return static_cast<int>(tacit::cli::parse_and_run(argc, argv));
}
