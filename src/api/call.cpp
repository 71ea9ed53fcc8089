// SPDX-License-Identifier: MIT
#include "api/call.h"

#include <string>
#include <utility>

#include "api/models.h"
#include "base/limits.h"
#include "store/builtin_model.h"
#include "store/model_finder.h"

namespace tacit {
namespace {

Status check_range(const char* what, std::uint32_t found, std::uint32_t least, std::uint32_t most) {
  if (found == 0 || (found >= least && found <= most)) return {};
  return usage_error(std::string(what) + ": found " + std::to_string(found) + ", expected " + std::to_string(least) +
                     " to " + std::to_string(most));
}

Status check_at_most(const char* what, std::uint32_t found, std::uint32_t most) {
  if (found <= most) return {};
  return usage_error(std::string(what) + ": found " + std::to_string(found) + ", expected at most " +
                     std::to_string(most));
}

// 0 is the default of each.
Status check_numbers(const tacit_options& options) {
  constexpr std::uint32_t kThreadsMax = 1024;
  TACIT_TRY(check_at_most("lane count", options.lane_count, TACIT_LANE_COUNT_MAX));
  TACIT_TRY(check_range("window", options.window, limits::kWindowMin, limits::kWindowMax));
  TACIT_TRY(check_range("level", options.level, kLevelMin, kLevelMax));
  TACIT_TRY(check_at_most("segment bytes", options.segment_bytes, kSegmentBytesMax));
  return check_at_most("threads", options.threads, kThreadsMax);
}

Status check_kernel_set(const std::string& name) {
  if (is_kernel_set(name)) return {};
  return usage_error("kernel set: found \"" + name + "\", expected one of " + kernel_sets());
}

ProgressFunction progress_function(const tacit_options& options, std::uint64_t original_bytes_total) {
  if (options.progress == nullptr) return {};
  return [function = options.progress, context = options.progress_context,
          original_bytes_total](const Progress& progress) -> Status {
    const tacit_progress report = {progress.original_bytes_done, original_bytes_total, progress.stored_bytes,
                                   progress.tokens_done, progress.verifying ? 1 : 0};
    if (function(context, &report) == 0) return {};
    return Error{ErrorCode::kCancelled, "stopped by the progress function"};
  };
}

// Keeps in the caller's slot what a search has left, until the slot's next use.
void keep_found(tacit_model*& slot, SharedModel found) {
  if (found == nullptr || (slot != nullptr && slot->loaded == found)) return;
  tacit_model* const model = new_model(std::move(found));
  tacit_model_close(std::exchange(slot, model));
}

}  // namespace

EngineOptions Call::engine_options() const {
  return {options.kernel_set != nullptr ? options.kernel_set : "", pool.get()};
}

CodecOptions Call::codec_options(std::uint64_t original_bytes_total) const {
  CodecOptions result;
  result.engine = engine_options();
  result.window = options.window;
  result.lane_max = options.lane_count;
  result.adaptive = level.adaptive;
  result.block_bytes = level.block_bytes;
  result.verify = options.skip_verification == 0;
  result.sampler = sampler;
  if (options.has_records != 0) {
    result.record_segment_bytes = options.segment_bytes != 0 ? options.segment_bytes : kSegmentBytesDefault;
  }
  result.progress = progress_function(options, original_bytes_total);
  return result;
}

Result<Call> begin_call(const tacit_options* given) {
  Call call;
  tacit_options_init(&call.options);
  TACIT_ASSIGN(call.options, read_struct(given, call.options, "tacit_options"));
  TACIT_TRY(check_kernel_set(call.engine_options().kernel_set));
  TACIT_TRY(check_numbers(call.options));
  call.level = level_settings(call.options.level == 0 ? kLevelDefault : call.options.level);
  if (call.options.sampler != nullptr) {
    TACIT_ASSIGN(const tacit_sampler sampler, read_sampler(call.options.sampler));
    TACIT_ASSIGN(call.sampler, sampler_settings(sampler));
  }
  if (call.options.model != nullptr) call.model = call.options.model->loaded;
  call.pool = std::make_unique<ThreadPool>(call.options.threads);
  return call;
}

Result<Call> begin_model_call(const tacit_options* given) {
  TACIT_ASSIGN(Call call, begin_call(given));
  if (call.model == nullptr) {
    TACIT_ASSIGN(call.model, builtin_model_without_weights());
  }
  TACIT_TRY(call.model->load_weights(*call.pool));
  return call;
}

ModelFinder model_finder(Call& call) {
  return [&call](const archive::Header& header) -> Result<const LoadedModel*> {
    tacit_model** const slot = call.options.found_model;
    SharedModel found = slot != nullptr && *slot != nullptr ? (*slot)->loaded : nullptr;
    TACIT_ASSIGN(call.model, find_needed_model({header.model_fingerprint, header.model_name}, call.model,
                                               slot != nullptr ? &found : nullptr, *call.pool));
    if (slot != nullptr) keep_found(*slot, std::move(found));
    return call.model.get();
  };
}

Result<tacit_sampler> read_sampler(const tacit_sampler* given) {
  tacit_sampler sampler;
  tacit_sampler_init(&sampler);
  return read_struct(given, sampler, "tacit_sampler");
}

Result<SamplerSettings> sampler_settings(const tacit_sampler& sampler) {
  SamplerSettings settings;
  settings.temperature = static_cast<float>(sampler.temperature);
  settings.top_k = sampler.top_k;
  settings.top_p = static_cast<float>(sampler.top_p);
  settings.min_p = static_cast<float>(sampler.min_p);
  settings.typical_p = static_cast<float>(sampler.typical_p);
  settings.repetition_penalty = static_cast<float>(sampler.repetition_penalty);
  settings.presence_penalty = static_cast<float>(sampler.presence_penalty);
  settings.frequency_penalty = static_cast<float>(sampler.frequency_penalty);
  settings.penalty_window = sampler.penalty_window;
  if (sampler.order != TACIT_TEMPERATURE_FIRST && sampler.order != TACIT_TEMPERATURE_LAST) {
    return usage_error("sampler order: found " + std::to_string(sampler.order) + ", expected 0 or 1");
  }
  settings.order = static_cast<SamplerSettings::Order>(sampler.order);
  TACIT_TRY(settings.check());
  return settings;
}

}  // namespace tacit

extern "C" {

void tacit_options_init(tacit_options* options) {
  *options = {};
  options->struct_bytes = sizeof(*options);
}

void tacit_sampler_init(tacit_sampler* sampler) {
  *sampler = {};
  sampler->struct_bytes = sizeof(*sampler);
  sampler->temperature = 1;
  sampler->top_p = 1;
  sampler->typical_p = 1;
  sampler->repetition_penalty = 1;
}

const char* tacit_kernel_sets(void) {
  return tacit::kernel_sets().c_str();
}

}  // extern "C"
