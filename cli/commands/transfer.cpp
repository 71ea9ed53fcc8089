// SPDX-License-Identifier: MIT
// compress and decompress: what goes where, whether it may, the work, and what is done to the source afterwards.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "commands/commands.h"
#include "commands/transfer_plan.h"
#include "descriptors.h"
#include "engine.h"
#include "files.h"
#include "messages.h"
#include "output.h"
#include "progress.h"

namespace tacit::cli {
namespace {

// The library's outcome in words. A failure of our own ends is known better here.
Outcome outcome_of(tacit_status status, const Transfer& transfer, const ByteSource& source, const Output& output) {
  if (source.error_number != 0) {
    return {ExitCode::kIo, errno_message(shown_input(transfer.input), source.error_number)};
  }
  if (output.failure().code != ExitCode::kDone) return output.failure();
  if (status == TACIT_OK) return {};
  return {exit_code_of(status), library_message(shown_input(transfer.input), status)};
}

Outcome transfer_stream(const tacit_options& options, const Transfer& transfer, tacit_result& result) {
  Descriptor input;
  ByteSource source{kStandardInput};
  if (transfer.input != kStandardStream) {
    input = Descriptor(::open(transfer.input.c_str(), O_RDONLY | O_CLOEXEC));
    if (!input.is_open()) return {ExitCode::kIo, errno_message(transfer.input, errno)};
    source.descriptor = input.number();
  }
  Output output(transfer.output);
  if (Outcome outcome = output.open(options.overwrite != 0); outcome.code != ExitCode::kDone) return outcome;
  const auto work = transfer.is_compression ? tacit_compress_stream : tacit_decompress_stream;
  const tacit_status status = work(&options, ByteSource::read, &source, Output::write_bytes, &output, &result);
  if (Outcome outcome = outcome_of(status, transfer, source, output); outcome.code != ExitCode::kDone) return outcome;
  return output.commit();
}

Outcome transfer_file(const tacit_options& options, const Transfer& transfer, tacit_result& result) {
  const auto work = transfer.is_compression ? tacit_compress_file : tacit_decompress_file;
  const tacit_status status = work(&options, transfer.input.c_str(), transfer.output.c_str(), &result);
  if (status != TACIT_OK) return {exit_code_of(status), library_message(transfer.input, status)};
  return {};
}

// The work alone, with the progress line while it lasts.
Outcome do_transfer(const Request& request, const Engine& engine, const Transfer& transfer, tacit_result& result) {
  tacit_options options = engine.options();
  std::optional<Progress> progress;
  if (is_progress_shown(request, transfer.output == kStandardStream)) {
    const bool is_size_known = transfer.is_compression && transfer.input_facts.kind == FileKind::kRegular;
    const auto total = is_size_known ? static_cast<std::uint64_t>(transfer.input_facts.status.st_size) : 0;
    progress.emplace(request.command, shown_input(transfer.input), total).attach(options);
  }
  return is_file_to_file(transfer) ? transfer_file(options, transfer, result)
                                   : transfer_stream(options, transfer, result);
}

void print_summary(const Transfer& transfer, const tacit_result& result) {
  const std::string input = shown_input(transfer.input);
  const std::string output = shown_output(transfer.output);
  const double ratio = static_cast<double>(result.original_bytes) /
                       static_cast<double>(std::max<std::uint64_t>(result.archive_bytes, 1));
  if (transfer.is_compression) {
    print_line(summary_line(input, result.original_bytes, output, result.archive_bytes, ratio));
  } else {
    print_line(summary_line(input, result.archive_bytes, output, result.original_bytes, ratio));
  }
}

// The source's time goes onto the result, and the source goes, if asked for. The result is complete and safe by now.
ExitCode settle_source(const Request& request, const Transfer& transfer) {
  if (!is_file_to_file(transfer)) return ExitCode::kDone;
  const int error_number = copy_modification_time(transfer.input_facts, transfer.output);
  if (error_number != 0 && !request.quiet) {
    print_line("tacit: warning: " + errno_message(transfer.output, error_number) + "; its time was not set");
  }
  if (!request.output.remove_source) return ExitCode::kDone;
  const std::string complaint = remove_unchanged(transfer.input, transfer.input_facts);
  return complaint.empty() ? ExitCode::kDone : fail(ExitCode::kIo, complaint);
}

ExitCode transfer_one(const Request& request, const Engine& engine, const std::string& input) {
  Transfer transfer;
  if (const Outcome outcome = plan_transfer(request, input, transfer); outcome.code != ExitCode::kDone) {
    return report(outcome);
  }
  tacit_result result;
  tacit_result_init(&result);
  if (const Outcome outcome = do_transfer(request, engine, transfer, result); outcome.code != ExitCode::kDone) {
    return report(outcome);
  }
  if (request.verbose || is_progress_shown(request, transfer.output == kStandardStream)) {
    print_summary(transfer, result);
  }
  return settle_source(request, transfer);
}

}  // namespace

ExitCode run_transfer(const Request& request) {
  Engine engine(request);
  if (const ExitCode code = engine.open(); code != ExitCode::kDone) return code;
  ExitCode worst = ExitCode::kDone;
  for (const std::string& input : request.inputs) worst = worse_of(worst, transfer_one(request, engine, input));
  return worst;
}

}  // namespace tacit::cli
