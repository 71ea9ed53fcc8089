// SPDX-License-Identifier: MIT
#include "api/bytes.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tacit {

// malloc(0) may be NULL, which would look like a failure.
Status hand_over(ByteSpan bytes, void** data, std::size_t* size) {
  *data = std::malloc(std::max<std::size_t>(bytes.size(), 1));
  if (*data == nullptr) throw std::bad_alloc();
  if (!bytes.empty()) std::memcpy(*data, bytes.data(), bytes.size());
  *size = bytes.size();
  return {};
}

ByteSource callback_source(tacit_read_function read, void* context) {
  return [read, context](std::span<std::uint8_t> buffer) -> Result<std::size_t> {
    std::size_t count = 0;
    while (count < buffer.size()) {
      const std::int64_t got = read(context, buffer.data() + count, buffer.size() - count);
      if (got < 0 || static_cast<std::uint64_t>(got) > buffer.size() - count) {
        return io_error("reading the input failed");
      }
      if (got == 0) break;
      count += static_cast<std::size_t>(got);
    }
    return count;
  };
}

ByteSink callback_sink(tacit_write_function write, void* context) {
  if (write == nullptr) return {};
  return [write, context](ByteSpan bytes) -> Status {
    if (write(context, bytes.data(), bytes.size()) != 0) return io_error("writing the output failed");
    return {};
  };
}

}  // namespace tacit

extern "C" void tacit_free(void* buffer) { std::free(buffer); }
