// SPDX-License-Identifier: MIT
// Parsing with CLI11, and the checks that need more than one option.
#include "options.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "descriptors.h"
#include "help.h"
#include "messages.h"
#include "option_groups.h"
#include "standard_output.h"

namespace tacit::cli {
namespace {

ExitCode wrong_usage(const std::string& message) {
  fail(ExitCode::kUsage, message);
  print_line("Try 'tacit --help'.");
  return ExitCode::kUsage;
}

// File names are what CLI11 leaves over. As one of its positionals, a file named "[a,b]" would become two.
// Returns the first unknown option.
std::optional<std::string> take_files(const std::vector<std::string>& rest, std::vector<std::string>& files) {
  bool options_ended = false;
  for (const std::string& argument : rest) {
    if (!options_ended && argument == "--") {
      options_ended = true;
    } else if (!options_ended && argument.size() > 1 && argument.front() == '-') {
      return argument;
    } else {
      files.push_back(argument);
    }
  }
  return std::nullopt;
}

// The arguments in CLI11's order, last first. CLI11 would take the argument after "--name=" for its value, so that one
// becomes "--name" and "".
std::vector<std::string> reversed_arguments(int argc, const char* const* argv, int first) {
  std::vector<std::string> arguments;
  bool options_ended = false;
  for (int i = first; i < argc; ++i) {
    std::string argument = argv[i];
    options_ended = options_ended || argument == "--";
    const bool has_empty_value = !options_ended && argument.starts_with("--") && argument.ends_with("=");
    if (has_empty_value) argument.pop_back();
    arguments.push_back(std::move(argument));
    if (has_empty_value) arguments.emplace_back();
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

bool is_known_kernel_set(const std::string& name) {
  std::istringstream names(tacit_kernel_sets());
  for (std::string known; std::getline(names, known, ',');) {
    if (known == name) return true;
  }
  return false;
}

bool writes_files(Command command) { return command == Command::kCompress || command == Command::kDecompress; }

bool shows_model(const Request& request) { return request.command == Command::kInfo && !request.model_path.empty(); }

bool has_standard_input(const Request& request) {
  for (const std::string& input : request.inputs) {
    if (input == kStandardStream) return true;
  }
  return false;
}

// "" or what is wrong with where the results would go.
std::string output_complaint(const Request& request) {
  const bool to_stdout = request.output.path == kStandardStream;
  if (request.inputs.size() > 1) {
    if (!request.output.path.empty() && !to_stdout) return "--output takes one result, but there are several files";
    // The archive's end is found from the stream's end: an archive behind another would hide it.
    if (to_stdout && request.command == Command::kCompress) return "several archives cannot share standard output";
  }
  if (!request.output.remove_source) return "";
  if (to_stdout) return "--rm needs an output file";
  if (has_standard_input(request)) return "--rm needs an input file";
  return "";
}

std::string inspect_complaint(const Request& request) {
  const std::string& html_path = request.inspect.html_path;
  if (request.inputs.size() > 1) return "inspect takes one file";
  if (html_path.empty() && !request.json) return "inspect needs --html or --json";
  if (!request.output.path.empty() && !request.json) return "--output is where --json goes";
  if (!request.json) return "";
  const std::string_view json_path = request.output.path.empty() ? kStandardStream : request.output.path;
  return html_path == json_path ? "--html and --json need two outputs" : "";
}

// "" or what is wrong with the request as a whole.
std::string complaint(const Request& request) {
  const std::string& kernel_set = request.coding.kernel_set;
  if (!kernel_set.empty() && !is_known_kernel_set(kernel_set)) {
    return "--isa " + kernel_set + ": this machine can run " + tacit_kernel_sets();
  }
  if (writes_files(request.command)) return output_complaint(request);
  if (request.command == Command::kTokenize && request.inputs.size() > 1) return "tokenize takes one file";
  if (request.command == Command::kCat && request.inputs.size() > 1) return "cat --record takes one archive";
  if (request.command == Command::kInspect) return inspect_complaint(request);
  if (shows_model(request) && !request.inputs.empty()) return "info takes a model or files, not both";
  if (request.command == Command::kEval) {
    if (request.eval.logits_path.empty() && !request.eval.print_hash) return "eval needs --logits or --print-hash";
    if (request.eval.logits_path == kStandardStream && request.eval.print_hash) {
      return "--logits - and --print-hash cannot share standard output";
    }
  }
  return "";
}

// Fills in what follows from several options, and checks the whole.
std::variant<Request, ExitCode> finish(Request request, const ParsedFlags& flags) {
  if (flags.decompress) request.command = Command::kDecompress;
  if (flags.test) request.command = Command::kTest;
  if (request.command == Command::kCat && !request.records.has_value()) {
    request.command = Command::kDecompress;
    request.output.path = kStandardStream;
  }
  // Under its other name, standard output would be replaced by a file of that name.
  if (flags.to_stdout || request.output.path == "/dev/stdout") request.output.path = kStandardStream;
  if (request.inspect.html_path == "/dev/stdout") request.inspect.html_path = kStandardStream;
  const bool takes_files = request.command != Command::kEval && request.command != Command::kGenerate;
  if (!takes_files && !request.inputs.empty()) {
    return wrong_usage("unexpected argument '" + request.inputs.front() + "'");
  }
  const bool reads_input = takes_files && request.command != Command::kModels && !shows_model(request);
  if (reads_input && request.inputs.empty()) request.inputs.emplace_back(kStandardStream);
  if (const std::string message = complaint(request); !message.empty()) return wrong_usage(message);
  return request;
}

}  // namespace

std::variant<Request, ExitCode> parse_command_line(int argc, const char* const* argv) {
  Request request;
  ParsedFlags flags;
  tacit_sampler_init(&request.sampler);
  const CommandEntry* entry = argc > 1 ? find_command(argv[1]) : nullptr;
  CLI::App app;
  app.allow_extras();
  if (entry != nullptr) {
    request.command = entry->command;
    add_command_options(app, request, flags);
  } else {
    add_plain_options(app, request, flags);
    app.set_version_flag("-V,--version", std::string("tacit ") + tacit_version());
  }
  try {
    app.parse(reversed_arguments(argc, argv, entry != nullptr ? 2 : 1));
  } catch (const CLI::CallForHelp&) {
    return write_output(entry != nullptr ? command_help(*entry, app) : main_help());
  } catch (const CLI::CallForVersion& version) {
    return write_output(version.what() + std::string("\n"));
  } catch (const CLI::ParseError& error) {
    return wrong_usage(error.what());
  }
  if (const auto unknown = take_files(app.remaining(), request.inputs)) {
    return wrong_usage("unknown option '" + *unknown + "'");
  }
  return finish(std::move(request), flags);
}

}  // namespace tacit::cli
