// SPDX-License-Identifier: MIT
// Reader of GGUF model files (versions 2 and 3, little endian), which are untrusted: every count, length, offset and
// type is checked against base/limits.h and the file's size before it is used. Knows the container, not what the
// metadata mean. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace tacit::gguf {

// Numbers as in the file.
enum class ValueType : std::uint32_t {
  kUint8 = 0, kInt8 = 1, kUint16 = 2, kInt16 = 3, kUint32 = 4, kInt32 = 5, kFloat32 = 6,
  kBool = 7, kString = 8, kArray = 9, kUint64 = 10, kInt64 = 11, kFloat64 = 12,
};

// Element types of tensors (ggml_type), numbers as in the file. The gaps are types that were removed from the format.
enum class TensorType : std::uint32_t {
  kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ5_0 = 6, kQ5_1 = 7, kQ8_0 = 8, kQ8_1 = 9,
  kQ2_K = 10, kQ3_K = 11, kQ4_K = 12, kQ5_K = 13, kQ6_K = 14, kQ8_K = 15,
  kIQ2_XXS = 16, kIQ2_XS = 17, kIQ3_XXS = 18, kIQ1_S = 19, kIQ4_NL = 20, kIQ3_S = 21, kIQ2_S = 22, kIQ4_XS = 23,
  kI8 = 24, kI16 = 25, kI32 = 26, kI64 = 27, kF64 = 28, kIQ1_M = 29, kBF16 = 30,
  kTQ1_0 = 34, kTQ2_0 = 35, kMXFP4 = 39, kNVFP4 = 40,
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;         // "Q8_0"
  std::uint32_t block_elements;  // elements that share one block; a row is a whole number of blocks
  std::uint32_t block_bytes;
};

// nullptr for a number that is no type.
const TensorTypeInfo* find_tensor_type(std::uint32_t number);

struct Array;
// Integers widen to 64 bits and floats to double, exactly. Strings are views into the file, not checked for UTF-8.
using Value = std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, Array>;

// An array of the file. Numbers stay where they are and are read by `number` or `real`; strings are views.
struct Array {
  ValueType element_type = ValueType::kUint8;
  std::uint64_t count = 0;
  ByteSpan elements;                       // count * size bytes; empty for strings and nested arrays
  std::vector<std::string_view> strings;   // kString only
  std::vector<Array> arrays;               // kArray only

  // Element `index` < count as an integer (kUint8..kInt64, kBool) or a float (any numeric type).
  [[nodiscard]] std::int64_t integer(std::uint64_t index) const;
  [[nodiscard]] double real(std::uint64_t index) const;
  [[nodiscard]] bool is_integer() const;
  [[nodiscard]] bool is_numeric() const;
};

struct Tensor {
  std::string_view name;
  const TensorTypeInfo* type = nullptr;
  std::uint32_t dimension_count = 0;
  std::array<std::uint64_t, limits::kGgufDimensionsMax> shape{1, 1, 1, 1};  // shape[0] is the row length (ggml's ne)
  ByteSpan data;  // element_count / block_elements * block_bytes bytes, aligned as the file says

  [[nodiscard]] std::uint64_t element_count() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
  [[nodiscard]] std::size_t row_bytes() const { return shape[0] / type->block_elements * type->block_bytes; }
};

// A parsed file. Views and spans point into the bytes it was parsed from, which must outlive it.
class File {
 public:
  // `name` is used in error messages only. Errors: kModel, "NAME: offset N: FIELD: found X, expected Y".
  static Result<File> parse(ByteSpan bytes, std::string name);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint32_t version() const { return version_; }
  [[nodiscard]] std::span<const Tensor> tensors() const { return tensors_; }
  [[nodiscard]] const Tensor* find_tensor(std::string_view name) const;
  // Keys in file order.
  [[nodiscard]] std::span<const std::string_view> keys() const { return keys_; }
  [[nodiscard]] const Value* find(std::string_view key) const;

  // Typed look-ups. Missing key: `fallback`, or an error where there is none. A value of another kind, or out of
  // [minimum, maximum], is an error (kModel) naming file, key, found and expected. Integers accept any integer type
  // (and floats do not); reals accept any numeric type; NaN and infinity are errors.
  [[nodiscard]] Result<std::uint64_t> integer(std::string_view key, std::uint64_t minimum, std::uint64_t maximum) const;
  [[nodiscard]] Result<std::uint64_t> integer_or(std::string_view key, std::uint64_t fallback, std::uint64_t minimum,
                                                 std::uint64_t maximum) const;
  [[nodiscard]] Result<double> real(std::string_view key) const;
  [[nodiscard]] Result<double> real_or(std::string_view key, double fallback) const;
  [[nodiscard]] Result<bool> boolean_or(std::string_view key, bool fallback) const;
  [[nodiscard]] Result<std::string_view> string(std::string_view key) const;
  [[nodiscard]] Result<std::string_view> string_or(std::string_view key, std::string_view fallback) const;
  // nullptr where the key is missing.
  [[nodiscard]] Result<const Array*> array(std::string_view key, ValueType element_type) const;

 private:
  friend class Parser;  // parser.cpp fills a File

  std::string name_;
  std::uint32_t version_ = 0;
  std::vector<std::string_view> keys_;
  std::unordered_map<std::string_view, Value> values_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace tacit::gguf
