// SPDX-License-Identifier: MIT
// One call of a client's: its options, checked, and what they stand for.
#pragma once

#include <tacit/tacit.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "api/bytes.h"
#include "api/errors.h"
#include "api/structs.h"
#include "base/thread_pool.h"
#include "codec/levels.h"
#include "codec/streams.h"
#include "sampling/sampler_settings.h"
#include "store/engines.h"
#include "store/loaded_model.h"

namespace tacit {

struct Call {
  tacit_options options{};
  std::shared_ptr<const LoadedModel> model;  // null until needed, or the caller's
  std::unique_ptr<ThreadPool> pool;
  std::optional<SamplerSettings> sampler;
  Level level;

  [[nodiscard]] EngineOptions engine_options() const;
  // `original_bytes_total`: for reports of progress; 0: not known.
  [[nodiscard]] CodecOptions codec_options(std::uint64_t original_bytes_total) const;
};

// `given`: null for the defaults. Errors: kUsage.
Result<Call> begin_call(const tacit_options* given);
// As begin_call, and the model is there, ready to compute: the caller's or the built-in one. Errors: kModel too.
Result<Call> begin_model_call(const tacit_options* given);

// Gives the model that an archive names, which `call` keeps: see find_needed_model.
ModelFinder model_finder(Call& call);

// `given`: null for the defaults. Errors: kUsage.
Result<tacit_sampler> read_sampler(const tacit_sampler* given);
Result<SamplerSettings> sampler_settings(const tacit_sampler& sampler);

}  // namespace tacit
