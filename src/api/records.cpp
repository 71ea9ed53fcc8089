// SPDX-License-Identifier: MIT
// Some records of an archive.
#include <algorithm>
#include <limits>

#include "api/call.h"
#include "base/file.h"

namespace tacit {
namespace {

// `count`: all from `first` on where it is the largest number there is.
Status read_records(Call& call, ByteSpan archive, std::uint64_t first, std::uint64_t count, const ByteSink& sink) {
  TACIT_ASSIGN(const archive::Reader reader, archive::Reader::open(archive));
  const std::uint64_t count_max = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t end = first + std::min(count, count_max - first);
  if (count == count_max) end = std::max(reader.record_count(), std::min(first, count_max - 1) + 1);
  return read_records(reader, model_finder(call), call.codec_options(0), first, end, sink);
}

}  // namespace
}  // namespace tacit

using namespace tacit;

extern "C" {

tacit_status tacit_read_records_file(const tacit_options* options, const char* path, uint64_t first, uint64_t count,
                                     tacit_write_function write, void* write_context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(path != nullptr, "path"));
    TACIT_TRY(require(write != nullptr, "write"));
    TACIT_ASSIGN(Call call, begin_call(options));
    TACIT_ASSIGN(const MappedFile archive, MappedFile::open(path));
    const Status status = read_records(call, archive.bytes(), first, count, callback_sink(write, write_context));
    return status.ok() || status.error().code == ErrorCode::kIo ? status : status.error().in(path);
  });
}

tacit_status tacit_read_records_buffer(const tacit_options* options, const void* archive, size_t archive_bytes,
                                       uint64_t first, uint64_t count, tacit_write_function write,
                                       void* write_context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(archive != nullptr || archive_bytes == 0, "archive"));
    TACIT_TRY(require(write != nullptr, "write"));
    TACIT_ASSIGN(Call call, begin_call(options));
    return read_records(call, span_of(archive, archive_bytes), first, count, callback_sink(write, write_context));
  });
}

}  // extern "C"
