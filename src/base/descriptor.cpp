// SPDX-License-Identifier: MIT
// read(2) and write(2) may do less than asked, or be interrupted by a signal.
#include "base/descriptor.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tacit {

bool Descriptor::close() { return number_ < 0 || ::close(std::exchange(number_, -1)) == 0; }

bool read_up_to(int descriptor, std::span<std::uint8_t> buffer, std::size_t& count) {
  for (count = 0; count < buffer.size();) {
    const ssize_t got = ::read(descriptor, buffer.data() + count, buffer.size() - count);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    count += static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int descriptor, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

Error system_error(const std::string& path, const char* action) {
  return io_error(path + ": cannot " + action + ": " + std::strerror(errno));
}

}  // namespace tacit
