// SPDX-License-Identifier: MIT
// Look-ups in a parsed GGUF file: tensors by name, metadata by key and kind, elements of arrays. The file's structure
// was checked by parser.cpp; here only what a caller expects of a value can fail.
#include "gguf/gguf.h"

#include <cassert>
#include <cmath>
#include <cstdio>
#include <limits>

namespace tacit::gguf {
namespace {

template <class T>
T element(const Array& array, std::uint64_t index) {
  assert(index < array.count);
  return load_unaligned<T>(array.elements.data() + index * sizeof(T));
}

// In the order of the numbers of ValueType.
constexpr std::string_view kValueTypeNames[] = {"uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
                                                "bool",  "string", "array",  "uint64", "int64",  "float64"};

std::string real_text(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", number);
  return text;
}

// What a value is, for the "found" of a message: a number itself, otherwise its kind.
std::string description(const Value& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return std::to_string(*number);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&value)) return "the float " + real_text(*number);
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "the bool true" : "the bool false";
  if (const auto* array = std::get_if<Array>(&value)) {
    return "an array of " + std::string(kValueTypeNames[static_cast<std::uint32_t>(array->element_type)]);
  }
  return "a string";
}

Error lookup_error(const File& file, std::string_view key, std::string_view found, std::string_view expected) {
  std::string message = file.name() + ": metadata \"";
  message.append(key).append("\": found ").append(found).append(", expected ").append(expected);
  return model_error(std::move(message));
}

Error missing(const File& file, std::string_view key, std::string_view expected) {
  return lookup_error(file, key, "no such key", expected);
}

// The value as a number in [0, 2^64); false where it is no integer or negative.
bool as_unsigned(const Value& value, std::uint64_t& number) {
  if (const auto* natural = std::get_if<std::uint64_t>(&value)) {
    number = *natural;
    return true;
  }
  const auto* integer = std::get_if<std::int64_t>(&value);
  if (integer == nullptr || *integer < 0) return false;
  number = static_cast<std::uint64_t>(*integer);
  return true;
}

}  // namespace

bool Array::is_integer() const {
  return is_numeric() && element_type != ValueType::kFloat32 && element_type != ValueType::kFloat64;
}

bool Array::is_numeric() const {
  return element_type != ValueType::kBool && element_type != ValueType::kString && element_type != ValueType::kArray;
}

std::int64_t Array::integer(std::uint64_t index) const {
  switch (element_type) {
    case ValueType::kUint8:
    case ValueType::kBool:
      return element<std::uint8_t>(*this, index);
    case ValueType::kInt8:
      return element<std::int8_t>(*this, index);
    case ValueType::kUint16:
      return element<std::uint16_t>(*this, index);
    case ValueType::kInt16:
      return element<std::int16_t>(*this, index);
    case ValueType::kUint32:
      return element<std::uint32_t>(*this, index);
    case ValueType::kInt32:
      return element<std::int32_t>(*this, index);
    default:
      assert(element_type == ValueType::kUint64 || element_type == ValueType::kInt64);
      return element<std::int64_t>(*this, index);
  }
}

double Array::real(std::uint64_t index) const {
  if (element_type == ValueType::kFloat32) return element<float>(*this, index);
  if (element_type == ValueType::kFloat64) return element<double>(*this, index);
  if (element_type == ValueType::kUint64) return static_cast<double>(element<std::uint64_t>(*this, index));
  return static_cast<double>(integer(index));
}

const Tensor* File::find_tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

const Value* File::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

Result<std::uint64_t> File::integer(std::string_view key, std::uint64_t minimum, std::uint64_t maximum) const {
  const std::string expected = "an integer from " + std::to_string(minimum) + " to " + std::to_string(maximum);
  const Value* value = find(key);
  if (value == nullptr) return missing(*this, key, expected);
  std::uint64_t number = 0;
  if (!as_unsigned(*value, number) || number < minimum || number > maximum) {
    return lookup_error(*this, key, description(*value), expected);
  }
  return number;
}

Result<std::uint64_t> File::integer_or(std::string_view key, std::uint64_t fallback, std::uint64_t minimum,
                                       std::uint64_t maximum) const {
  if (find(key) == nullptr) return fallback;
  return integer(key, minimum, maximum);
}

Result<double> File::real(std::string_view key) const {
  constexpr std::string_view kExpected = "a finite number";
  const Value* value = find(key);
  if (value == nullptr) return missing(*this, key, kExpected);
  double number = std::numeric_limits<double>::quiet_NaN();
  if (const auto* natural = std::get_if<std::uint64_t>(value)) number = static_cast<double>(*natural);
  if (const auto* integer = std::get_if<std::int64_t>(value)) number = static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(value)) number = *real;
  if (!std::isfinite(number)) return lookup_error(*this, key, description(*value), kExpected);
  return number;
}

Result<double> File::real_or(std::string_view key, double fallback) const {
  if (find(key) == nullptr) return fallback;
  return real(key);
}

Result<bool> File::boolean_or(std::string_view key, bool fallback) const {
  const Value* value = find(key);
  if (value == nullptr) return fallback;
  if (const auto* boolean = std::get_if<bool>(value)) return *boolean;
  return lookup_error(*this, key, description(*value), "a bool");
}

Result<std::string_view> File::string(std::string_view key) const {
  constexpr std::string_view kExpected = "a string";
  const Value* value = find(key);
  if (value == nullptr) return missing(*this, key, kExpected);
  if (const auto* text = std::get_if<std::string_view>(value)) return *text;
  return lookup_error(*this, key, description(*value), kExpected);
}

Result<std::string_view> File::string_or(std::string_view key, std::string_view fallback) const {
  if (find(key) == nullptr) return fallback;
  return string(key);
}

Result<const Array*> File::array(std::string_view key, ValueType element_type) const {
  const Value* value = find(key);
  if (value == nullptr) return static_cast<const Array*>(nullptr);
  const auto* array = std::get_if<Array>(value);
  if (array != nullptr && array->element_type == element_type) return array;
  return lookup_error(*this, key, description(*value),
                      "an array of " + std::string(kValueTypeNames[static_cast<std::uint32_t>(element_type)]));
}

}  // namespace tacit::gguf
