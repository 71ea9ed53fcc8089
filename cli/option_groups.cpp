// SPDX-License-Identifier: MIT
// Options in the groups that commands share.
#include "option_groups.h"

#include <charconv>
#include <limits>
#include <string>

namespace tacit::cli {
namespace {

void add_model(CLI::App& app, Request& request, const std::string& without = "the built-in one") {
  const std::string description = "GGUF file, or what 'tacit models' calls it;\nwithout it " + without;
  app.add_option("-m,--model", request.model_path, description)->type_name("MODEL");
}

void add_engine(CLI::App& app, CodingOptions& coding) {
  app.add_option("-T,--threads", coding.threads, "threads; 0, the default: one per processor")->type_name("N");
  app.add_option("--isa", coding.kernel_set,
                 "kernels: reference, avx2 or avx512, on ARM neon or dotprod; all give the same bits")
      ->type_name("NAME");
}

CLI::Option* add_window(CLI::App& app, CodingOptions& coding, const std::string& description) {
  return app.add_option("--window", coding.window, description)->type_name("N");
}

void add_reports(CLI::App& app, Request& request) {
  CLI::Option* quiet = app.add_flag("-q,--quiet", request.quiet, "errors only: no progress, no summary, no warnings");
  app.add_flag("-v,--verbose", request.verbose, "a summary of each file, also when no terminal reads it")
      ->excludes(quiet);
}

struct OutputFlags {
  CLI::Option* path = nullptr;
  CLI::Option* to_stdout = nullptr;
  CLI::Option* remove_source = nullptr;
};

OutputFlags add_output(CLI::App& app, OutputOptions& output, ParsedFlags& flags) {
  OutputFlags added;
  added.path = app.add_option("-o,--output", output.path, "write to OUT; - is standard output")->type_name("OUT");
  added.to_stdout = app.add_flag("-c,--stdout", flags.to_stdout, "write to standard output")->excludes(added.path);
  CLI::Option* keep = app.add_flag("-k,--keep")->description("keep the source (default)");
  added.remove_source = app.add_flag("--rm", output.remove_source, "remove the source once its result is safe");
  added.remove_source->excludes(keep)->excludes(added.to_stdout);
  app.add_flag("-f,--force", output.force, "overwrite; compress .tct files; write archives to a terminal");
  return added;
}

CLI::Option* add_coding_window(CLI::App& app, CodingOptions& coding) {
  return add_window(app, coding, "tokens of context; 0, the default: as model and level say");
}

CLI::Option* add_lanes(CLI::App& app, CodingOptions& coding) {
  return app
      .add_option("--lanes", coding.lane_count,
                  "strips coded side by side, 1 to " + std::to_string(TACIT_LANE_COUNT_MAX) +
                      "; 0, the default: as the model says")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{0}, std::uint32_t{TACIT_LANE_COUNT_MAX}).description(""));
}

struct EncodingFlags {
  CLI::Option* skip_verification = nullptr;
  CLI::Option* window = nullptr;
  CLI::Option* lanes = nullptr;
};

// The flags -1 to -9 are one option to those who read the help.
void add_levels(CLI::App& app, CodingOptions& coding) {
  for (std::uint32_t level = 1; level <= 9; ++level) {
    const std::string name = "-" + std::to_string(level);
    CLI::Option* option = app.add_flag_callback(name, [&coding, name, level] {
      if (coding.level != 0) throw CLI::ValidationError(name, "excludes -" + std::to_string(coding.level));
      coding.level = level;
    });
    if (level == 1) option->description("from fast to small (default -5)");
    if (level != 1) option->group("");
  }
}

EncodingFlags add_encoding(CLI::App& app, CodingOptions& coding, CLI::Option* remove_source) {
  EncodingFlags added;
  added.skip_verification = app.add_flag("--no-verify", coding.skip_verification, "do not decode what was written");
  added.skip_verification->excludes(remove_source);
  add_levels(app, coding);
  added.window = add_coding_window(app, coding);
  added.lanes = add_lanes(app, coding);
  return added;
}

