// SPDX-License-Identifier: MIT
// What the command line asks for, checked and with all defaults filled in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tacit/tacit.h"

namespace tacit::cli {

enum class Command { kCompress, kDecompress, kTest, kInfo, kEval, kTokenize, kGenerate, kInspect, kModels, kCat };

// Where results go and what happens to the source.
struct OutputOptions {
  std::string path;  // "-": standard output; "": derived from the input's name
  bool remove_source = false;
  bool force = false;
};

// What tacit_options takes.
struct CodingOptions {
  std::uint32_t threads = 0;
  std::string kernel_set;  // "": the fastest
  std::uint32_t window = 0;
  std::uint32_t lane_count = 0;
  std::uint32_t level = 0;  // 0: the default
  bool skip_verification = false;
  bool has_records = false;
  std::uint32_t segment_bytes = 0;  // 0: the default
};

// Records [first, first + count); UINT64_MAX: to the last.
struct RecordRange {
  std::uint64_t first = 0;
  std::uint64_t count = 1;
};

struct EvalOptions {
  std::string tokens_path;
  std::string logits_path;  // "": not written
  bool print_hash = false;
};

struct GenerateOptions {
  std::string prompt;
  std::size_t token_count = 256;
  bool stop_at_eos = false;
};

struct InspectOptions {
  std::string html_path;                // "": no page
  std::size_t span_count_max = 20000;  // tokens and stored segments shown one by one; 0: all
};

struct Request {
  Command command = Command::kCompress;
  std::vector<std::string> inputs;  // "-" is standard input; never empty for commands that read
  std::string model_path;           // file, name or fingerprint; "": the built-in model, or what an archive names
  OutputOptions output;
  CodingOptions coding;
  tacit_sampler sampler{};  // generate: to draw with; compress: that the text was drawn with
  bool sampler_is_stated = false;
  EvalOptions eval;
  GenerateOptions generate;
  InspectOptions inspect;
  std::optional<RecordRange> records;  // cat
  bool json = false;
  bool add_special = false;
  bool quiet = false;
  bool verbose = false;
};

}  // namespace tacit::cli
