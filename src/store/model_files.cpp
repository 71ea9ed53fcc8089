// SPDX-License-Identifier: MIT
#include "store/model_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/limits.h"

namespace tacit {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModelSuffix = ".gguf";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As it is where the working folder is gone.
std::string absolute(const std::string& path) {
  std::error_code error;
  const fs::path result = fs::absolute(path, error);
  return error ? path : result.string();
}

ModelFile file_of(const std::string& path, const struct stat& info) {
  ModelFile file;
  file.path = path;
  file.bytes = static_cast<std::uint64_t>(info.st_size);
  file.modified_seconds = info.st_mtim.tv_sec;
  file.modified_nanoseconds = info.st_mtim.tv_nsec;
  file.inode = info.st_ino;
  return file;
}

}  // namespace

std::string cache_folder() {
  const std::string base = environment("XDG_CACHE_HOME");
  if (base.starts_with('/')) return base + "/tacit";
  const std::string home = environment("HOME");
  return home.starts_with('/') ? home + "/.cache/tacit" : "";
}

std::vector<std::string> model_folders() {
  std::vector<std::string> folders;
  const std::string path = environment("TACIT_MODEL_PATH");
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    if (end > begin) folders.push_back(absolute(path.substr(begin, end - begin)));
    begin = end + 1;
  }
  if (const std::string cache = cache_folder(); !cache.empty()) folders.push_back(cache + "/models");
  return folders;
}

void ModelFileWalk::add(const std::string& path) { visit(absolute(path), 0); }

void ModelFileWalk::add_problem(const std::string& path, std::string problem) {
  ModelFile& file = files_.emplace_back();
  file.path = path;
  file.problem = std::move(problem);
}

// What is neither a file nor a folder is passed over: opening a pipe would wait for its writer.
void ModelFileWalk::visit(const std::string& path, std::uint32_t depth) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    // A link that leads nowhere, or in a circle of links, is as good as absent.
    if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) add_problem(path, std::strerror(errno));
    return;
  }
  const bool is_folder = S_ISDIR(info.st_mode);
  if (is_folder ? depth >= limits::kModelFolderDepthMax : !S_ISREG(info.st_mode)) return;
  if (!seen_.emplace(info.st_dev, info.st_ino).second) return;
  if (is_folder) {
    descend(path, depth);
  } else if (files_.size() < limits::kModelFilesMax) {
    files_.push_back(file_of(path, info));
  }
}

// In the order of names, so that the same folders give the same list.
void ModelFileWalk::descend(const std::string& path, std::uint32_t depth) {
  std::error_code error;
  std::vector<std::string> paths;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    if (entry_count_ == limits::kModelFolderEntriesMax) {
      if (!is_cut_) add_problem(path, "too many entries: the rest of all folders is passed over");
      is_cut_ = true;
      break;
    }
    ++entry_count_;
    std::error_code ignored;
    const std::string name = entry->path().string();
    if (name.ends_with(kModelSuffix) || entry->is_directory(ignored)) paths.push_back(name);
  }
  if (error) add_problem(path, error.message());
  std::sort(paths.begin(), paths.end());
  for (const std::string& name : paths) visit(name, depth + 1);
}

}  // namespace tacit
