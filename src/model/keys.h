// SPDX-License-Identifier: MIT
// Metadata of one architecture: the keys that begin with its name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"

namespace tacit {

// "FILE: FIELD: found FOUND, expected EXPECTED".
Error bad_model(const gguf::File& file, const std::string& field, const std::string& found,
                const std::string& expected);

class Keys {
 public:
  Keys(const gguf::File& file, const std::string& architecture) : file_(file), prefix_(architecture + ".") {}

  [[nodiscard]] std::string key(const char* name) const { return prefix_ + name; }
  [[nodiscard]] bool has(const char* name) const { return file_.find(key(name)) != nullptr; }

  // 1 to `maximum`; the second form 0 to `maximum`, and `fallback` where the key is missing.
  [[nodiscard]] Result<std::uint32_t> count(const char* name, std::uint32_t maximum) const;
  [[nodiscard]] Result<std::uint32_t> count_or(const char* name, std::uint32_t fallback, std::uint32_t maximum) const;
  // One number for all layers, or an array with one for each; 1 to `maximum`. Empty where the key is missing.
  [[nodiscard]] Result<std::vector<std::uint32_t>> per_layer(const char* name, std::uint32_t layer_count,
                                                             std::uint32_t maximum) const;
  [[nodiscard]] Result<double> real_or(const char* name, double fallback) const {
    return file_.real_or(key(name), fallback);
  }
  // The same, from kScaleMin to kScaleMax (0, which some converters write for "none", is `fallback`).
  [[nodiscard]] Result<double> positive_or(const char* name, double fallback) const;
  // Error where `value`, which the key has, is none of those.
  [[nodiscard]] Status check_scale(const char* name, double value) const;

 private:
  const gguf::File& file_;
  std::string prefix_;
};

}  // namespace tacit
