// SPDX-License-Identifier: MIT
// A file as a read-only memory map.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace tacit {

// A file mapped read-only for the life of the object, or read where its file system has no maps. Move-only. An empty
// file maps to an empty span. Who cuts a mapped file short takes pages away: the system then ends the process that
// reads them with SIGBUS, for which a client may have a handler.
class MappedFile {
 public:
  // Errors: kIo, naming the path and the system's reason.
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] ByteSpan bytes() const { return {data_, size_}; }
  // Gives back the memory of `part` of bytes(), which stays readable: the system fetches it again.
  void release(ByteSpan part) const;

 private:
  MappedFile() = default;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_size_ = 0;
  bool is_copy_ = false;  // in memory of its own, which nothing could fetch again
};

}  // namespace tacit
