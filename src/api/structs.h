// SPDX-License-Identifier: MIT
// Structs of the caller's, which may be of an older version of the header and so shorter.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/result.h"

namespace tacit {

inline Error wrong_struct_size(std::size_t found, const char* name) {
  return usage_error(std::string(name) + ".struct_bytes: found " + std::to_string(found) + ", expected what " + name +
                     "_init sets");
}

// Fields that `given` does not have keep their defaults; null: all do.
template <class T>
Result<T> read_struct(const T* given, T defaults, const char* name) {
  if (given == nullptr) return defaults;
  if (given->struct_bytes < sizeof(std::size_t) || given->struct_bytes > sizeof(T)) {
    return wrong_struct_size(given->struct_bytes, name);
  }
  std::memcpy(&defaults, given, given->struct_bytes);
  return defaults;
}

template <class T>
Status check_output_struct(const T* target, const char* name) {
  if (target == nullptr || target->struct_bytes >= sizeof(std::size_t)) return {};
  return wrong_struct_size(target->struct_bytes, name);
}

template <class T>
void write_struct(T* target, T value) {
  value.struct_bytes = std::min(target->struct_bytes, sizeof(T));
  std::memcpy(target, &value, value.struct_bytes);
}

}  // namespace tacit
