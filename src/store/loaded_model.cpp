// SPDX-License-Identifier: MIT
#include "store/loaded_model.h"

#include <algorithm>
#include <functional>
#include <span>

#include "base/limits.h"

namespace tacit {
namespace {

std::string base_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

Status load_tokenizer(const gguf::File& file, LoadedModel& loaded) {
  if (const Result<std::string_view> model = file.string_or("tokenizer.ggml.model", ""); model.ok()) {
    loaded.tokenizer_model = model.value();
  }
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

std::vector<TensorTypeSum> sum_tensor_types(std::span<const gguf::Tensor> tensors) {
  std::vector<TensorTypeSum> sums;
  for (const gguf::Tensor& tensor : tensors) {
    auto sum = std::ranges::find(sums, tensor.type->name, &TensorTypeSum::name);
    if (sum == sums.end()) sum = sums.insert(sum, TensorTypeSum{.name = std::string(tensor.type->name)});
    ++sum->tensor_count;
    sum->parameter_count += tensor.element_count();
    sum->bytes += tensor.data.size();
  }
  std::ranges::stable_sort(sums, std::greater<>(), &TensorTypeSum::bytes);
  return sums;
}

}  // namespace

Result<std::string> model_name(const gguf::File& file) {
  TACIT_ASSIGN(const std::string_view name, file.string_or("general.name", ""));
  return (name.empty() ? base_name(file.name()) : std::string(name)).substr(0, limits::kModelNameBytesMax);
}

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(ByteSpan bytes, const std::string& file_name) {
  auto loaded = std::make_unique<LoadedModel>();
  TACIT_ASSIGN(const gguf::File file, gguf::File::parse(bytes, file_name));
  TACIT_ASSIGN(loaded->model, Model::load(file));
  TACIT_TRY(load_tokenizer(file, *loaded));
  TACIT_ASSIGN(loaded->name, model_name(file));
  loaded->bytes_ = bytes;
  loaded->file_bytes = bytes.size();
  loaded->tensor_types = sum_tensor_types(file.tensors());
  for (const TensorTypeSum& sum : loaded->tensor_types) loaded->parameter_count += sum.parameter_count;
  return loaded;
}

Result<std::unique_ptr<LoadedModel>> LoadedModel::open(const std::string& path) {
  TACIT_ASSIGN(MappedFile mapping, MappedFile::open(path));
  TACIT_ASSIGN(std::unique_ptr<LoadedModel> loaded, load(mapping.bytes(), path));
  loaded->mapping = std::move(mapping);
  return loaded;
}

Status LoadedModel::load_weights(ThreadPool& pool) const {
  std::call_once(loaded_, [&] {
    const PackedWeights::Hooks hooks{.concurrent_task = [this] { static_cast<void>(fingerprint()); },
                                     .on_consumed = [this](ByteSpan part) { release(part); }};
    Result<PackedWeights> packed = PackedWeights::pack(model.weights, pool, hooks);
    if (packed.ok()) {
      weights_ = std::move(packed).value();
    } else {
      load_status_ = packed.error();
    }
    release(bytes_);
  });
  return load_status_;
}

const Sha256& LoadedModel::fingerprint() const {
  std::call_once(hashed_, [this] {
    fingerprint_ = sha256(bytes_, [this](ByteSpan part) { release(part); });
    fingerprint_hex_ = to_hex(fingerprint_);
  });
  return fingerprint_;
}

const std::string& LoadedModel::fingerprint_hex() const {
  static_cast<void>(fingerprint());
  return fingerprint_hex_;
}

// What is read again later, rows of the embedding, is little. (The weights are packed: the file would be there twice.)
void LoadedModel::release(ByteSpan part) const {
  if (mapping.has_value()) mapping->release(part);
}

Status LoadedModel::require_tokenizer() const {
  if (tokenizer != nullptr) return {};
  return model_error(tokenizer_error);
}

}  // namespace tacit
