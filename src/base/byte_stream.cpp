// SPDX-License-Identifier: MIT
#include "base/byte_stream.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace tacit {

ByteSource memory_source(ByteSpan bytes) {
  return [bytes](std::span<std::uint8_t> buffer) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(buffer.size(), bytes.size());
    std::copy_n(bytes.begin(), count, buffer.begin());
    bytes = bytes.subspan(count);
    return count;
  };
}

ByteSink memory_sink(ByteVector& out) {
  return [&out](ByteSpan bytes) -> Status {
    append_bytes(out, bytes);
    return {};
  };
}

Result<ByteVector> read_all(const ByteSource& source) {
  ByteVector bytes;
  while (true) {
    const std::size_t begin = bytes.size();
    bytes.resize(std::max<std::size_t>(64 * 1024, 2 * begin));
    TACIT_ASSIGN(const std::size_t count, source(std::span(bytes).subspan(begin)));
    const bool end = begin + count < bytes.size();
    bytes.resize(begin + count);
    if (end) return bytes;
  }
}

Result<InputFile> InputFile::open(const std::string& path) {
  InputFile file;
  file.path_ = path;
  file.descriptor_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.descriptor_.is_open() || ::fstat(file.descriptor_.number(), &file.info_) != 0) {
    return system_error(path, "open");
  }
  if (!S_ISDIR(file.info_.st_mode)) return file;
  errno = EISDIR;
  return system_error(path, "read");
}

Result<std::size_t> InputFile::read(std::span<std::uint8_t> buffer) {
  std::size_t count = 0;
  if (!read_up_to(descriptor_.number(), buffer, count)) return system_error(path_, "read");
  return count;
}

Status InputFile::must_not_be(const std::string& path) const {
  struct stat other {};
  if (::stat(path.c_str(), &other) != 0 || other.st_dev != info_.st_dev || other.st_ino != info_.st_ino) return {};
  return usage_error(path_ + ": input and output are the same file");
}

std::uint64_t InputFile::size() const {
  return S_ISREG(info_.st_mode) ? static_cast<std::uint64_t>(info_.st_size) : 0;
}

std::optional<FileAccess> InputFile::access() const {
  if (!S_ISREG(info_.st_mode)) return std::nullopt;
  return FileAccess{info_.st_mode & 0777, info_.st_uid, info_.st_gid};
}

}  // namespace tacit