// How tokens are drawn, or were.
void add_sampler(CLI::App& app, Request& request) {
  tacit_sampler& sampler = request.sampler;
  const auto add = [&]<class T>(const char* name, T& value, const char* description, const char* type) {
    const auto set = [&request, &value](const T& given) {
      value = given;
      request.sampler_is_stated = true;
    };
    app.add_option_function<T>(name, set, description)->type_name(type);
  };
  add("--temperature", sampler.temperature, "0: always the most likely token (default 1)", "X");
  add("--top-k", sampler.top_k, "keep the K most likely tokens; 0, the default: all", "K");
  add("--top-p", sampler.top_p,
      "nucleus: the smallest set of most likely tokens whose\nprobability sums to P or more (default 1: all)", "P");
  add("--min-p", sampler.min_p, "keep those at least P times as likely as the best (default 0)", "P");
  add("--typical-p", sampler.typical_p,
      "the smallest set of the tokens nearest to the entropy whose\n"
      "probability sums to P or more (default 1: all)",
      "P");
  add("--repetition-penalty", sampler.repetition_penalty,
      "divide (negative: multiply) the logits of tokens\nthat occurred (default 1)", "X");
  add("--presence-penalty", sampler.presence_penalty, "take X from the logits of tokens that occurred", "X");
  add("--frequency-penalty", sampler.frequency_penalty, "likewise, times how often they occurred", "X");
  add("--penalty-window", sampler.penalty_window, "tokens of the past that penalties look at; 0, the default: all",
      "N");
  app.add_flag_callback(
      "--temperature-last",
      [&request] {
        request.sampler.order = TACIT_TEMPERATURE_LAST;
        request.sampler_is_stated = true;
      },
      "filters before temperature, as llama.cpp does;\nwithout it after, as transformers and vLLM do");
}

void add_records(CLI::App& app, CodingOptions& coding) {
  CLI::Option* records = app.add_flag("--records", coding.has_records,
                                      "each line is a record, which 'tacit cat --record' reads by itself");
  app.add_option("--segment", coding.segment_bytes,
                 "bytes of text that are decoded to read a record,\n"
                 "1 (each record by itself) to 1048576 (default 16384)")
      ->type_name("BYTES")
      ->needs(records);
}

// "N", "N-M" or "N-": to the last.
RecordRange parse_records(const std::string& text) {
  RecordRange range;
  const char* const end = text.data() + text.size();
  std::from_chars_result parsed = std::from_chars(text.data(), end, range.first);
  std::uint64_t last = range.first;
  if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '-') {
    last = std::numeric_limits<std::uint64_t>::max();
    if (++parsed.ptr != end) parsed = std::from_chars(parsed.ptr, end, last);
  }
  if (parsed.ec != std::errc() || parsed.ptr != end || last < range.first) {
    throw CLI::ValidationError("--record", "expected N, N-M or N-, from 0 on, found '" + text + "'");
  }
  const bool to_the_last = last == std::numeric_limits<std::uint64_t>::max();
  range.count = to_the_last ? last : last - range.first + 1;
  return range;
}

void add_cat_options(CLI::App& app, Request& request) {
  add_model(app, request, "the one that the archive names");
  const auto set = [&request](const std::string& text) { request.records = parse_records(text); };
  app.add_option_function<std::string>("--record", set, "record N, counted from 0, records N to M, or N- to the last;\n"
                                                        "without it the whole text")
      ->type_name("N[-M]");
  add_engine(app, request.coding);
  app.add_flag("-q,--quiet", request.quiet, "errors only: no progress");
}

void add_eval(CLI::App& app, Request& request) {
  app.add_option("--tokens", request.eval.tokens_path, "token ids, as a JSON list or {\"tokens\": list}; - is stdin")
      ->type_name("IDS.json")
      ->required();
  app.add_option("--logits", request.eval.logits_path, "write raw float32 [positions, vocabulary]; - is stdout")
      ->type_name("OUT.f32");
  app.add_flag("--print-hash", request.eval.print_hash, "print XXH3-64 of all logits");
  add_window(app, request.coding, "tokens of context; 0, the default: all");
}

