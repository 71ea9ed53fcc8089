// SPDX-License-Identifier: MIT
// Questions about paths, and the two things that are done to a source after its result is safe: its time is copied,
// and it is removed when that was asked for.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace tacit::cli {

enum class FileKind {
  kMissing,
  kRegular,
  kDirectory,
  kSpecial,     // pipe, device, socket
  kUnreachable  // asking failed; FileFacts::error_number says why
};

// What stat says about a path or an open descriptor; links are followed.
struct FileFacts {
  FileKind kind = FileKind::kMissing;
  int error_number = 0;
  struct stat status {};
};

FileFacts facts_of_path(const std::string& path);
FileFacts facts_of_descriptor(int descriptor);

// Both are one regular file.
bool is_same_file(const FileFacts& left, const FileFacts& right);

// Sets the modification time in `from` on `path`. Returns 0 or errno.
int copy_modification_time(const FileFacts& from, const std::string& path);

// Removes `path` if it still is what `before` saw: the same file with the same size and time. Text that was appended
// in the meantime is not in the archive. Returns "" or what went wrong.
std::string remove_unchanged(const std::string& path, const FileFacts& before);

}  // namespace tacit::cli
