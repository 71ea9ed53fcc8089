// SPDX-License-Identifier: MIT
// info -m: what a model is, and what it takes to run it, as a table or as JSON.
#include <string>
#include <string_view>

#include "commands/commands.h"
#include "engine.h"
#include "json_text.h"
#include "messages.h"
#include "sizes.h"
#include "standard_output.h"

namespace tacit::cli {
namespace {

std::string table(const std::string& title, const tacit_model_info& info) {
  constexpr std::size_t kLabelColumn = 18;
  std::string text = printable(title) + "\n";
  const auto add = [&](std::string_view label, const std::string& value) {
    text.append("  ").append(label).append(kLabelColumn - label.size(), ' ').append(value).append("\n");
  };
  const std::string problem = info.tokenizer_problem;
  add("model", printable(info.name));
  add("fingerprint", info.fingerprint);
  add("architecture", printable(info.architecture));
  add("file", std::to_string(info.file_bytes) + " bytes");
  add("parameters", std::to_string(info.parameter_count));
  for (std::size_t i = 0; i < info.tensor_type_count; ++i) {
    const tacit_tensor_type& type = info.tensor_types[i];
    add(i == 0 ? "tensors" : "", std::to_string(type.tensor_count) + " " + type.name + ", " +
                                     std::to_string(type.parameter_count) + " parameters, " +
                                     std::to_string(type.bytes) + " bytes");
  }
  add("tokenizer", problem.empty() ? printable(info.tokenizer) : "cannot be used: " + printable(problem));
  add("vocabulary", std::to_string(info.vocabulary_size) + " tokens");
  add("context", std::to_string(info.context_length) + " tokens");
  add("default window", std::to_string(info.default_window) + " tokens");
  add("lanes", std::to_string(info.default_lane_count));
  add("memory of a lane",
      size_text(info.lane_bytes) + (info.is_recurrent != 0 ? ", its state" : ", keys and values of that window"));
  add("cost of a token", std::to_string(info.multiply_add_count) + " multiply-adds, attention left out");
  return text;
}

nlohmann::ordered_json json_object(const std::string& title, const tacit_model_info& info) {
  using Json = nlohmann::ordered_json;
  const auto text_or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  Json types = Json::array();
  for (std::size_t i = 0; i < info.tensor_type_count; ++i) {
    const tacit_tensor_type& type = info.tensor_types[i];
    types.push_back({{"type", type.name},
                     {"tensor_count", type.tensor_count},
                     {"parameter_count", type.parameter_count},
                     {"bytes", type.bytes}});
  }
  return {{"model", title},
          {"name", info.name},
          {"fingerprint", info.fingerprint},
          {"architecture", info.architecture},
          {"file_bytes", info.file_bytes},
          {"parameter_count", info.parameter_count},
          {"tensor_types", types},
          {"tokenizer", text_or_null(info.tokenizer)},
          {"tokenizer_problem", text_or_null(info.tokenizer_problem)},
          {"vocabulary_size", info.vocabulary_size},
          {"context_length", info.context_length},
          {"default_window", info.default_window},
          {"default_lane_count", info.default_lane_count},
          {"is_recurrent", info.is_recurrent != 0},
          {"lane_bytes", info.lane_bytes},
          {"multiply_add_count", info.multiply_add_count}};
}

}  // namespace

ExitCode run_model_info(const Request& request) {
  Engine engine(request);
  if (const ExitCode code = engine.open(); code != ExitCode::kDone) return code;
  tacit_model_info info;
  tacit_model_info_init(&info);
  const tacit_status status = tacit_model_get_info(engine.model(), &info);
  if (status != TACIT_OK) return fail(exit_code_of(status), library_message(request.model_path, status));
  return write_output(request.json ? json_text(json_object(request.model_path, info))
                                   : table(request.model_path, info));
}

}  // namespace tacit::cli
