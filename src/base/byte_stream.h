// SPDX-License-Identifier: MIT
// Where bytes come from and where they go to, whoever the other end is: memory, a file, a client.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/descriptor.h"
#include "base/result.h"

namespace tacit {

// Fills the buffer as far as it can; fewer bytes than asked for mean the end.
using ByteSource = std::function<Result<std::size_t>(std::span<std::uint8_t>)>;
using ByteSink = std::function<Status(ByteSpan)>;

// `bytes` must outlive the source.
ByteSource memory_source(ByteSpan bytes);
// Appends to `out`, which must outlive the sink.
ByteSink memory_sink(ByteVector& out);

Result<ByteVector> read_all(const ByteSource& source);

// A file that is read from start to end.
class InputFile {
 public:
  // Errors: kIo, for a folder too.
  static Result<InputFile> open(const std::string& path);

  // As a ByteSource. Errors: kIo.
  Result<std::size_t> read(std::span<std::uint8_t> buffer);
  // Errors: kUsage where `path` is this very file.
  [[nodiscard]] Status must_not_be(const std::string& path) const;
  // 0 where only reading tells: of a pipe or a device.
  [[nodiscard]] std::uint64_t size() const;
  // None of a pipe or a device: what is made from them is a new file like any other.
  [[nodiscard]] std::optional<FileAccess> access() const;

 private:
  std::string path_;
  Descriptor descriptor_;
  struct stat info_ {};
};

}  // namespace tacit
