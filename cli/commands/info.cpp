// SPDX-License-Identifier: MIT
// info: what an archive says of itself, as a table or as JSON.
#include <array>
#include <cstdio>
#include <optional>
#include <string_view>

#include "commands/commands.h"
#include "descriptors.h"
#include "files.h"
#include "input.h"
#include "json_text.h"
#include "messages.h"
#include "standard_output.h"

namespace tacit::cli {
namespace {

struct NamedInfo {
  std::string name;
  tacit_archive_info archive;

  // False where all segments are stored without a model; the archive then names none.
  bool needs_model() const { return archive.model_fingerprint[0] != '\0'; }
  std::uint64_t fallback_segment_count() const { return archive.segment_count - archive.model_segment_count; }
  // Without a value where the denominator is zero.
  std::optional<double> ratio() const { return quotient(archive.original_bytes, archive.archive_bytes); }
  std::optional<double> bits_per_byte() const { return quotient(archive.archive_bytes * 8, archive.original_bytes); }
  std::optional<double> bits_per_token() const { return quotient(archive.model_coded_bytes * 8, archive.token_count); }

 private:
  static std::optional<double> quotient(std::uint64_t numerator, std::uint64_t denominator) {
    if (denominator == 0) return std::nullopt;
    return static_cast<double>(numerator) / static_cast<double>(denominator);
  }
};

std::string decimal(const std::optional<double>& number, int digits) {
  if (!number) return "-";
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.*f", digits, *number);
  return text.data();
}

std::string table(const NamedInfo& info) {
  constexpr std::size_t kLabelColumn = 18;
  const tacit_archive_info& archive = info.archive;
  std::string text = printable(info.name) + "\n";
  const auto add = [&](std::string_view label, const std::string& value) {
    text.append("  ").append(label).append(kLabelColumn - label.size(), ' ').append(value).append("\n");
  };
  if (info.needs_model()) {
    add("model", printable(archive.model_name) + (archive.model_is_builtin != 0 ? " (built in)" : ""));
    add("fingerprint", printable(archive.model_fingerprint));
  } else {
    add("model", "none needed");
  }
  add("contract", std::to_string(archive.contract));
  add("format version", std::to_string(archive.format_version));
  add("window", std::to_string(archive.window) + " tokens");
  add("original", std::to_string(archive.original_bytes) + " bytes");
  add("archive", std::to_string(archive.archive_bytes) + " bytes");
  add("ratio", decimal(info.ratio(), 2));
  add("blocks", std::to_string(archive.block_count));
  add("segments", std::to_string(archive.segment_count) + " (" + std::to_string(archive.model_segment_count) +
                      " by the model, " + std::to_string(info.fallback_segment_count()) + " by fallback)");
  if (archive.has_records != 0) add("records", std::to_string(archive.record_count));
  add("tokens", std::to_string(archive.token_count));
  add("bits per token", decimal(info.bits_per_token(), 3));
  add("bits per byte", decimal(info.bits_per_byte(), 3));
  return text;
}

nlohmann::ordered_json number_or_null(const std::optional<double>& number) {
  return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json json_object(const NamedInfo& info) {
  const tacit_archive_info& archive = info.archive;
  using Json = nlohmann::ordered_json;
  return {{"file", info.name},
          {"model_name", info.needs_model() ? Json(archive.model_name) : Json(nullptr)},
          {"model_fingerprint", info.needs_model() ? Json(archive.model_fingerprint) : Json(nullptr)},
          {"model_is_builtin", archive.model_is_builtin != 0},
          {"contract", archive.contract},
          {"format_version", archive.format_version},
          {"window", archive.window},
          {"original_bytes", archive.original_bytes},
          {"archive_bytes", archive.archive_bytes},
          {"ratio", number_or_null(info.ratio())},
          {"block_count", archive.block_count},
          {"segment_count", archive.segment_count},
          {"model_segment_count", archive.model_segment_count},
          {"fallback_segment_count", info.fallback_segment_count()},
          {"model_original_bytes", archive.model_original_bytes},
          {"model_coded_bytes", archive.model_coded_bytes},
          {"record_count", archive.has_records != 0 ? Json(archive.record_count) : Json(nullptr)},
          {"token_count", archive.token_count},
          {"bits_per_token", number_or_null(info.bits_per_token())},
          {"bits_per_byte", number_or_null(info.bits_per_byte())}};
}

// An object for one file, a list for several.
std::string json(const std::vector<NamedInfo>& infos, bool is_list) {
  nlohmann::ordered_json document = nlohmann::ordered_json::array();
  for (const NamedInfo& info : infos) document.push_back(json_object(info));
  return json_text(is_list ? document : document.front());
}

std::string tables(const std::vector<NamedInfo>& infos) {
  std::string text;
  for (const NamedInfo& info : infos) {
    if (!text.empty()) text += "\n";
    text += table(info);
  }
  return text;
}

Outcome read_info(const std::string& input, tacit_archive_info& archive) {
  tacit_archive_info_init(&archive);
  tacit_status status = TACIT_OK;
  if (input == kStandardStream || facts_of_path(input).kind == FileKind::kSpecial) {
    std::string bytes;
    if (Outcome outcome = read_input(input, bytes); outcome.code != ExitCode::kDone) return outcome;
    status = tacit_info_buffer(bytes.data(), bytes.size(), &archive);
  } else {
    status = tacit_info_file(input.c_str(), &archive);
  }
  if (status != TACIT_OK) return {exit_code_of(status), library_message(shown_input(input), status)};
  return {};
}

}  // namespace

ExitCode run_info(const Request& request) {
  std::vector<NamedInfo> infos;
  ExitCode worst = ExitCode::kDone;
  for (const std::string& input : request.inputs) {
    NamedInfo info;
    info.name = input;
    const Outcome outcome = read_info(input, info.archive);
    if (outcome.code == ExitCode::kDone) {
      infos.push_back(std::move(info));
    } else {
      worst = worse_of(worst, report(outcome));
    }
  }
  const bool is_list = request.inputs.size() > 1;
  if (infos.empty() && !(request.json && is_list)) return worst;
  return worse_of(worst, write_output(request.json ? json(infos, is_list) : tables(infos)));
}

}  // namespace tacit::cli
