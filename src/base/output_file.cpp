// SPDX-License-Identifier: MIT
// Temporary name, permissions, sync, rename, and the list of names for signal handlers.
#include "base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/signals_held.h"

namespace tacit {
namespace {

// Temporary names that exist now. A fixed table of atomics, because a signal handler walks it.
constexpr int kUnfinishedMax = 64;
constexpr std::size_t kPathBytesMax = 4096;
struct UnfinishedSlot {
  std::atomic<int> state{0};  // 0 free, 1 being filled, 2 in use
  char path[kPathBytesMax];
};
std::array<UnfinishedSlot, kUnfinishedMax> unfinished_outputs;

int remember_unfinished(const std::string& path) {
  if (path.size() >= kPathBytesMax) return -1;
  for (int i = 0; i < kUnfinishedMax; ++i) {
    int free_state = 0;
    if (!unfinished_outputs[i].state.compare_exchange_strong(free_state, 1)) continue;
    std::memcpy(unfinished_outputs[i].path, path.c_str(), path.size() + 1);
    unfinished_outputs[i].state.store(2);
    return i;
  }
  return -1;
}

void forget_unfinished(int slot) {
  if (slot >= 0) unfinished_outputs[slot].state.store(0);
}

// `path` with an ending of its own; a long name is cut, so that every name that a file may have works.
std::string temporary_name(const std::string& path, int attempt) {
  const std::string ending = "." + std::to_string(::getpid()) + "-" + std::to_string(attempt) + ".tmp";
  const std::size_t name_bytes = path.size() - (path.rfind('/') + 1) + ending.size();
  const std::size_t excess = name_bytes - std::min<std::size_t>(name_bytes, NAME_MAX);
  return path.substr(0, path.size() - excess) + ending;
}

Error already_exists(const std::string& path) { return io_error(path + ": already exists; use -f to overwrite it"); }

// Only root may give a file to another owner, and others only to groups that they are in. A group that is not the
// source's gets no more than both that and everybody had there, nor does everybody: no reader is added. False with
// errno where the permissions cannot be set.
bool take_over(int descriptor, const FileAccess& access) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return false;
  std::uint32_t mode = access.mode;
  if (info.st_gid != access.group && ::fchown(descriptor, static_cast<uid_t>(-1), access.group) != 0) {
    const std::uint32_t shared = mode >> 3 & mode & 07;
    mode = (mode & 0700) | shared << 3 | shared;
  }
  if (::fchmod(descriptor, mode) != 0) return false;
  if (info.st_uid == access.owner) return true;
  [[maybe_unused]] const int result = ::fchown(descriptor, access.owner, static_cast<gid_t>(-1));
  return true;
}

Status sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.is_open()) return {};  // a folder that may be written but not read: the rename still happened
  if (::fsync(descriptor.number()) == 0 || errno == EINVAL || errno == EROFS) return {};
  return system_error(folder, "sync folder");
}

bool is_special(const struct stat& info) { return !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode); }

}  // namespace

Result<OutputFile> OutputFile::open(const std::string& path, bool replace, const std::optional<FileAccess>& access) {
  OutputFile file;
  file.path_ = path;
  file.replace_ = replace;
  file.access_ = access;
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && is_special(info)) {
    file.descriptor_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.descriptor_.is_open()) return system_error(path, "open");
    return file;
  }
  if (S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    return system_error(path, "write");
  }
  if (::lstat(path.c_str(), &info) == 0) {  // a link that leads nowhere has the name too
    if (!replace) return already_exists(path);
  } else if (errno != ENOENT || path.empty()) {
    return system_error(path, "create");
  }
  TACIT_TRY(file.create());
  return file;
}

// A name may be taken by another output, or by what a killed process of the same number left behind.
Status OutputFile::create() {
  constexpr int kNameAttempts = 100;
  const mode_t mode = access_.has_value() ? 0600 : 0666;
  const SignalsHeld held;  // so that no file exists that a handler does not know of
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    std::string name = temporary_name(path_, attempt);
    descriptor_ = Descriptor(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!descriptor_.is_open() && errno == EEXIST) continue;
    if (!descriptor_.is_open()) break;
    slot_ = remember_unfinished(name);
    temporary_path_ = std::move(name);
    return {};
  }
  return system_error(path_, "create");
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      replace_(other.replace_),
      access_(other.access_),
      temporary_path_(std::exchange(other.temporary_path_, {})),
      slot_(std::exchange(other.slot_, -1)),
      descriptor_(std::move(other.descriptor_)) {}

OutputFile::~OutputFile() {
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
  forget_temporary();
}

void OutputFile::forget_temporary() {
  temporary_path_.clear();
  forget_unfinished(std::exchange(slot_, -1));
}

Status OutputFile::write(ByteSpan bytes) {
  if (!write_all(descriptor_.number(), bytes)) return system_error(path_, "write");
  return {};
}

Status OutputFile::commit() {
  if (temporary_path_.empty()) {
    if (!descriptor_.close()) return system_error(path_, "close");
    return {};
  }
  if (access_.has_value() && !take_over(descriptor_.number(), *access_)) {
    return system_error(path_, "set permissions of");
  }
  if (::fsync(descriptor_.number()) != 0) return system_error(path_, "sync");
  if (!descriptor_.close()) return system_error(path_, "close");
  TACIT_TRY(take_name());
  forget_temporary();
  return sync_folder_of(path_);
}

// link() fails where rename() would silently replace what got the name meanwhile. Not every file system has it.
Status OutputFile::take_name() {
  if (!replace_) {
    if (::link(temporary_path_.c_str(), path_.c_str()) == 0) {
      ::unlink(temporary_path_.c_str());
      return {};
    }
    if (errno == EEXIST) return already_exists(path_);
  }
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) return system_error(path_, "rename to");
  return {};
}

void remove_unfinished_outputs() {
  for (UnfinishedSlot& slot : unfinished_outputs) {
    if (slot.state.load() == 2) ::unlink(slot.path);
  }
}

}  // namespace tacit
