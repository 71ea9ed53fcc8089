// SPDX-License-Identifier: MIT
// A buffer that a function of the C API fills; freed with its owner.
#pragma once

#include <tacit/tacit.h>

#include <cstring>
#include <string>

namespace tacit::test {

struct ApiBuffer {
  void* data = nullptr;
  std::size_t size = 0;
  ApiBuffer() = default;
  ApiBuffer(const ApiBuffer&) = delete;
  ApiBuffer& operator=(const ApiBuffer&) = delete;
  ~ApiBuffer() { tacit_free(data); }
  [[nodiscard]] std::string text() const { return {static_cast<const char*>(data), size}; }
  [[nodiscard]] bool equals(const void* other, std::size_t other_size) const {
    return size == other_size && (size == 0 || std::memcmp(data, other, size) == 0);
  }
};

}  // namespace tacit::test
