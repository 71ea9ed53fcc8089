// SPDX-License-Identifier: MIT
// A model as parts that a test changes one at a time: metadata and float tensors, from a file or made at random.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "gguf/gguf.h"
#include "support/gguf_writer.h"

namespace tacit::test {

using Setting = std::variant<std::uint32_t, float, bool, std::string, std::vector<std::uint32_t>>;

struct TensorPart {
  std::vector<std::uint64_t> shape;  // shape[0] is the row length
  std::vector<float> values;
};

struct ModelParts {
  std::string architecture;
  std::map<std::string, Setting> settings;  // by their names behind "<architecture>."
  std::map<std::string, TensorPart> tensors;

  // Numbers from -1 to 1 that depend on the name alone.
  void add_random(const std::string& name, const std::vector<std::uint64_t>& shape) {
    std::seed_seq seed(name.begin(), name.end());
    std::mt19937 random(seed);
    std::uint64_t count = 1;
    for (const std::uint64_t dimension : shape) count *= dimension;
    TensorPart part{shape, std::vector<float>(count)};
    for (float& value : part.values) value = static_cast<float>(random()) / 2147483648.0f - 1.0f;
    tensors[name] = std::move(part);
  }

  // Leaves out all layers but the first `count`.
  void keep_layers(std::uint32_t count) {
    settings["block_count"] = count;
    std::erase_if(tensors, [&](const auto& part) {
      return part.first.starts_with("blk.") && std::stoul(part.first.substr(4)) >= count;
    });
  }

  [[nodiscard]] ByteVector bytes() const {
    GgufWriter writer;
    writer.add("general.architecture", architecture);
    for (const auto& [name, setting] : settings) {
      std::visit([&, key = architecture + "." + name](const auto& value) { add(writer, key, value); }, setting);
    }
    for (const auto& [name, part] : tensors) {
      writer.add_tensor_of(name, gguf::TensorType::kF32, part.shape, part.values);
    }
    return writer.bytes();
  }

  // Of a file without arrays and with tensors of type F32 alone.
  static ModelParts of(const gguf::File& file) {
    ModelParts parts;
    parts.architecture = file.string("general.architecture").value();
    for (const std::string_view key : file.keys()) {
      if (!key.starts_with(parts.architecture + ".")) continue;
      const std::string name(key.substr(parts.architecture.size() + 1));
      const gguf::Value& value = *file.find(key);
      if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        parts.settings[name] = static_cast<std::uint32_t>(*number);
      } else if (const auto* real = std::get_if<double>(&value)) {
        parts.settings[name] = static_cast<float>(*real);
      } else if (const auto* text = std::get_if<std::string_view>(&value)) {
        parts.settings[name] = std::string(*text);
      } else {
        parts.settings[name] = std::get<bool>(value);
      }
    }
    for (const gguf::Tensor& tensor : file.tensors()) {
      TensorPart part{{tensor.shape.begin(), tensor.shape.begin() + tensor.dimension_count},
                      std::vector<float>(tensor.element_count())};
      std::memcpy(part.values.data(), tensor.data.data(), tensor.data.size());
      parts.tensors[std::string(tensor.name)] = std::move(part);
    }
    return parts;
  }

 private:
  template <class T>
  static void add(GgufWriter& writer, const std::string& key, const T& value) {
    writer.add(key, value);
  }
  static void add(GgufWriter& writer, const std::string& key, const std::vector<std::uint32_t>& values) {
    writer.add_array(key, values);
  }
};

}  // namespace tacit::test
