// SPDX-License-Identifier: MIT
// An open file of the system: owned, read and written whole, and what the system says when that fails.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace tacit {

// Whose a file is, and who may read it.
struct FileAccess {
  std::uint32_t mode = 0;  // permission bits
  uid_t owner = 0;
  gid_t group = 0;
};

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

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  // False with errno: a file system over a network may report a failed write only here.
  bool close();

 private:
  int number_;
};

// Reads up to the end of `buffer` or of the file. False with errno where that fails.
bool read_up_to(int descriptor, std::span<std::uint8_t> buffer, std::size_t& count);
// False with errno where not all of `bytes` could be written.
bool write_all(int descriptor, ByteSpan bytes);

// kIo, "PATH: cannot ACTION: what errno says".
Error system_error(const std::string& path, const char* action);

}  // namespace tacit
