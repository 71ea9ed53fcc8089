// SPDX-License-Identifier: MIT
// Two kinds of outputs behind one door.
#include "output.h"

#include <cerrno>

#include "descriptors.h"
#include "standard_output.h"

namespace tacit::cli {

Outcome check_output_path(const std::string& path, const FileFacts& facts, bool replace) {
  switch (facts.kind) {
    case FileKind::kUnreachable:
      return {ExitCode::kIo, errno_message(path, facts.error_number)};
    case FileKind::kDirectory:
      return {ExitCode::kIo, errno_message(path, EISDIR)};
    case FileKind::kRegular:
      if (replace) break;
      return {ExitCode::kIo, path + ": already exists; use -f to overwrite it"};
    case FileKind::kSpecial:
    case FileKind::kMissing:
      break;
  }
  return {};
}

Outcome Output::open(bool replace) {
  if (path_ == kStandardStream) return {};
  return outcome_of(tacit_output_open(path_.c_str(), replace ? 1 : 0, &file_));
}

Outcome Output::write(std::string_view bytes) {
  if (file_ != nullptr) return outcome_of(tacit_output_write(file_, bytes.data(), bytes.size()));
  const int error_number = write_all(kStandardOutput, bytes.data(), bytes.size());
  return error_number == 0 ? Outcome() : output_failure(error_number);
}

Outcome Output::commit() { return file_ == nullptr ? Outcome() : outcome_of(tacit_output_commit(file_)); }

int Output::write_bytes(void* context, const void* data, std::size_t data_bytes) {
  auto& output = *static_cast<Output*>(context);
  output.failure_ = output.write({static_cast<const char*>(data), data_bytes});
  return output.failure_.code == ExitCode::kDone ? 0 : -1;
}

Outcome Output::outcome_of(tacit_status status) const {
  if (status == TACIT_OK) return {};
  return {exit_code_of(status), library_message(path_, status)};
}

}  // namespace tacit::cli
