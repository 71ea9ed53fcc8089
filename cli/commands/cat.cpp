// SPDX-License-Identifier: MIT
// cat: some of the records of an archive, to standard output. Without records it is decompress.
#include "commands/commands.h"
#include "descriptors.h"
#include "engine.h"
#include "files.h"
#include "input.h"
#include "messages.h"
#include "output.h"

namespace tacit::cli {
namespace {

Outcome outcome_of(tacit_status status, const std::string& input, const Output& output) {
  if (output.failure().code != ExitCode::kDone) return output.failure();
  if (status == TACIT_OK) return {};
  return {exit_code_of(status), library_message(shown_input(input), status)};
}

Outcome write_records(const Engine& engine, const std::string& input, const RecordRange& range) {
  const tacit_options options = engine.options();
  Output output{std::string(kStandardStream)};
  if (input != kStandardStream && facts_of_path(input).kind != FileKind::kSpecial) {
    return outcome_of(tacit_read_records_file(&options, input.c_str(), range.first, range.count, Output::write_bytes,
                                              &output),
                      input, output);
  }
  std::string archive;
  if (Outcome outcome = read_input(input, archive); outcome.code != ExitCode::kDone) return outcome;
  return outcome_of(tacit_read_records_buffer(&options, archive.data(), archive.size(), range.first, range.count,
                                              Output::write_bytes, &output),
                    input, output);
}

}  // namespace

ExitCode run_cat(const Request& request) {
  Engine engine(request);
  if (const ExitCode code = engine.open(); code != ExitCode::kDone) return code;
  const Outcome outcome = write_records(engine, request.inputs.front(), *request.records);
  return outcome.code == ExitCode::kDone ? ExitCode::kDone : report(outcome);
}

}  // namespace tacit::cli
