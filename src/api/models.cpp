// SPDX-License-Identifier: MIT
// Opening models, looking for them, and what they say of themselves.
#include "api/models.h"

#include <string>
#include <utility>

#include "api/bytes.h"
#include "api/errors.h"
#include "api/structs.h"
#include "codec/levels.h"
#include "store/builtin_model.h"
#include "store/engines.h"
#include "store/model_finder.h"

namespace tacit {
namespace {

// The strings stay the model's.
tacit_found_model public_form(const FoundModel& model) {
  tacit_found_model form{};
  form.struct_bytes = sizeof(form);
  form.path = model.path.empty() ? nullptr : model.path.c_str();
  form.name = model.name.c_str();
  form.fingerprint = model.fingerprint.c_str();
  form.architecture = model.architecture.c_str();
  form.file_bytes = model.file_bytes;
  form.problem = model.problem.c_str();
  return form;
}

tacit_model_info public_info(const tacit_model& model) {
  const LoadedModel& loaded = *model.loaded;
  const Config& config = loaded.model.config;
  tacit_model_info info{};
  info.name = loaded.name.c_str();
  info.fingerprint = loaded.fingerprint_hex().c_str();
  info.architecture = config.architecture.c_str();
  info.file_bytes = loaded.file_bytes;
  info.parameter_count = loaded.parameter_count;
  info.multiply_add_count = loaded.model.multiply_adds_per_token();
  info.vocabulary_size = config.vocabulary_size;
  info.context_length = config.context_length;
  info.default_window = config.default_window();
  info.lane_bytes = lane_bytes(loaded, info.default_window);
  info.default_lane_count = default_lane_count(loaded, info.default_window);
  info.is_recurrent = config.is_recurrent() ? 1 : 0;
  info.tokenizer = loaded.tokenizer_model.c_str();
  info.tokenizer_problem = loaded.tokenizer_error.c_str();
  info.tensor_types = model.tensor_types.data();
  info.tensor_type_count = model.tensor_types.size();
  return info;
}

}  // namespace

tacit_model* new_model(std::shared_ptr<const LoadedModel> loaded) {
  auto model = std::make_unique<tacit_model>();
  for (const TensorTypeSum& sum : loaded->tensor_types) {
    model->tensor_types.push_back({sum.name.c_str(), sum.tensor_count, sum.parameter_count, sum.bytes});
  }
  model->loaded = std::move(loaded);
  return model.release();
}

}  // namespace tacit

using namespace tacit;

extern "C" {

tacit_status tacit_model_open_builtin(tacit_model** model) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_ASSIGN(SharedModel loaded, builtin_model_without_weights());
    *model = new_model(std::move(loaded));
    return {};
  });
}

tacit_status tacit_model_open(const char* path, tacit_model** model) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(path != nullptr, "path"));
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_ASSIGN(SharedModel loaded, LoadedModel::open(path));
    *model = new_model(std::move(loaded));
    return {};
  });
}

tacit_status tacit_model_find(const char* name, tacit_model** model) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(name != nullptr, "name"));
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_ASSIGN(SharedModel loaded, find_named_model(name));
    *model = new_model(std::move(loaded));
    return {};
  });
}

void tacit_model_close(tacit_model* model) { delete model; }

tacit_status tacit_models_list(const char* const* paths, size_t path_count, tacit_found_model_function receive,
                               void* context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(paths != nullptr || path_count == 0, "paths"));
    TACIT_TRY(require(receive != nullptr, "receive"));
    std::vector<std::string> names;
    for (std::size_t i = 0; i < path_count; ++i) {
      TACIT_TRY(require(paths[i] != nullptr, "paths"));
      names.emplace_back(paths[i]);
    }
    const auto hand_over = [&](const FoundModel& model) {
      const tacit_found_model form = public_form(model);
      return receive(context, &form) == 0;
    };
    TACIT_ASSIGN(const bool is_complete, list_models(names, hand_over));
    if (!is_complete) return Error{ErrorCode::kCancelled, "stopped by the model function"};
    return {};
  });
}

void tacit_model_info_init(tacit_model_info* info) {
  *info = {};
  info->struct_bytes = sizeof(*info);
}

tacit_status tacit_model_get_info(const tacit_model* model, tacit_model_info* info) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_TRY(require(info != nullptr, "info"));
    TACIT_TRY(check_output_struct(info, "tacit_model_info"));
    write_struct(info, public_info(*model));
    return {};
  });
}

tacit_status tacit_model_tokenize(const tacit_model* model, const void* text, size_t text_bytes, int add_special,
                                  int32_t** ids, size_t* id_count) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_TRY(require(text != nullptr || text_bytes == 0, "text"));
    TACIT_TRY(require(ids != nullptr && id_count != nullptr, "ids and id_count"));
    TACIT_TRY(model->loaded->require_tokenizer());
    const std::vector<TokenId> tokens = model->loaded->tokenizer->tokenize(span_of(text, text_bytes), add_special != 0);
    void* data = nullptr;
    std::size_t size = 0;
    TACIT_TRY(hand_over(span_of(tokens.data(), tokens.size() * sizeof(TokenId)), &data, &size));
    *ids = static_cast<std::int32_t*>(data);
    *id_count = tokens.size();
    return {};
  });
}

}  // extern "C"
