// SPDX-License-Identifier: MIT
// Names and permissions to go on, in the order in which a user would ask: the input, the output's name, the output.
#include "commands/transfer_plan.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "descriptors.h"
#include "output.h"

namespace tacit::cli {
namespace {

constexpr std::string_view kSuffix = ".tct";

Outcome check_input(const Request& request, const Transfer& transfer) {
  const std::string name = shown_input(transfer.input);
  const bool is_stdin = transfer.input == kStandardStream;
  switch (transfer.input_facts.kind) {
    case FileKind::kMissing:
    case FileKind::kUnreachable:
      return {ExitCode::kIo, errno_message(name, transfer.input_facts.error_number)};
    case FileKind::kDirectory:
      return {ExitCode::kIo, errno_message(name, EISDIR)};
    case FileKind::kSpecial:
      if (is_stdin || !request.output.path.empty()) break;
      return {ExitCode::kIo, name + ": not a regular file; name the output with -o or -c"};
    case FileKind::kRegular:
      break;
  }
  if (request.output.force) return {};
  if (transfer.is_compression && has_archive_suffix(transfer.input)) {
    return {ExitCode::kUsage, name + ": is an archive by its name; skipped (-f compresses it)"};
  }
  if (is_stdin && !transfer.is_compression && ::isatty(kStandardInput) != 0) {
    return {ExitCode::kUsage, "no archive is read from a terminal; name a FILE, or see tacit --help"};
  }
  return {};
}

Outcome choose_output(const Request& request, Transfer& transfer) {
  if (!request.output.path.empty()) {
    transfer.output = request.output.path;
  } else if (transfer.input == kStandardStream) {
    transfer.output = kStandardStream;
  } else if (transfer.is_compression) {
    transfer.output = transfer.input + std::string(kSuffix);
  } else if (has_archive_suffix(transfer.input)) {
    transfer.output = transfer.input.substr(0, transfer.input.size() - kSuffix.size());
  } else {
    return {ExitCode::kUsage, transfer.input + ": no suffix .tct; name the output with -o or -c"};
  }
  return {};
}

Outcome check_standard_output(const Request& request, const Transfer& transfer) {
  if (transfer.is_compression && !request.output.force && ::isatty(kStandardOutput) != 0) {
    return {ExitCode::kUsage, "no archive is written to a terminal; -f forces it, tacit --help says more"};
  }
  return {};
}

Outcome check_output_file(const Request& request, const Transfer& transfer) {
  // What a device does with the bytes is not known: the source must stay.
  if (transfer.output_facts.kind == FileKind::kSpecial && request.output.remove_source) {
    return {ExitCode::kUsage, transfer.output + ": not a regular file; --rm needs one"};
  }
  return check_output_path(transfer.output, transfer.output_facts, request.output.force);
}

}  // namespace

bool has_archive_suffix(std::string_view path) {
  if (path.size() <= kSuffix.size() || path.substr(path.size() - kSuffix.size()) != kSuffix) return false;
  return path[path.size() - kSuffix.size() - 1] != '/';
}

Outcome plan_transfer(const Request& request, const std::string& input, Transfer& transfer) {
  transfer.is_compression = request.command == Command::kCompress;
  transfer.input = input;
  transfer.input_facts = input == kStandardStream ? facts_of_descriptor(kStandardInput) : facts_of_path(input);
  if (Outcome outcome = check_input(request, transfer); outcome.code != ExitCode::kDone) return outcome;
  if (Outcome outcome = choose_output(request, transfer); outcome.code != ExitCode::kDone) return outcome;
  const bool to_stdout = transfer.output == kStandardStream;
  transfer.output_facts = to_stdout ? facts_of_descriptor(kStandardOutput) : facts_of_path(transfer.output);
  if (is_same_file(transfer.input_facts, transfer.output_facts)) {
    return {ExitCode::kUsage, shown_input(input) + ": is both the input and the output"};
  }
  return to_stdout ? check_standard_output(request, transfer) : check_output_file(request, transfer);
}

bool is_file_to_file(const Transfer& transfer) {
  return transfer.input != kStandardStream && transfer.output != kStandardStream &&
         transfer.input_facts.kind == FileKind::kRegular && transfer.output_facts.kind != FileKind::kSpecial;
}

}  // namespace tacit::cli
