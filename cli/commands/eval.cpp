// SPDX-License-Identifier: MIT
// eval: the logits of a token sequence, to a file or as a hash that proves two of them equal.
#include <xxhash.h>

#include <array>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/commands.h"
#include "engine.h"
#include "input.h"
#include "messages.h"
#include "output.h"
#include "standard_output.h"

namespace tacit::cli {
namespace {

// Where the rows of logits go. `output` may be null.
struct LogitsReceiver {
  std::size_t row_bytes = 0;
  Output* output = nullptr;
  XXH3_state_t* hash = nullptr;

  // A tacit_logits_function; `context` is a LogitsReceiver.
  static int receive(void* context, std::size_t, const float* logits) {
    const auto& self = *static_cast<LogitsReceiver*>(context);
    XXH3_64bits_update(self.hash, logits, self.row_bytes);
    return self.output == nullptr ? 0 : Output::write_bytes(self.output, logits, self.row_bytes);
  }
};

bool take_ids(const nlohmann::json& list, std::vector<std::int32_t>& ids) {
  if (!list.is_array()) return false;
  for (const nlohmann::json& element : list) {
    if (!element.is_number_integer()) return false;
    const auto id = element.get<std::int64_t>();
    if (id < 0 || id > std::numeric_limits<std::int32_t>::max()) return false;
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return true;
}

Outcome read_ids(const std::string& path, std::vector<std::int32_t>& ids) {
  std::string text;
  if (Outcome outcome = read_input(path, text); outcome.code != ExitCode::kDone) return outcome;
  const auto document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return {ExitCode::kUsage, shown_input(path) + ": not JSON"};
  const bool is_object = document.is_object() && document.contains("tokens");
  if (!take_ids(is_object ? document["tokens"] : document, ids)) {
    return {ExitCode::kUsage,
            shown_input(path) + ": expected a list of token ids, or an object with one as \"tokens\""};
  }
  return {};
}

Outcome compute(const Engine& engine, const std::string& name, const std::vector<std::int32_t>& ids,
                LogitsReceiver& receiver) {
  tacit_model_info info;
  tacit_model_info_init(&info);
  tacit_status status = tacit_model_get_info(engine.model(), &info);
  if (status == TACIT_OK) {
    receiver.row_bytes = info.vocabulary_size * sizeof(float);
    const tacit_options options = engine.options();
    status = tacit_logits(&options, ids.data(), ids.size(), LogitsReceiver::receive, &receiver);
  }
  if (receiver.output != nullptr && receiver.output->failure().code != ExitCode::kDone) {
    return receiver.output->failure();
  }
  if (status != TACIT_OK) return {exit_code_of(status), library_message(name, status)};
  return {};
}

// Computes with the logits going to `path`, where a file is replaced only by a complete result.
Outcome compute_to(const Engine& engine, const std::string& path, const std::vector<std::int32_t>& ids,
                   LogitsReceiver& receiver) {
  Output output(path);
  if (Outcome outcome = output.open(/*replace=*/true); outcome.code != ExitCode::kDone) return outcome;
  receiver.output = &output;
  if (Outcome outcome = compute(engine, shown_output(path), ids, receiver); outcome.code != ExitCode::kDone) {
    return outcome;
  }
  return output.commit();
}

std::string hash_line(std::uint64_t hash) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%016llx\n", static_cast<unsigned long long>(hash));
  return text.data();
}

}  // namespace

ExitCode run_eval(const Request& request) {
  std::vector<std::int32_t> ids;
  if (const Outcome outcome = read_ids(request.eval.tokens_path, ids); outcome.code != ExitCode::kDone) {
    return report(outcome);
  }
  Engine engine(request);
  if (const ExitCode code = engine.open_always(); code != ExitCode::kDone) return code;
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash(XXH3_createState(), XXH3_freeState);
  if (hash == nullptr) return fail(ExitCode::kIo, "out of memory");
  XXH3_64bits_reset(hash.get());
  LogitsReceiver receiver;
  receiver.hash = hash.get();
  const std::string& path = request.eval.logits_path;
  const Outcome outcome = path.empty() ? compute(engine, request.eval.tokens_path, ids, receiver)
                                       : compute_to(engine, path, ids, receiver);
  if (outcome.code != ExitCode::kDone) return report(outcome);
  return request.eval.print_hash ? write_output(hash_line(XXH3_64bits_digest(hash.get()))) : ExitCode::kDone;
}

}  // namespace tacit::cli
