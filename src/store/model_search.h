// SPDX-License-Identifier: MIT
// The models of this machine: a list of them, the one with a given fingerprint, the one with a given name. Their
// fingerprints come from a cache where it knows them; of everything else only metadata are read.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "store/fingerprint_cache.h"
#include "store/loaded_model.h"
#include "store/model_files.h"

namespace tacit {

struct FoundModel {
  std::string path;  // "": the built-in one
  std::string name;  // as LoadedModel::name
  std::string architecture;  // "" where the file does not say
  std::string fingerprint;   // 64 hexadecimal digits; "" where the file cannot be read
  std::uint64_t file_bytes = 0;
  std::string problem;  // "", or why it cannot be used, as far as metadata tell
};

class ModelSearch {
 public:
  // Walks through the search path.
  ModelSearch();

  // Also looks at this file or folder.
  void add(const std::string& path) { walk_.add(path); }
  // All models in the order in which they were found; those that cannot be used too. `receive` returns false to stop.
  void list(const std::function<bool(const FoundModel&)>& receive);
  // The model with this fingerprint; `name` says which files to hash first. Errors: kModel, saying where was looked.
  Result<std::unique_ptr<LoadedModel>> find(const Sha256& fingerprint, const std::string& name, ThreadPool& pool);
  // The one model, `builtin` or a file, that is called so: by its file's name, with or without .gguf, else by its own,
  // else by the first 8 or more digits of its fingerprint. Errors: kModel where there is none, or several that differ.
  Result<FoundModel> find_named(const std::string& name, const FoundModel& builtin);

 private:
  [[nodiscard]] std::vector<const ModelFile*> by_likelihood(const std::string& fingerprint,
                                                            const std::string& name) const;
  FoundModel found(const ModelFile& file);
  std::vector<FoundModel> named(const std::string& name, const FoundModel& builtin);
  std::vector<FoundModel> with_prefix(const std::string& prefix, const FoundModel& builtin);
  [[nodiscard]] std::string where_looked() const;

  std::vector<std::string> folders_ = model_folders();
  ModelFileWalk walk_;
  FingerprintCache cache_;
};

}  // namespace tacit
