// SPDX-License-Identifier: MIT
// The GGUF files of this machine: the folders that are searched for models, and a walk through them that ends whatever
// they hold. Knows files, not what is in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tacit {

struct ModelFile {
  std::string path;  // absolute
  std::uint64_t bytes = 0;
  std::int64_t modified_seconds = 0;
  std::int64_t modified_nanoseconds = 0;
  std::uint64_t inode = 0;
  std::string problem;  // "", or why this path, a folder perhaps, could not be looked at
};

// $XDG_CACHE_HOME/tacit, or ~/.cache/tacit; "" where the environment names neither.
std::string cache_folder();
// Those of $TACIT_MODEL_PATH, and `models` in the cache folder. They need not exist.
std::vector<std::string> model_folders();

// Collects files, each once however many names it has.
class ModelFileWalk {
 public:
  // A file whatever its name, or all *.gguf in and below a folder. Links are followed. What does not exist has none.
  void add(const std::string& path);
  [[nodiscard]] const std::vector<ModelFile>& files() const { return files_; }

 private:
  using Identity = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

  void visit(const std::string& path, std::uint32_t depth);
  void descend(const std::string& path, std::uint32_t depth);
  void add_problem(const std::string& path, std::string problem);

  std::vector<ModelFile> files_;
  std::set<Identity> seen_;
  std::uint64_t entry_count_ = 0;
  bool is_cut_ = false;  // there were too many
};

}  // namespace tacit
