// SPDX-License-Identifier: MIT
// test: decode and check, write nothing.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "commands/commands.h"
#include "descriptors.h"
#include "engine.h"
#include "messages.h"
#include "progress.h"

namespace tacit::cli {
namespace {

Outcome test_descriptor(const Request& request, const Engine& engine, const std::string& name, int descriptor,
                        tacit_result& result) {
  tacit_options options = engine.options();
  std::optional<Progress> progress;
  if (is_progress_shown(request, false)) progress.emplace(request.command, name, 0).attach(options);
  ByteSource source{descriptor};
  const tacit_status status = tacit_decompress_stream(&options, ByteSource::read, &source, nullptr, nullptr, &result);
  if (source.error_number != 0) return {ExitCode::kIo, errno_message(name, source.error_number)};
  if (status != TACIT_OK) return {exit_code_of(status), library_message(name, status)};
  return {};
}

Outcome test_input(const Request& request, const Engine& engine, const std::string& input, tacit_result& result) {
  const std::string name = shown_input(input);
  if (input == kStandardStream) {
    if (::isatty(kStandardInput) != 0) return {ExitCode::kUsage, "no archive is read from a terminal; name a FILE"};
    return test_descriptor(request, engine, name, kStandardInput, result);
  }
  const Descriptor opened(::open(input.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened.is_open()) return {ExitCode::kIo, errno_message(name, errno)};
  return test_descriptor(request, engine, name, opened.number(), result);
}

ExitCode test_one(const Request& request, const Engine& engine, const std::string& input) {
  tacit_result result;
  tacit_result_init(&result);
  const Outcome outcome = test_input(request, engine, input, result);
  if (outcome.code != ExitCode::kDone) return report(outcome);
  if (request.verbose || is_progress_shown(request, false)) {
    print_line(shown_input(input) + " : ok, " + std::to_string(result.original_bytes) + " bytes");
  }
  return ExitCode::kDone;
}

}  // namespace

ExitCode run_test(const Request& request) {
  Engine engine(request);
  if (const ExitCode code = engine.open(); code != ExitCode::kDone) return code;
  ExitCode worst = ExitCode::kDone;
  for (const std::string& input : request.inputs) worst = worse_of(worst, test_one(request, engine, input));
  return worst;
}

}  // namespace tacit::cli
