// SPDX-License-Identifier: MIT
#include "model/keys.h"

#include "base/limits.h"

namespace tacit {

Error bad_model(const gguf::File& file, const std::string& field, const std::string& found,
                const std::string& expected) {
  return model_error(file.name() + ": " + field + ": found " + found + ", expected " + expected);
}

Result<std::uint32_t> Keys::count(const char* name, std::uint32_t maximum) const {
  TACIT_ASSIGN(const std::uint64_t value, file_.integer(key(name), 1, maximum));
  return static_cast<std::uint32_t>(value);
}

Result<std::uint32_t> Keys::count_or(const char* name, std::uint32_t fallback, std::uint32_t maximum) const {
  TACIT_ASSIGN(const std::uint64_t value, file_.integer_or(key(name), fallback, 0, maximum));
  return static_cast<std::uint32_t>(value);
}

Result<std::vector<std::uint32_t>> Keys::per_layer(const char* name, std::uint32_t layer_count,
                                                   std::uint32_t maximum) const {
  const gguf::Value* value = file_.find(key(name));
  if (value == nullptr) return std::vector<std::uint32_t>{};
  const auto* array = std::get_if<gguf::Array>(value);
  if (array == nullptr) {
    TACIT_ASSIGN(const std::uint32_t number, count(name, maximum));
    return std::vector<std::uint32_t>(layer_count, number);
  }
  if (!array->is_integer() || array->count != layer_count) {
    return bad_model(file_, key(name), "an array of " + std::to_string(array->count),
                     "one integer for each of " + std::to_string(layer_count) + " layers");
  }
  std::vector<std::uint32_t> numbers;
  for (std::uint64_t i = 0; i < array->count; ++i) {
    const std::int64_t number = array->integer(i);
    if (number < 1 || number > std::int64_t{maximum}) {
      return bad_model(file_, key(name), std::to_string(number), "1 to " + std::to_string(maximum));
    }
    numbers.push_back(static_cast<std::uint32_t>(number));
  }
  return numbers;
}

Result<double> Keys::positive_or(const char* name, double fallback) const {
  TACIT_ASSIGN(const double value, real_or(name, fallback));
  if (value == 0.0) return fallback;
  TACIT_TRY(check_scale(name, value));
  return value;
}

Status Keys::check_scale(const char* name, double value) const {
  if (value >= limits::kScaleMin && value <= limits::kScaleMax) return {};
  return bad_model(file_, key(name), std::to_string(value), "a number from 1e-15 to 1e15");
}

}  // namespace tacit
