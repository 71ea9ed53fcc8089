// SPDX-License-Identifier: MIT
#include "api/info.h"

#include <cstring>

#include "api/bytes.h"
#include "api/errors.h"
#include "api/structs.h"
#include "archive/summary.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/limits.h"
#include "store/builtin_model.h"

namespace tacit {
namespace {

static_assert(sizeof(tacit_archive_info::model_name) > limits::kModelNameBytesMax);

void fill_model(const archive::Header& header, tacit_archive_info& info) {
  if (!header.has_model) return;
  std::memcpy(info.model_name, header.model_name.data(), header.model_name.size());
  const std::string fingerprint = to_hex(header.model_fingerprint);
  std::memcpy(info.model_fingerprint, fingerprint.data(), fingerprint.size());
  info.model_is_builtin = header.model_fingerprint == builtin_model_fingerprint() ? 1 : 0;
  info.window = header.window;
}

}  // namespace

Status fill_archive_info(ByteSpan archive, tacit_archive_info* out) {
  TACIT_TRY(check_output_struct(out, "tacit_archive_info"));
  TACIT_ASSIGN(const archive::ArchiveSummary summary, archive::summarize(archive));
  tacit_archive_info info{};
  info.format_version = summary.header.format_version;
  info.contract = summary.header.contract;
  fill_model(summary.header, info);
  info.original_bytes = summary.original_bytes;
  info.archive_bytes = summary.archive_bytes;
  info.block_count = summary.block_count;
  info.segment_count = summary.segment_count;
  info.model_segment_count = summary.model_segment_count;
  info.model_original_bytes = summary.model_original_bytes;
  info.model_coded_bytes = summary.model_coded_bytes;
  info.token_count = summary.token_count;
  info.has_records = summary.header.has_records ? 1 : 0;
  info.record_count = summary.record_count;
  write_struct(out, info);
  return {};
}

}  // namespace tacit

using namespace tacit;

extern "C" {

void tacit_archive_info_init(tacit_archive_info* info) {
  *info = {};
  info->struct_bytes = sizeof(*info);
}

tacit_status tacit_info_file(const char* path, tacit_archive_info* info) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(path != nullptr && info != nullptr, "path and info"));
    TACIT_ASSIGN(const MappedFile archive, MappedFile::open(path));
    if (Status status = fill_archive_info(archive.bytes(), info); !status.ok()) return status.error().in(path);
    return {};
  });
}

tacit_status tacit_info_buffer(const void* archive, size_t archive_bytes, tacit_archive_info* info) {
  return guarded([&]() -> Status {
    TACIT_TRY(require((archive != nullptr || archive_bytes == 0) && info != nullptr, "archive and info"));
    return fill_archive_info(span_of(archive, archive_bytes), info);
  });
}

}  // extern "C"
