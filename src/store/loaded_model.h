// SPDX-License-Identifier: MIT
// A model file with all that is made of it once: tokenizer, weights, fingerprint. The latter two read all of the file,
// and wait until they are asked for.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/result.h"
#include "engine/cpu/packed_weights.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

namespace tacit {

// All tensors of one type in a file.
struct TensorTypeSum {
  std::string name;  // "Q8_0"
  std::uint64_t tensor_count = 0;
  std::uint64_t parameter_count = 0;
  std::uint64_t bytes = 0;
};

// general.name, or where the file has none its own. Errors: kModel where it is no string.
Result<std::string> model_name(const gguf::File& file);

struct LoadedModel {
  std::string name;  // general.name, or the file's name
  std::uint64_t file_bytes = 0;
  std::uint64_t parameter_count = 0;
  std::vector<TensorTypeSum> tensor_types;  // those present, most bytes first
  std::string tokenizer_model;  // tokenizer.ggml.model, or ""
  Model model;
  // Null where the file has no usable tokenizer, and why: such a model computes logits, but codes no text.
  std::unique_ptr<Tokenizer> tokenizer;
  std::string tokenizer_error;
  std::optional<MappedFile> mapping;  // absent for the built-in model

  // `bytes` must outlive the result. Errors: kModel, but for those of load_weights().
  static Result<std::unique_ptr<LoadedModel>> load(ByteSpan bytes, const std::string& file_name);
  // Errors: kIo, kModel.
  static Result<std::unique_ptr<LoadedModel>> open(const std::string& path);

  // Packs the weights and hashes the file meanwhile. The first call does it, others wait and get the same answer.
  // Errors: kModel where a weight is not finite.
  [[nodiscard]] Status load_weights(ThreadPool& pool) const;
  // After load_weights().
  [[nodiscard]] const PackedWeights& weights() const { return *weights_; }
  // SHA-256 of the file, computed when first asked for.
  [[nodiscard]] const Sha256& fingerprint() const;
  [[nodiscard]] const std::string& fingerprint_hex() const;

  // Error kModel where there is no tokenizer.
  [[nodiscard]] Status require_tokenizer() const;

 private:
  void release(ByteSpan part) const;

  ByteSpan bytes_;
  mutable std::once_flag loaded_;
  mutable Status load_status_;
  mutable std::optional<PackedWeights> weights_;
  mutable std::once_flag hashed_;
  mutable Sha256 fingerprint_{};
  mutable std::string fingerprint_hex_;
};

}  // namespace tacit
