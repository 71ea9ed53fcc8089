// SPDX-License-Identifier: MIT
// Temporary name, sync, rename.
#include "output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>

namespace tacit::cli {
namespace {

// The temporary file for the signal handler; one is written at a time.
std::atomic<const char*> unfinished_path = nullptr;

constexpr int kNameAttempts = 100;
constexpr mode_t kMode = 0666;  // less the umask

// Holds signals back while it lives, so that no file exists that the handler does not know of.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

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

OutputFile::~OutputFile() {
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
  unfinished_path = nullptr;
}

int OutputFile::open() {
  const FileFacts facts = facts_of_path(path_);
  if (facts.kind == FileKind::kDirectory) return EISDIR;
  if (facts.kind != FileKind::kSpecial) return open_temporary();
  descriptor_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  return descriptor_.is_open() ? 0 : errno;
}

int OutputFile::open_temporary() {
  const SignalsHeld held;
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    std::string name = path_ + "." + std::to_string(::getpid()) + "-" + std::to_string(attempt) + ".tmp";
    descriptor_ = Descriptor(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode));
    if (descriptor_.is_open()) {
      temporary_path_ = std::move(name);
      unfinished_path = temporary_path_.c_str();
      return 0;
    }
    if (errno != EEXIST) return errno;
  }
  return EEXIST;
}

int OutputFile::commit() {
  if (temporary_path_.empty()) return descriptor_.close();
  if (::fsync(descriptor_.number()) != 0) return errno;
  if (const int error_number = descriptor_.close(); error_number != 0) return error_number;
  if (const int error_number = take_name(); error_number != 0) return error_number;
  unfinished_path = nullptr;
  temporary_path_.clear();
  return 0;
}

int OutputFile::take_name() {
  // Unlike rename(), link() never replaces a file. Not every file system has it.
  if (!replace_) {
    if (::link(temporary_path_.c_str(), path_.c_str()) == 0) return ::unlink(temporary_path_.c_str()) == 0 ? 0 : errno;
    if (errno == EEXIST) return EEXIST;
  }
  return std::rename(temporary_path_.c_str(), path_.c_str()) == 0 ? 0 : errno;
}

void remove_unfinished_output_file() {
  if (const char* path = unfinished_path; path != nullptr) ::unlink(path);
}

}  // namespace tacit::cli
