// SPDX-License-Identifier: MIT
#include "sampling/sampler_settings.h"

#include <cstdio>
#include <string>

namespace tacit {
namespace {

std::string text_of(float value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", static_cast<double>(value));
  return text;
}

}  // namespace

Status SamplerSettings::check() const {
  const auto expect = [](const char* name, float value, float minimum, float maximum) -> Status {
    if (value >= minimum && value <= maximum) return {};
    return usage_error(std::string(name) + ": found " + text_of(value) + ", expected " +
                       text_of(minimum) + " to " + text_of(maximum));
  };
  TACIT_TRY(expect("temperature", temperature, 0, 100));
  TACIT_TRY(expect("top_p", top_p, 0, 1));
  TACIT_TRY(expect("min_p", min_p, 0, 1));
  TACIT_TRY(expect("typical_p", typical_p, 0, 1));
  TACIT_TRY(expect("repetition_penalty", repetition_penalty, 0.01f, 100));
  TACIT_TRY(expect("presence_penalty", presence_penalty, -100, 100));
  return expect("frequency_penalty", frequency_penalty, -100, 100);
}

}  // namespace tacit
