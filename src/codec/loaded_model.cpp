// SPDX-License-Identifier: MIT
#include "codec/loaded_model.h"

#include <algorithm>

#include "base/limits.h"
#include "codec/lockstep.h"

namespace tacit {
namespace {

constexpr std::uint64_t kDefaultLanesMin = 8;
constexpr std::uint64_t kDefaultLanesMax = 32;

std::string base_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

Status load_tokenizer(const gguf::File& file, LoadedModel& loaded) {
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::load(file);
  if (!tokenizer.ok()) {
    loaded.tokenizer_error = tokenizer.error().message;
    return {};
  }
  const std::uint32_t vocabulary = tokenizer.value()->vocabulary_size();
  if (vocabulary > loaded.model.config.vocabulary_size) {
    return model_error(file.name() + ": tokenizer.ggml.tokens: found " + std::to_string(vocabulary) +
                       " tokens, expected at most the " + std::to_string(loaded.model.config.vocabulary_size) +
                       " rows of token_embd.weight");
  }
  loaded.tokenizer = std::move(tokenizer).value();
  return {};
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(ByteSpan bytes, const std::string& file_name) {
  auto loaded = std::make_unique<LoadedModel>();
  TACIT_ASSIGN(const gguf::File file, gguf::File::parse(bytes, file_name));
  TACIT_ASSIGN(loaded->model, Model::load(file));
  TACIT_TRY(load_tokenizer(file, *loaded));
  TACIT_ASSIGN(const std::string_view name, file.string_or("general.name", ""));
  loaded->name = (name.empty() ? base_name(file_name) : std::string(name)).substr(0, limits::kModelNameBytesMax);
  loaded->fingerprint = sha256(bytes);
  loaded->fingerprint_hex = to_hex(loaded->fingerprint);
  loaded->file_bytes = bytes.size();
  for (const gguf::Tensor& tensor : file.tensors()) loaded->parameter_count += tensor.element_count();
  return loaded;
}

Result<std::unique_ptr<LoadedModel>> LoadedModel::open(const std::string& path) {
  TACIT_ASSIGN(MappedFile mapping, MappedFile::open(path));
  TACIT_ASSIGN(std::unique_ptr<LoadedModel> loaded, load(mapping.bytes(), path));
  loaded->mapping = std::move(mapping);
  return loaded;
}

Status LoadedModel::require_tokenizer() const {
  if (tokenizer != nullptr) return {};
  return model_error(tokenizer_error);
}

std::uint32_t LoadedModel::default_lane_count(std::uint32_t window) const {
  const std::uint64_t lane_bytes = Lockstep::lane_bytes(model.config, window);
  const std::uint64_t count = std::clamp(file_bytes / lane_bytes, kDefaultLanesMin, kDefaultLanesMax);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(limits::kCacheBytesMax / lane_bytes, 1, count));
}

}  // namespace tacit
