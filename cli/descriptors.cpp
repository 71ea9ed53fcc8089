// SPDX-License-Identifier: MIT
// Loops around read(2) and write(2): both may do less than asked, or be interrupted by a signal.
#include "descriptors.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace tacit::cli {

int Descriptor::close() {
  if (number_ < 0) return 0;
  return ::close(std::exchange(number_, -1)) == 0 ? 0 : errno;
}

int write_all(int descriptor, const void* data, std::size_t data_bytes) {
  const char* rest = static_cast<const char*>(data);
  while (data_bytes > 0) {
    const ssize_t written = ::write(descriptor, rest, data_bytes);
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    rest += written;
    data_bytes -= static_cast<std::size_t>(written);
  }
  return 0;
}

int read_all(int descriptor, std::string& data) {
  ByteSource source{descriptor};
  std::array<char, 65536> buffer;
  while (true) {
    const std::int64_t count = ByteSource::read(&source, buffer.data(), buffer.size());
    if (count <= 0) return source.error_number;
    data.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::int64_t ByteSource::read(void* context, void* buffer, std::size_t capacity) {
  auto& source = *static_cast<ByteSource*>(context);
  while (true) {
    const ssize_t count = ::read(source.descriptor, buffer, capacity);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    source.error_number = errno;
    return -1;
  }
}

}  // namespace tacit::cli
