// SPDX-License-Identifier: MIT
// Files as the product needs them: a read-only memory map, and an output that appears whole or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace tacit {

// A file mapped read-only for the life of the object, or read where its file system has no maps. Move-only. An empty
// file maps to an empty span. Who cuts a mapped file short takes pages away: the system then ends the process that reads
// them with SIGBUS, for which a client may have a handler.
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

// An output file that is written under a temporary name beside its target and takes the target's name only in
// commit(), after an fsync. Destroyed without commit, it removes what it wrote. Signal handlers of a client may call
// remove_unfinished_outputs(), which is async-signal-safe, to keep that promise on Ctrl-C.
class AtomicFile {
 public:
  // `replace` false: an existing target is an error (kIo) and stays as it is. `mode`: permission bits of the file from
  // the start, so that nobody reads meanwhile what they may not read afterwards; 0: the default ones.
  static Result<AtomicFile> create(const std::string& path, bool replace, std::uint32_t mode);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  Status write(ByteSpan bytes);
  // Syncs and renames.
  Status commit();

 private:
  AtomicFile() = default;
  int descriptor_ = -1;
  int slot_ = -1;  // index in the list that remove_unfinished_outputs() walks
  bool replace_ = false;
  std::uint32_t mode_ = 0;
  std::string path_;
  std::string temporary_path_;
};

void remove_unfinished_outputs();

}  // namespace tacit
