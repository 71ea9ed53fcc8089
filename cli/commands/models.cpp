// SPDX-License-Identifier: MIT
// models: the models that this machine has, as a table or as JSON.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "commands/commands.h"
#include "files.h"
#include "json_text.h"
#include "messages.h"
#include "sizes.h"
#include "standard_output.h"

namespace tacit::cli {
namespace {

constexpr std::size_t kShownDigits = 12;
constexpr std::size_t kNameBytesMax = 40;  // longer names only widen their own line

struct Listed {
  std::string name;
  std::string fingerprint;
  std::string architecture;
  std::uint64_t file_bytes;
  bool is_builtin;
  std::string path;
  std::string problem;
};

// A tacit_found_model_function; `context` is a list of Listed.
int take(void* context, const tacit_found_model* model) {
  static_cast<std::vector<Listed>*>(context)->push_back({model->name, model->fingerprint, model->architecture,
                                                         model->file_bytes, model->path == nullptr,
                                                         model->path == nullptr ? "" : model->path, model->problem});
  return 0;
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : printable(text); }

// The columns of a line before the file; the last of them is not padded.
std::vector<std::string> cells(const Listed& model) {
  std::string file = model.is_builtin ? "(built in)" : printable(model.path);
  if (!model.problem.empty()) file += ": cannot be used: " + printable(model.problem);
  return {or_dash(model.name), or_dash(model.fingerprint.substr(0, kShownDigits)), size_text(model.file_bytes),
          or_dash(model.architecture), file};
}

std::string table(const std::vector<Listed>& models) {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::size_t> widths(cells(Listed()).size());
  for (const Listed& model : models) {
    lines.push_back(cells(model));
    for (std::size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], std::min(lines.back()[i].size(), kNameBytesMax));
    }
  }
  std::string text;
  for (const std::vector<std::string>& line : lines) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      text += line[i] + std::string(line[i].size() < widths[i] ? widths[i] - line[i].size() : 0, ' ') + "  ";
    }
    text += line.back() + "\n";
  }
  return text;
}

std::string json(const std::vector<Listed>& models) {
  using Json = nlohmann::ordered_json;
  const auto text_or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  Json document = Json::array();
  for (const Listed& model : models) {
    document.push_back({{"name", model.name},
                        {"fingerprint", text_or_null(model.fingerprint)},
                        {"architecture", text_or_null(model.architecture)},
                        {"file_bytes", model.file_bytes},
                        {"is_builtin", model.is_builtin},
                        {"file", text_or_null(model.path)},
                        {"problem", text_or_null(model.problem)}});
  }
  return json_text(document);
}

}  // namespace

ExitCode run_models(const Request& request) {
  ExitCode worst = ExitCode::kDone;
  std::vector<const char*> paths;
  for (const std::string& input : request.inputs) {
    const FileFacts facts = facts_of_path(input);
    if (facts.kind == FileKind::kRegular || facts.kind == FileKind::kDirectory) {
      paths.push_back(input.c_str());
    } else {
      const bool is_special = facts.kind == FileKind::kSpecial;
      worst = worse_of(worst, fail(ExitCode::kIo, is_special ? input + ": neither a file nor a folder"
                                                                  : errno_message(input, facts.error_number)));
    }
  }
  std::vector<Listed> models;
  const tacit_status status = tacit_models_list(paths.data(), paths.size(), take, &models);
  if (status != TACIT_OK) return fail(exit_code_of(status), library_message("models", status));
  return worse_of(worst, write_output(request.json ? json(models) : table(models)));
}

}  // namespace tacit::cli
