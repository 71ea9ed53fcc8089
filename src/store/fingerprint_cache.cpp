// SPDX-License-Identifier: MIT
// The cache is text: a heading, then for each file its fingerprint, size, time of modification (seconds and
// nanoseconds), inode and path, with a space between them.
#include "store/fingerprint_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/output_file.h"

namespace tacit {
namespace {

constexpr std::string_view kHeading = "tacit fingerprints 1";
constexpr std::size_t kFingerprintDigits = 64;
constexpr std::uint64_t kSaveEveryBytes = 1'000'000'000;  // a second of hashing, about: what an interruption may cost

constexpr int kStateFields = 4;

std::string state_of(const ModelFile& file) {
  return std::to_string(file.bytes) + ' ' + std::to_string(file.modified_seconds) + ' ' +
         std::to_string(file.modified_nanoseconds) + ' ' + std::to_string(file.inode);
}

bool is_fingerprint(std::string_view text) {
  return text.size() == kFingerprintDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Opening a pipe of that name would wait for the other end.
bool may_be_written(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
}

bool is_readable_cache(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<std::uint64_t>(info.st_size) <= limits::kFingerprintCacheBytesMax;
}

}  // namespace

FingerprintCache::FingerprintCache(std::string path) : path_(std::move(path)) {
  if (path_.empty() || !is_readable_cache(path_)) return;
  const Result<MappedFile> file = MappedFile::open(path_);
  if (!file.ok()) return;
  std::string_view text = as_text(file.value().bytes());
  const std::string heading = std::string(kHeading) + '\n';
  if (!text.starts_with(heading)) return;
  text.remove_prefix(heading.size());
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    read_line(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
}

// What is no such line is skipped. Of a state it matters only whether it is that of a file.
void FingerprintCache::read_line(std::string_view line) {
  if (line.size() <= kFingerprintDigits || line[kFingerprintDigits] != ' ') return;
  const std::string_view fingerprint = line.substr(0, kFingerprintDigits);
  if (!is_fingerprint(fingerprint)) return;
  line.remove_prefix(kFingerprintDigits + 1);
  std::size_t end = line.find(' ');
  for (int field = 1; field < kStateFields && end != std::string_view::npos; ++field) end = line.find(' ', end + 1);
  if (end == std::string_view::npos) return;
  entries_[std::string(line.substr(end + 1))] = {std::string(line.substr(0, end)), std::string(fingerprint)};
}

std::string FingerprintCache::find(const ModelFile& file) const {
  const auto found = entries_.find(file.path);
  return found == entries_.end() || found->second.state != state_of(file) ? "" : found->second.fingerprint;
}

Result<std::string> FingerprintCache::fingerprint(const ModelFile& file) {
  if (std::string known = find(file); !known.empty()) return known;
  TACIT_ASSIGN(const MappedFile mapping, MappedFile::open(file.path));
  std::string fingerprint = to_hex(sha256(mapping.bytes(), [&](ByteSpan part) { mapping.release(part); }));
  remember(file, fingerprint);
  unsaved_bytes_ += file.bytes;
  if (unsaved_bytes_ >= kSaveEveryBytes) save();
  return fingerprint;
}

void FingerprintCache::remember(const ModelFile& file, const std::string& fingerprint) {
  if (file.path.find('\n') != std::string::npos) return;  // would be two lines
  entries_[file.path] = {state_of(file), fingerprint};
  is_changed_ = true;
}

std::string FingerprintCache::text() const {
  std::string text = std::string(kHeading) + '\n';
  for (const auto& [path, entry] : entries_) {
    const std::string line = entry.fingerprint + ' ' + entry.state + ' ' + path + '\n';
    if (text.size() + line.size() > limits::kFingerprintCacheBytesMax) break;
    text += line;
  }
  return text;
}

Status FingerprintCache::write() const {
  std::error_code ignored;  // where there is no folder, creating the file fails
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  TACIT_ASSIGN(OutputFile file, OutputFile::open(path_, true, FileAccess{0600, ::geteuid(), ::getegid()}));
  TACIT_TRY(file.write(as_bytes(text())));
  return file.commit();
}

void FingerprintCache::save() {
  if (path_.empty() || !is_changed_) return;
  if (may_be_written(path_)) static_cast<void>(write());
  is_changed_ = false;
  unsaved_bytes_ = 0;
}

}  // namespace tacit
