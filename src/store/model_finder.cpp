// SPDX-License-Identifier: MIT
#include "store/model_finder.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/printable.h"
#include "store/builtin_model.h"

namespace tacit {
namespace {

std::string described(const std::string& name, const Sha256& fingerprint) {
  return printable_quoted(name) + " (SHA-256 " + to_hex(fingerprint) + ")";
}

// What was left by an earlier search, or else what the search path has.
Result<SharedModel> search(const NeededModel& needed, SharedModel& found, ThreadPool& pool) {
  if (found != nullptr && found->fingerprint() == needed.fingerprint) {
    TACIT_TRY(found->load_weights(pool));
    return found;
  }
  TACIT_ASSIGN(found, ModelSearch().find(needed.fingerprint, needed.name, pool));
  return found;
}

FoundModel found_builtin(const LoadedModel& loaded) {
  FoundModel model;
  model.name = loaded.name;
  model.architecture = loaded.model.config.architecture;
  model.fingerprint = loaded.fingerprint_hex();
  model.file_bytes = loaded.file_bytes;
  return model;
}

// A name with a slash, and one that the system cannot look at, are files': opening them says what is wrong.
bool may_be_a_model_name(const std::string& name) {
  struct stat info {};
  return ::stat(name.c_str(), &info) != 0 && errno == ENOENT && name.find('/') == std::string::npos;
}

}  // namespace

Result<SharedModel> find_needed_model(const NeededModel& needed, const SharedModel& given, SharedModel* found,
                                      ThreadPool& pool) {
  if (given != nullptr) {
    TACIT_TRY(given->load_weights(pool));  // first, because it hashes meanwhile
    if (given->fingerprint() == needed.fingerprint) return given;
  }
  if (needed.fingerprint == builtin_model_fingerprint()) {
    TACIT_ASSIGN(SharedModel builtin, builtin_model_without_weights());
    TACIT_TRY(builtin->load_weights(pool));
    return builtin;
  }
  std::string why = given == nullptr ? "none was given and the built-in one is another"
                                     : "the one given is " + described(given->name, given->fingerprint());
  if (given == nullptr && found != nullptr) {
    Result<SharedModel> model = search(needed, *found, pool);
    if (model.ok()) return model;
    why += "; " + model.error().message;
  }
  return model_error("the archive needs the model " + described(needed.name, needed.fingerprint) + "; " + why);
}

Result<SharedModel> find_named_model(const std::string& name) {
  std::string path = name;
  if (may_be_a_model_name(name)) {
    TACIT_ASSIGN(SharedModel builtin, builtin_model_without_weights());
    TACIT_ASSIGN(FoundModel found, ModelSearch().find_named(name, found_builtin(*builtin)));
    if (found.path.empty()) return builtin;
    path = std::move(found.path);
  }
  TACIT_ASSIGN(SharedModel loaded, LoadedModel::open(path));
  return loaded;
}

Result<bool> list_models(const std::vector<std::string>& paths, const std::function<bool(const FoundModel&)>& receive) {
  ModelSearch search;
  for (const std::string& path : paths) search.add(path);
  TACIT_ASSIGN(const SharedModel builtin, builtin_model_without_weights());
  bool goes_on = receive(found_builtin(*builtin));
  const auto hand_over = [&](const FoundModel& model) { return goes_on = receive(model); };
  if (goes_on) search.list(hand_over);
  return goes_on;
}

}  // namespace tacit
