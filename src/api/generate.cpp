// SPDX-License-Identifier: MIT
// What a model computes and writes: logits and text.
#include "generate/generate.h"

#include "api/call.h"

using namespace tacit;

extern "C" {

tacit_status tacit_logits(const tacit_options* options, const int32_t* ids, size_t id_count,
                          tacit_logits_function receive, void* context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(ids != nullptr || id_count == 0, "ids"));
    TACIT_TRY(require(receive != nullptr, "receive"));
    TACIT_ASSIGN(Call call, begin_model_call(options));
    TACIT_ASSIGN(const std::unique_ptr<Engine> engine, make_engine(*call.model, call.engine_options()));
    return sequence_logits(*call.model, *engine, call.options.window, {ids, id_count},
                           [&](std::size_t position, const float* logits) {
                             return receive(context, position, logits) == 0;
                           });
  });
}

tacit_status tacit_generate(const tacit_options* options, const tacit_sampler* sampler, const void* prompt,
                            size_t prompt_bytes, size_t token_count, int stop_at_eos, tacit_text_function receive,
                            void* context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(prompt != nullptr || prompt_bytes == 0, "prompt"));
    TACIT_TRY(require(receive != nullptr, "receive"));
    TACIT_ASSIGN(const tacit_sampler settings, read_sampler(sampler));
    TACIT_ASSIGN(Call call, begin_model_call(options));
    GenerateOptions generation;
    TACIT_ASSIGN(generation.sampler, sampler_settings(settings));
    generation.seed = settings.seed;
    generation.token_count = token_count;
    generation.window = call.options.window != 0 ? call.options.window : call.model->model.config.default_window();
    generation.stop_at_eos = stop_at_eos != 0;
    TACIT_ASSIGN(const std::unique_ptr<Engine> engine, make_engine(*call.model, call.engine_options()));
    return generate(*call.model, *engine, generation, span_of(prompt, prompt_bytes),
                    [&](ByteSpan text) {
                      return receive(context, reinterpret_cast<const char*>(text.data()), text.size()) == 0;
                    });
  });
}

}  // extern "C"
