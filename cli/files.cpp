// SPDX-License-Identifier: MIT
// stat(2) and what follows from it.
#include "files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "messages.h"

namespace tacit::cli {
namespace {

FileFacts facts_from(int stat_result, const struct stat& status) {
  FileFacts facts;
  if (stat_result != 0) {
    facts.error_number = errno;
    facts.kind = errno == ENOENT ? FileKind::kMissing : FileKind::kUnreachable;
    return facts;
  }
  facts.status = status;
  facts.kind = S_ISREG(status.st_mode)   ? FileKind::kRegular
               : S_ISDIR(status.st_mode) ? FileKind::kDirectory
                                         : FileKind::kSpecial;
  return facts;
}

bool is_unchanged(const FileFacts& before, const FileFacts& now) {
  return is_same_file(before, now) && before.status.st_size == now.status.st_size &&
         before.status.st_mtim.tv_sec == now.status.st_mtim.tv_sec &&
         before.status.st_mtim.tv_nsec == now.status.st_mtim.tv_nsec;
}

}  // namespace

FileFacts facts_of_path(const std::string& path) {
  struct stat status {};
  return facts_from(::stat(path.c_str(), &status), status);
}

FileFacts facts_of_descriptor(int descriptor) {
  struct stat status {};
  return facts_from(::fstat(descriptor, &status), status);
}

bool is_same_file(const FileFacts& left, const FileFacts& right) {
  return left.kind == FileKind::kRegular && right.kind == FileKind::kRegular &&
         left.status.st_dev == right.status.st_dev && left.status.st_ino == right.status.st_ino;
}

int copy_modification_time(const FileFacts& from, const std::string& path) {
  const std::array<struct timespec, 2> times = {from.status.st_atim, from.status.st_mtim};
  return ::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0 ? 0 : errno;
}

std::string remove_unchanged(const std::string& path, const FileFacts& before) {
  if (!is_unchanged(before, facts_of_path(path))) return path + ": changed while it was read; not removed";
  if (::unlink(path.c_str()) != 0) return errno_message(path, errno) + "; not removed";
  return "";
}

}  // namespace tacit::cli
