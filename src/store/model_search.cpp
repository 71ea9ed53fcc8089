// SPDX-License-Identifier: MIT
#include "store/model_search.h"

#include <algorithm>
#include <string_view>

#include "base/file.h"
#include "engine/cpu/packed_weights.h"
#include "gguf/gguf.h"

namespace tacit {
namespace {

constexpr std::size_t kPrefixDigitsMin = 8;
constexpr std::size_t kShownDigits = 12;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_called(const ModelFile& file, const std::string& name) {
  const std::string_view own = file_name(file.path);
  return own == name || own == name + ".gguf";
}

Status check_types(const gguf::File& file) {
  for (const gguf::Tensor& tensor : file.tensors()) {
    if (is_weight_type(tensor.type->type)) continue;
    return model_error("tensor " + std::string(tensor.name) + ": found type " + std::string(tensor.type->name) +
                       ", expected one of real numbers");
  }
  return {};
}

// Whether LoadedModel would take the file, as far as that is known without touching its tensors.
Status describe(ByteSpan bytes, FoundModel& model) {
  TACIT_ASSIGN(const gguf::File file, gguf::File::parse(bytes, model.path));
  TACIT_ASSIGN(model.name, model_name(file));
  TACIT_ASSIGN(const std::string_view architecture, file.string("general.architecture"));
  model.architecture = architecture;
  TACIT_ASSIGN(const Config config, Config::load(file));
  TACIT_TRY(check_types(file));
  return Tokenizer::check_kind(file);
}

// All but the fingerprint.
FoundModel describe(const ModelFile& file) {
  FoundModel model;
  model.path = file.path;
  model.name = file_name(file.path);
  model.file_bytes = file.bytes;
  model.problem = file.problem;
  if (!model.problem.empty()) return model;
  const Result<MappedFile> mapping = MappedFile::open(file.path);
  const Status status = mapping.ok() ? describe(mapping.value().bytes(), model) : mapping.error();
  if (status.ok()) return model;
  model.problem = status.error().message;
  const std::string prefix = file.path + ": ";
  if (model.problem.starts_with(prefix)) model.problem.erase(0, prefix.size());
  return model;
}

std::string shown(const FoundModel& model) {
  return (model.path.empty() ? "the built-in one" : model.path) + " (" + model.fingerprint.substr(0, kShownDigits) +
         ")";
}

// Files that cannot be used matter only where no other is called so: projectors are called as their models.
void keep_usable(std::vector<FoundModel>& models) {
  const auto is_usable = [](const FoundModel& model) { return model.problem.empty(); };
  if (std::ranges::none_of(models, is_usable)) return;
  std::erase_if(models, [&](const FoundModel& model) { return !is_usable(model); });
}

}  // namespace

ModelSearch::ModelSearch() : cache_(cache_folder().empty() ? "" : cache_folder() + "/fingerprints") {
  for (const std::string& folder : folders_) walk_.add(folder);
}

FoundModel ModelSearch::found(const ModelFile& file) {
  FoundModel model = describe(file);
  if (!file.problem.empty()) return model;
  Result<std::string> fingerprint = cache_.fingerprint(file);
  if (fingerprint.ok()) {
    model.fingerprint = std::move(fingerprint).value();
  } else if (model.problem.empty()) {
    model.problem = fingerprint.error().message;
  }
  return model;
}

void ModelSearch::list(const std::function<bool(const FoundModel&)>& receive) {
  for (const ModelFile& file : walk_.files()) {
    if (!receive(found(file))) break;
  }
  cache_.save();
}

// Files that are known to be the model, then those of its name, then the others; without those known to be another.
std::vector<const ModelFile*> ModelSearch::by_likelihood(const std::string& fingerprint,
                                                         const std::string& name) const {
  std::vector<const ModelFile*> known;
  std::vector<const ModelFile*> called;
  std::vector<const ModelFile*> others;
  for (const ModelFile& file : walk_.files()) {
    if (!file.problem.empty()) continue;
    const std::string cached = cache_.find(file);
    if (cached == fingerprint) known.push_back(&file);
    if (!cached.empty()) continue;
    (is_called(file, name) || describe(file).name == name ? called : others).push_back(&file);
  }
  known.insert(known.end(), called.begin(), called.end());
  known.insert(known.end(), others.begin(), others.end());
  return known;
}

Result<std::unique_ptr<LoadedModel>> ModelSearch::find(const Sha256& fingerprint, const std::string& name,
                                                       ThreadPool& pool) {
  const std::string wanted = to_hex(fingerprint);
  for (const ModelFile* file : by_likelihood(wanted, name)) {
    const Result<std::string> hashed = cache_.fingerprint(*file);
    if (!hashed.ok() || hashed.value() != wanted) continue;
    Result<std::unique_ptr<LoadedModel>> loaded = LoadedModel::open(file->path);
    if (!loaded.ok() && loaded.error().code == ErrorCode::kIo) continue;
    const Status prepared = loaded.ok() ? loaded.value()->load_weights(pool) : loaded.error();
    if (!prepared.ok() || loaded.value()->fingerprint() == fingerprint) {
      cache_.save();
      if (!prepared.ok()) return prepared.error();
      return loaded;
    }
    cache_.remember(*file, loaded.value()->fingerprint_hex());  // what the cache said was wrong
  }
  cache_.save();
  return model_error(where_looked());
}

std::string ModelSearch::where_looked() const {
  std::string folders;
  for (const std::string& folder : folders_) folders += (folders.empty() ? "" : ", ") + folder;
  if (folders.empty()) folders = "no folder";
  const std::size_t count = walk_.files().size();
  return "looked for it in " + folders + " (" + std::to_string(count) + " GGUF file" + (count == 1 ? "" : "s") +
         "): set TACIT_MODEL_PATH to the folder that has it, or give the file with -m";
}

std::vector<FoundModel> ModelSearch::named(const std::string& name, const FoundModel& builtin) {
  std::vector<FoundModel> models;
  for (const ModelFile& file : walk_.files()) {
    if (file.problem.empty() && is_called(file, name)) models.push_back(found(file));
  }
  if (!models.empty()) return models;
  if (builtin.name == name) models.push_back(builtin);
  for (const ModelFile& file : walk_.files()) {
    if (file.problem.empty() && describe(file).name == name) models.push_back(found(file));
  }
  return models;
}

std::vector<FoundModel> ModelSearch::with_prefix(const std::string& prefix, const FoundModel& builtin) {
  std::vector<FoundModel> models;
  if (prefix.size() < kPrefixDigitsMin || prefix.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return models;
  }
  if (builtin.fingerprint.starts_with(prefix)) models.push_back(builtin);
  for (const ModelFile& file : walk_.files()) {
    if (!file.problem.empty()) continue;
    const Result<std::string> fingerprint = cache_.fingerprint(file);
    if (fingerprint.ok() && fingerprint.value().starts_with(prefix)) models.push_back(found(file));
  }
  return models;
}

Result<FoundModel> ModelSearch::find_named(const std::string& name, const FoundModel& builtin) {
  std::vector<FoundModel> models = named(name, builtin);
  if (models.empty()) models = with_prefix(name, builtin);
  cache_.save();
  if (models.empty()) return model_error("no file and no model of that name; " + where_looked());
  keep_usable(models);
  for (const FoundModel& other : models) {
    if (other.fingerprint == models.front().fingerprint) continue;
    return model_error("several models are called so, " + shown(models.front()) + " and " + shown(other) +
                       ": name the file, or the beginning of the fingerprint");
  }
  return models.front();
}

}  // namespace tacit
