// SPDX-License-Identifier: MIT
// tokenize: the ids that a model reads a text as.
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "commands/commands.h"
#include "engine.h"
#include "input.h"
#include "messages.h"
#include "standard_output.h"

namespace tacit::cli {
namespace {

std::string lines(std::span<const std::int32_t> ids) {
  std::string text;
  for (const std::int32_t id : ids) text += std::to_string(id) + "\n";
  return text;
}

std::string json_list(std::span<const std::int32_t> ids) {
  return nlohmann::json(std::vector<std::int32_t>(ids.begin(), ids.end())).dump() + "\n";
}

}  // namespace

ExitCode run_tokenize(const Request& request) {
  const std::string& input = request.inputs.front();
  Engine engine(request);
  if (const ExitCode code = engine.open_always(); code != ExitCode::kDone) return code;
  std::string text;
  if (const Outcome outcome = read_input(input, text); outcome.code != ExitCode::kDone) return report(outcome);
  std::int32_t* ids = nullptr;
  std::size_t id_count = 0;
  const tacit_status status =
      tacit_model_tokenize(engine.model(), text.data(), text.size(), request.add_special ? 1 : 0, &ids, &id_count);
  if (status != TACIT_OK) return fail(exit_code_of(status), library_message(shown_input(input), status));
  const std::unique_ptr<std::int32_t, decltype(&tacit_free)> owner(ids, tacit_free);
  const std::span<const std::int32_t> list(ids, id_count);
  return write_output(request.json ? json_list(list) : lines(list));
}

}  // namespace tacit::cli
