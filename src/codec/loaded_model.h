// SPDX-License-Identifier: MIT
// A model file with all that is made of it once: fingerprint, weights, tokenizer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/result.h"
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
  Sha256 fingerprint{};
  std::string fingerprint_hex;
  std::uint64_t file_bytes = 0;
  std::uint64_t parameter_count = 0;
  std::vector<TensorTypeSum> tensor_types;  // those present, most bytes first
  std::string tokenizer_model;  // tokenizer.ggml.model, or ""
  Model model;
  // Null where the file has no usable tokenizer, and why: such a model computes logits, but codes no text.
  std::unique_ptr<Tokenizer> tokenizer;
  std::string tokenizer_error;
  std::optional<MappedFile> mapping;  // absent for the built-in model

  // `bytes` must outlive the result. Errors: kModel.
  static Result<std::unique_ptr<LoadedModel>> load(ByteSpan bytes, const std::string& file_name);
  // Errors: kIo, kModel.
  static Result<std::unique_ptr<LoadedModel>> open(const std::string& path);

  // Error kModel where there is no tokenizer.
  [[nodiscard]] Status require_tokenizer() const;
  // Strips that a block is cut into unless told otherwise: so many that the caches of their lanes take as much memory
  // as the weights, from 8 to 32, and no more than limits::kCacheBytesMax in all. With fewer, weights are read too often; with more,
  // caches are (docs/decisions/0003).
  [[nodiscard]] std::uint32_t default_lane_count(std::uint32_t window) const;
};

}  // namespace tacit
