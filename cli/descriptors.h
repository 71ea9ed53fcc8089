// SPDX-License-Identifier: MIT
// File descriptors: owning, reading and writing them whole, and as the library's stream callbacks. Knows no paths but
// "-".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace tacit::cli {

// The path that stands for standard input or output.
inline constexpr std::string_view kStandardStream = "-";

inline constexpr int kStandardInput = 0;
inline constexpr int kStandardOutput = 1;
inline constexpr int kStandardError = 2;

// Owns an open descriptor; -1 is none.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { static_cast<void>(close()); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  // Returns 0 or errno: a file system over a network may report a failed write only here.
  int close();

 private:
  int number_;
};

// Writes all of `data`. Returns 0 or errno.
int write_all(int descriptor, const void* data, std::size_t data_bytes);
// Appends everything up to the end to `data`. Returns 0 or errno.
int read_all(int descriptor, std::string& data);

// Reads a descriptor for the library, and keeps the reason of a failure.
struct ByteSource {
  int descriptor = -1;
  int error_number = 0;

  // A tacit_read_function; `context` is a ByteSource.
  static std::int64_t read(void* context, void* buffer, std::size_t capacity);
};

}  // namespace tacit::cli
