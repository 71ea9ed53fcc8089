// SPDX-License-Identifier: MIT
// Reads all that a parsed GGUF file offers, so that a sanitizer sees any view that points outside the file. Shared by
// the tests and the fuzzer.
#pragma once

#include <numeric>

#include "gguf/gguf.h"

namespace tacit::test {

inline std::uint64_t touch(ByteSpan bytes) { return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0}); }

inline std::uint64_t touch(const gguf::Array& array) {
  std::uint64_t sum = touch(array.elements);
  for (const std::string_view text : array.strings) sum += touch(as_bytes(text));
  for (const gguf::Array& inner : array.arrays) sum += touch(inner);
  const bool has_integers = array.is_integer() || array.element_type == gguf::ValueType::kBool;
  for (std::uint64_t i = 0; has_integers && i < array.count; ++i) sum += static_cast<std::uint64_t>(array.integer(i));
  for (std::uint64_t i = 0; array.is_numeric() && i < array.count; ++i) sum += array.real(i) > 0 ? 1 : 0;
  return sum;
}

// A number that depends on every value, every array element and every tensor byte.
inline std::uint64_t touch_everything(const gguf::File& file) {
  std::uint64_t sum = file.version();
  for (const std::string_view key : file.keys()) {
    sum += touch(as_bytes(key));
    const gguf::Value& value = *file.find(key);
    if (const auto* array = std::get_if<gguf::Array>(&value)) sum += touch(*array);
    if (const auto* text = std::get_if<std::string_view>(&value)) sum += touch(as_bytes(*text));
    if (const auto number = file.integer(key, 0, ~std::uint64_t{0}); number.ok()) sum += number.value();
    if (const auto number = file.real(key); number.ok()) sum += number.value() > 0 ? 1 : 0;
    if (const auto boolean = file.boolean_or(key, false); boolean.ok()) sum += boolean.value() ? 1 : 0;
  }
  for (const gguf::Tensor& tensor : file.tensors()) {
    sum += touch(as_bytes(tensor.name)) + touch(tensor.data) + tensor.element_count();
    sum += file.find_tensor(tensor.name) == &tensor ? 1 : 0;
  }
  return sum;
}

}  // namespace tacit::test
