// SPDX-License-Identifier: MIT
// inspect: what each token of a text costs, and why, as a page or as JSON.
#include <optional>

#include "commands/commands.h"
#include "commands/transfer_plan.h"
#include "descriptors.h"
#include "engine.h"
#include "files.h"
#include "input.h"
#include "inspection.h"
#include "inspection_json.h"
#include "inspection_page.h"
#include "messages.h"
#include "output.h"
#include "progress.h"

namespace tacit::cli {
namespace {

std::string json_path(const Request& request) {
  return request.output.path.empty() ? std::string(kStandardStream) : request.output.path;
}

// Before the work, which may be long.
Outcome check_output(const Request& request, const std::string& path) {
  if (path.empty() || path == kStandardStream) return {};
  const std::string& input = request.inputs.front();
  const FileFacts facts = facts_of_path(path);
  if (input != kStandardStream && is_same_file(facts_of_path(input), facts)) {
    return {ExitCode::kUsage, input + ": is both the input and the output"};
  }
  return check_output_path(path, facts, request.output.force);
}

Outcome check_outputs(const Request& request) {
  if (Outcome outcome = check_output(request, request.inspect.html_path); outcome.code != ExitCode::kDone) {
    return outcome;
  }
  return request.json ? check_output(request, json_path(request)) : Outcome();
}

Outcome inspect(const Request& request, const Engine& engine, tacit_archive_info& archive, Inspection& inspection) {
  const std::string& input = request.inputs.front();
  std::string bytes;
  if (Outcome outcome = read_input(input, bytes); outcome.code != ExitCode::kDone) return outcome;
  tacit_options options = engine.options();
  std::optional<Progress> progress;
  const bool writes_to_stdout = (request.json && json_path(request) == kStandardStream) ||
                                request.inspect.html_path == kStandardStream;
  if (is_progress_shown(request, writes_to_stdout)) {
    progress.emplace(request.command, shown_input(input), 0).attach(options);
  }
  const int is_archive = has_archive_suffix(input) ? 1 : 0;
  const tacit_status status = tacit_inspect_buffer(&options, bytes.data(), bytes.size(), is_archive,
                                                   Inspection::receive, &inspection, &archive);
  if (status != TACIT_OK) return {exit_code_of(status), library_message(shown_input(input), status)};
  return {};
}

Outcome write_result(const Request& request, const std::string& path, std::string_view text) {
  Output output(path);
  if (Outcome outcome = output.open(request.output.force); outcome.code != ExitCode::kDone) return outcome;
  if (Outcome outcome = output.write(text); outcome.code != ExitCode::kDone) return outcome;
  return output.commit();
}

Outcome write_results(const Request& request, const std::string& json) {
  const std::string& html_path = request.inspect.html_path;
  if (!html_path.empty()) {
    Outcome outcome = write_result(request, html_path, inspection_page(json));
    if (outcome.code != ExitCode::kDone) return outcome;
  }
  return request.json ? write_result(request, json_path(request), json) : Outcome();
}

}  // namespace

ExitCode run_inspect(const Request& request) {
  if (const Outcome outcome = check_outputs(request); outcome.code != ExitCode::kDone) return report(outcome);
  Engine engine(request);
  if (const ExitCode code = engine.open(); code != ExitCode::kDone) return code;
  tacit_archive_info archive;
  tacit_archive_info_init(&archive);
  Inspection inspection(request.inspect.span_count_max);
  if (const Outcome outcome = inspect(request, engine, archive, inspection); outcome.code != ExitCode::kDone) {
    return report(outcome);
  }
  return report(write_results(request, inspection_json(request.inputs.front(), archive, inspection)));
}

}  // namespace tacit::cli
