// SPDX-License-Identifier: MIT
// Opening a model, and from CodingOptions to tacit_options.
#include "engine.h"

#include "messages.h"

namespace tacit::cli {

ExitCode Engine::open() {
  const std::string& path = request_.model_path;
  return path.empty() ? ExitCode::kDone : report_opening(tacit_model_find(path.c_str(), &model_), path);
}

ExitCode Engine::open_always() {
  if (!request_.model_path.empty()) return open();
  return report_opening(tacit_model_open_builtin(&model_), "built-in model");
}

ExitCode Engine::report_opening(tacit_status status, const std::string& name) {
  if (status == TACIT_OK) return ExitCode::kDone;
  const bool is_of_the_model = status != TACIT_OUT_OF_MEMORY && status != TACIT_INTERNAL;
  return fail(is_of_the_model ? ExitCode::kModel : exit_code_of(status), library_message(name, status));
}

tacit_options Engine::options() const {
  tacit_options options;
  tacit_options_init(&options);
  const CodingOptions& coding = request_.coding;
  options.model = model_;
  options.found_model = &found_model_;
  options.threads = coding.threads;
  if (!coding.kernel_set.empty()) options.kernel_set = coding.kernel_set.c_str();
  options.window = coding.window;
  options.lane_count = coding.lane_count;
  options.level = coding.level;
  options.has_records = coding.has_records ? 1 : 0;
  options.segment_bytes = coding.segment_bytes;
  options.skip_verification = coding.skip_verification ? 1 : 0;
  if (request_.sampler_is_stated) options.sampler = &request_.sampler;
  options.overwrite = request_.output.force ? 1 : 0;
  return options;
}

}  // namespace tacit::cli