void add_generate(CLI::App& app, Request& request) {
  GenerateOptions& generate = request.generate;
  app.add_option("--prompt", generate.prompt, "text to go on from")->type_name("TEXT");
  app.add_option("-n,--tokens", generate.token_count, "tokens to write (default 256)")->type_name("N");
  add_sampler(app, request);
  app.add_option("--seed", request.sampler.seed, "the same seed gives the same text (default 0)")->type_name("N");
  app.add_flag("--stop-at-eos", generate.stop_at_eos,
               "stop where the model draws its end-of-text token;\n"
               "without it another text follows, after a blank line");
  add_window(app, request.coding, "tokens of context; 0, the default: as the model says");
}

void add_compress_options(CLI::App& app, Request& request, ParsedFlags& flags) {
  add_model(app, request);
  const OutputFlags output = add_output(app, request.output, flags);
  add_encoding(app, request.coding, output.remove_source);
  add_records(app, request.coding);
  add_sampler(app, request);
  add_engine(app, request.coding);
  add_reports(app, request);
}

void add_decoding_options(CLI::App& app, Request& request, ParsedFlags& flags) {
  add_model(app, request, "the one that the archive names");
  if (request.command == Command::kDecompress) add_output(app, request.output, flags);
  add_engine(app, request.coding);
  add_reports(app, request);
}

void add_tokenize_options(CLI::App& app, Request& request) {
  add_model(app, request);
  app.add_flag("--json", request.json, "one JSON list instead of one id per line");
  app.add_flag("--special", request.add_special, "add BOS and EOS where the model asks for them");
}

void add_inspect_options(CLI::App& app, Request& request) {
  add_model(app, request, "the built-in one, or what the archive names");
  app.add_option("--html", request.inspect.html_path, "write a page for browsers; - is standard output")
      ->type_name("OUT.html");
  app.add_flag("--json", request.json, "write a JSON object, to standard output or --output");
  app.add_option("-o,--output", request.output.path, "where --json goes")->type_name("OUT.json");
  app.add_option("--limit", request.inspect.span_count_max,
                 "tokens shown one by one (default 20000); 0: all.\nTotals are always of everything")
      ->type_name("N");
  app.add_flag("-f,--force", request.output.force, "overwrite");
  add_levels(app, request.coding);
  add_coding_window(app, request.coding);
  add_lanes(app, request.coding);
  add_records(app, request.coding);
  add_sampler(app, request);
  add_engine(app, request.coding);
  app.add_flag("-q,--quiet", request.quiet, "errors only: no progress");
}

}  // namespace

void add_command_options(CLI::App& app, Request& request, ParsedFlags& flags) {
  switch (request.command) {
    case Command::kCompress:
      return add_compress_options(app, request, flags);
    case Command::kDecompress:
    case Command::kTest:
      return add_decoding_options(app, request, flags);
    case Command::kInfo:
      add_model(app, request, "archives are shown, not a model");
      app.add_flag("--json", request.json, "a JSON object, or a list of them for several files");
      return;
    case Command::kEval:
      add_model(app, request);
      add_eval(app, request);
      return add_engine(app, request.coding);
    case Command::kTokenize:
      return add_tokenize_options(app, request);
    case Command::kGenerate:
      add_model(app, request);
      add_generate(app, request);
      return add_engine(app, request.coding);
    case Command::kInspect:
      return add_inspect_options(app, request);
    case Command::kCat:
      return add_cat_options(app, request);
    case Command::kModels:
      app.add_flag("--json", request.json, "a JSON list, with the whole fingerprints");
      return;
  }
}

void add_plain_options(CLI::App& app, Request& request, ParsedFlags& flags) {
  add_model(app, request);
  const OutputFlags output = add_output(app, request.output, flags);
  const EncodingFlags encoding = add_encoding(app, request.coding, output.remove_source);
  add_engine(app, request.coding);
  add_reports(app, request);
  CLI::Option* decompress = app.add_flag("-d,--decompress", flags.decompress, "decompress");
  CLI::Option* test = app.add_flag("-t,--test", flags.test, "decode and check, write nothing");
  test->excludes(decompress)->excludes(output.path)->excludes(output.to_stdout)->excludes(output.remove_source);
  for (CLI::Option* mode : {decompress, test}) {
    mode->excludes(encoding.skip_verification)->excludes(encoding.window)->excludes(encoding.lanes);
  }
}

}  // namespace tacit::cli
