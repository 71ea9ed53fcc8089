// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/descriptor.h"

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

Status sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return {};  // a folder that may be written but not read: the rename still happened
  const int result = ::fsync(descriptor);
  const int sync_errno = errno;
  ::close(descriptor);
  if (result != 0 && sync_errno != EINVAL && sync_errno != EROFS) return system_error(folder, "sync folder");
  return {};
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.is_open()) return system_error(path, "open");
  struct stat info {};
  if (::fstat(descriptor.number(), &info) != 0 || S_ISDIR(info.st_mode)) {
    if (S_ISDIR(info.st_mode)) errno = EISDIR;
    return system_error(path, "read");
  }
  MappedFile file;
  if (info.st_size == 0) return file;
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.number(), 0);
  file.is_copy_ = data == MAP_FAILED && errno == ENODEV;
  if (file.is_copy_) data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return system_error(path, "map");
  file.data_ = static_cast<const std::uint8_t*>(data);
  file.size_ = file.mapped_size_ = size;
  if (file.is_copy_ && !read_up_to(descriptor.number(), {static_cast<std::uint8_t*>(data), size}, file.size_)) {
    return system_error(path, "read");
  }
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_size_(std::exchange(other.mapped_size_, 0)),
      is_copy_(other.is_copy_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_size_, other.mapped_size_);
  std::swap(is_copy_, other.is_copy_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), mapped_size_);
}

// Whole pages only: a neighbour may be in use, and would have to be fetched again.
void MappedFile::release(ByteSpan part) const {
  if (is_copy_ || part.empty()) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(part.data() - data_);
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + part.size()) / page * page;
  if (begin < end) ::madvise(const_cast<std::uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
}

Result<AtomicFile> AtomicFile::create(const std::string& path, bool replace, std::uint32_t mode) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) {
      errno = EISDIR;
      return system_error(path, "write");
    }
    if (!replace) return io_error(path + ": already exists; use -f to overwrite it");
  }
  AtomicFile file;
  file.path_ = path;
  file.replace_ = replace;
  file.mode_ = mode;
  // A name may be taken by what a killed process of the same number left behind.
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::string name = path + ".tmp." + std::to_string(::getpid()) + (attempt > 0 ? "." + std::to_string(attempt) : "");
    file.descriptor_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode != 0 ? mode : 0666u);
    if (file.descriptor_ < 0 && errno == EEXIST) continue;
    if (file.descriptor_ < 0) break;
    file.slot_ = remember_unfinished(name);
    file.temporary_path_ = std::move(name);
    return file;
  }
  return system_error(path, "create");
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      slot_(std::exchange(other.slot_, -1)),
      replace_(other.replace_),
      mode_(other.mode_),
      path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, {})) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
  forget_unfinished(slot_);
}

Status AtomicFile::write(ByteSpan bytes) {
  if (!write_all(descriptor_, bytes)) return system_error(path_, "write");
  return {};
}

Status AtomicFile::commit() {
  // open() took the umask off.
  if (mode_ != 0 && ::fchmod(descriptor_, mode_) != 0) return system_error(path_, "set permissions of");
  if (::fsync(descriptor_) != 0) return system_error(path_, "sync");
  if (::close(std::exchange(descriptor_, -1)) != 0) return system_error(path_, "close");
  if (replace_) {
    if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) return system_error(path_, "rename to");
  } else {
    // link() fails where rename() would silently replace a target that appeared meanwhile.
    if (::link(temporary_path_.c_str(), path_.c_str()) == 0) {
      ::unlink(temporary_path_.c_str());
    } else if (errno == EEXIST) {
      return io_error(path_ + ": already exists; use -f to overwrite it");
    } else if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {  // file systems without hard links
      return system_error(path_, "rename to");
    }
  }
  temporary_path_.clear();
  forget_unfinished(std::exchange(slot_, -1));
  return sync_folder_of(path_);
}

void remove_unfinished_outputs() {
  for (UnfinishedSlot& slot : unfinished_outputs) {
    if (slot.state.load() == 2) ::unlink(slot.path);
  }
}

}  // namespace tacit
