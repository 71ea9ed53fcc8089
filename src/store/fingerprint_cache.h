// SPDX-License-Identifier: MIT
// Fingerprints of model files that were hashed before, so that nobody waits for gigabytes to be hashed again. Only a
// hint for where to look: a model that is used is hashed whatever is said here. Reading and writing it never fails;
// a cache that is broken or cannot be written is as good as none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "store/model_files.h"

namespace tacit {

class FingerprintCache {
 public:
  // `path` "": nothing is remembered.
  explicit FingerprintCache(std::string path);

  // 64 hexadecimal digits; "" where the file is not known as it is now.
  [[nodiscard]] std::string find(const ModelFile& file) const;
  // Likewise, and hashes a file that is not known. Errors: kIo.
  Result<std::string> fingerprint(const ModelFile& file);
  void remember(const ModelFile& file, const std::string& fingerprint);
  // Writes what is new.
  void save();

 private:
  void read_line(std::string_view line);
  [[nodiscard]] std::string text() const;
  Status write() const;

  struct Entry {
    std::string state;  // of the file when it was hashed: size, time, inode
    std::string fingerprint;
  };

  std::string path_;
  std::map<std::string, Entry> entries_;  // by path
  std::uint64_t unsaved_bytes_ = 0;  // of the files that were hashed since the last save
  bool is_changed_ = false;
};

}  // namespace tacit
