// SPDX-License-Identifier: MIT
// Reads metadata and tensors of one architecture: keys by their name behind "<architecture>.", tensors in float64 and
// of an expected shape. Errors (kModel) name file, key or tensor, what was found and what was expected.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"
#include "oracle/family.h"
#include "oracle/model.h"

namespace tacit::oracle {

class Reader {
 public:
  Reader(const gguf::File& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  // Keys. A count that must be there is at least 1.
  [[nodiscard]] bool has_key(std::string_view name) const { return file_.find(key(name)) != nullptr; }
  [[nodiscard]] bool is_number(std::string_view name) const;  // there, and no array
  [[nodiscard]] Result<std::size_t> count(std::string_view name, std::size_t maximum) const;
  [[nodiscard]] Result<std::size_t> count_or(std::string_view name, std::size_t fallback, std::size_t maximum) const;
  [[nodiscard]] Result<double> real(std::string_view name) const { return file_.real(key(name)); }
  [[nodiscard]] Result<double> real_or(std::string_view name, double fallback) const {
    return file_.real_or(key(name), fallback);
  }
  [[nodiscard]] Result<bool> boolean(std::string_view name) const;
  [[nodiscard]] Result<bool> boolean_or(std::string_view name, bool fallback) const {
    return file_.boolean_or(key(name), fallback);
  }
  [[nodiscard]] Result<std::string_view> string_or(std::string_view name, std::string_view fallback) const {
    return file_.string_or(key(name), fallback);
  }
  // One number for every layer: an array of them, or the same for all. Empty where the key is missing.
  [[nodiscard]] Result<std::vector<std::size_t>> per_layer(std::string_view name, std::size_t layer_count,
                                                           std::size_t maximum) const;

  // Tensors. `shape` is in the order of GGUF: the row length comes first.
  [[nodiscard]] const gguf::Tensor* find(const std::string& name) const { return file_.find_tensor(name); }
  [[nodiscard]] Result<Vector> values(const std::string& name, std::initializer_list<std::size_t> shape);
  [[nodiscard]] Result<Matrix> matrix(const std::string& name, std::size_t row_count, std::size_t column_count);
  // Empty where the tensor is missing and may be.
  [[nodiscard]] Result<Vector> values_if(Presence presence, const std::string& name,
                                         std::initializer_list<std::size_t> shape);
  // `name`.weight and `name`.bias.
  [[nodiscard]] Result<Linear> linear(const std::string& name, std::size_t output, std::size_t input, Presence bias);
  // `count` layers in one tensor each.
  [[nodiscard]] Result<std::vector<Linear>> linears(const std::string& name, std::size_t count, std::size_t output,
                                                    std::size_t input, Presence bias);

  // A tensor that the file may have and nothing reads.
  void skip(const std::string& name) { used_.insert(name); }
  // An error where a tensor was not asked for: it would be a part of the model that this reader does not know.
  [[nodiscard]] Status all_used() const;

  [[nodiscard]] std::string key(std::string_view name) const { return prefix_ + std::string(name); }
  [[nodiscard]] Error mismatch(const std::string& what, const std::string& found, const std::string& expected) const;

 private:
  const gguf::File& file_;
  std::string prefix_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace tacit::oracle
