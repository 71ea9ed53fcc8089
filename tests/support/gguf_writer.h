// SPDX-License-Identifier: MIT
// Builds small GGUF files in memory for tests: metadata of every type and tensors of any type and shape. Writes what
// it is told, so that a test can also build files that a reader must refuse; `patch` changes the bytes afterwards.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "gguf/gguf.h"

namespace tacit::test {

template <class T>
constexpr gguf::ValueType value_type_of() {
  using gguf::ValueType;
  if constexpr (std::is_same_v<T, std::uint8_t>) return ValueType::kUint8;
  if constexpr (std::is_same_v<T, std::int8_t>) return ValueType::kInt8;
  if constexpr (std::is_same_v<T, std::uint16_t>) return ValueType::kUint16;
  if constexpr (std::is_same_v<T, std::int16_t>) return ValueType::kInt16;
  if constexpr (std::is_same_v<T, std::uint32_t>) return ValueType::kUint32;
  if constexpr (std::is_same_v<T, std::int32_t>) return ValueType::kInt32;
  if constexpr (std::is_same_v<T, std::uint64_t>) return ValueType::kUint64;
  if constexpr (std::is_same_v<T, std::int64_t>) return ValueType::kInt64;
  if constexpr (std::is_same_v<T, float>) return ValueType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return ValueType::kFloat64;
  if constexpr (std::is_same_v<T, bool>) return ValueType::kBool;
  if constexpr (std::is_convertible_v<T, std::string_view>) return ValueType::kString;
}

class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t version = 3) : version_(version) {}

  // One of the eleven plain types, by the C++ type of `value`; anything that converts to string_view is a string.
  template <class T>
  GgufWriter& add(std::string_view key, const T& value) {
    ByteVector bytes;
    append_element(bytes, value);
    return add_raw(key, static_cast<std::uint32_t>(value_type_of<T>()), bytes);
  }

  template <class T>
  GgufWriter& add_array(std::string_view key, const std::vector<T>& values) {
    return add_raw(key, static_cast<std::uint32_t>(gguf::ValueType::kArray), array_bytes(values));
  }

  // A value of any type number with its bytes as given: nested arrays, and things that are wrong.
  GgufWriter& add_raw(std::string_view key, std::uint32_t type, ByteSpan bytes) {
    append_text(metadata_, key);
    append_value(metadata_, type);
    append_bytes(metadata_, bytes);
    ++metadata_count_;
    return *this;
  }

  // Sets general.alignment and follows it. Comes before the first tensor.
  GgufWriter& set_alignment(std::uint32_t alignment) {
    assert(descriptions_.empty());
    alignment_ = alignment;
    return add("general.alignment", alignment);
  }

  // `shape[0]` is the row length. The data follow the last tensor's, padded to the alignment in between.
  GgufWriter& add_tensor(std::string_view name, gguf::TensorType type, const std::vector<std::uint64_t>& shape,
                         ByteSpan data) {
    pad(data_);
    append_text(descriptions_, name);
    append_value(descriptions_, static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t dimension : shape) append_value(descriptions_, dimension);
    append_value(descriptions_, static_cast<std::uint32_t>(type));
    append_value(descriptions_, static_cast<std::uint64_t>(data_.size()));
    append_bytes(data_, data);
    ++tensor_count_;
    return *this;
  }

  template <class T>
  GgufWriter& add_tensor_of(std::string_view name, gguf::TensorType type, const std::vector<std::uint64_t>& shape,
                            const std::vector<T>& elements) {
    return add_tensor(name, type, shape,
                      {reinterpret_cast<const std::uint8_t*>(elements.data()), elements.size() * sizeof(T)});
  }

  [[nodiscard]] ByteVector bytes() const {
    ByteVector file;
    append_bytes(file, as_bytes("GGUF"));
    append_value(file, version_);
    append_value(file, tensor_count_);
    append_value(file, metadata_count_);
    append_bytes(file, metadata_);
    append_bytes(file, descriptions_);
    if (tensor_count_ != 0) pad(file);
    append_bytes(file, data_);
    return file;
  }

  // The bytes of an array value: element type, count, elements.
  template <class T>
  static ByteVector array_bytes(const std::vector<T>& values) {
    ByteVector bytes;
    append_value(bytes, static_cast<std::uint32_t>(value_type_of<T>()));
    append_value(bytes, static_cast<std::uint64_t>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) append_element(bytes, static_cast<T>(values[i]));
    return bytes;
  }

 private:
  template <class T>
  static void append_element(ByteVector& out, const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out.push_back(value ? 1 : 0);
    } else if constexpr (std::is_arithmetic_v<T>) {
      append_value(out, value);
    } else {
      append_text(out, value);
    }
  }

  static void append_text(ByteVector& out, std::string_view text) {
    append_value(out, static_cast<std::uint64_t>(text.size()));
    append_bytes(out, as_bytes(text));
  }

  void pad(ByteVector& out) const { out.resize((out.size() + alignment_ - 1) / alignment_ * alignment_); }

  std::uint32_t version_;
  std::size_t alignment_ = 32;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t metadata_count_ = 0;
  ByteVector metadata_;
  ByteVector descriptions_;
  ByteVector data_;
};

// Overwrites the bytes at `offset` with those of `value`.
template <class T>
requires std::is_arithmetic_v<T>
void patch(ByteVector& file, std::size_t offset, T value) {
  assert(offset + sizeof(T) <= file.size());
  std::memcpy(file.data() + offset, &value, sizeof(T));
}

// Where `text` first stands in `file`.
inline std::size_t offset_of(const ByteVector& file, std::string_view text) {
  const auto found = std::search(file.begin(), file.end(), text.begin(), text.end());
  assert(found != file.end());
  return static_cast<std::size_t>(found - file.begin());
}

// The offset just behind it.
inline std::size_t offset_after(const ByteVector& file, std::string_view text) {
  return offset_of(file, text) + text.size();
}

}  // namespace tacit::test
