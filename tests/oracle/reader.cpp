// SPDX-License-Identifier: MIT
#include "oracle/reader.h"

#include <variant>

#include "oracle/decode.h"

namespace tacit::oracle {
namespace {

std::string text_of(std::initializer_list<std::size_t> shape) {
  std::string text = "[";
  for (const std::size_t dimension : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(dimension);
  return text + "]";
}

std::string text_of(const gguf::Tensor& tensor) {
  std::string text = "[";
  for (std::uint32_t i = 0; i < tensor.dimension_count; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(tensor.shape[i]);
  }
  return text + "]";
}

// Dimensions of 1 behind the last say nothing.
bool has_shape(const gguf::Tensor& tensor, std::initializer_list<std::size_t> shape) {
  decltype(tensor.shape) expected{1, 1, 1, 1};
  std::size_t i = 0;
  for (const std::size_t dimension : shape) expected[i++] = dimension;
  return tensor.shape == expected;
}

}  // namespace

Error Reader::mismatch(const std::string& what, const std::string& found, const std::string& expected) const {
  return model_error(file_.name() + ": " + what + ": found " + found + ", expected " + expected);
}

bool Reader::is_number(std::string_view name) const {
  const gguf::Value* value = file_.find(key(name));
  return value != nullptr && !std::holds_alternative<gguf::Array>(*value);
}

Result<std::size_t> Reader::count(std::string_view name, std::size_t maximum) const {
  TACIT_ASSIGN(const std::uint64_t value, file_.integer(key(name), 1, maximum));
  return std::size_t{value};
}

Result<std::size_t> Reader::count_or(std::string_view name, std::size_t fallback, std::size_t maximum) const {
  TACIT_ASSIGN(const std::uint64_t value, file_.integer_or(key(name), fallback, 0, maximum));
  return std::size_t{value};
}

Result<bool> Reader::boolean(std::string_view name) const {
  if (!has_key(name)) return mismatch(key(name), "nothing", "true or false");
  return file_.boolean_or(key(name), false);
}

Result<std::vector<std::size_t>> Reader::per_layer(std::string_view name, std::size_t layer_count,
                                                   std::size_t maximum) const {
  const gguf::Value* value = file_.find(key(name));
  if (value == nullptr) return std::vector<std::size_t>{};
  const auto* array = std::get_if<gguf::Array>(value);
  if (array == nullptr) {
    TACIT_ASSIGN(const std::uint64_t number, file_.integer(key(name), 0, maximum));
    return std::vector<std::size_t>(layer_count, number);
  }
  if (!array->is_integer() || array->count != layer_count) {
    return mismatch(key(name), "an array of " + std::to_string(array->count) + " values",
                    std::to_string(layer_count) + " integers, one a layer");
  }
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < layer_count; ++i) {
    const std::int64_t number = array->integer(i);
    if (number < 0 || static_cast<std::uint64_t>(number) > maximum) {
      return mismatch(key(name) + "[" + std::to_string(i) + "]", std::to_string(number),
                      "0 to " + std::to_string(maximum));
    }
    numbers.push_back(static_cast<std::size_t>(number));
  }
  return numbers;
}

Result<Vector> Reader::values(const std::string& name, std::initializer_list<std::size_t> shape) {
  const gguf::Tensor* tensor = find(name);
  if (tensor == nullptr) return model_error(file_.name() + ": tensor " + name + " is missing");
  if (!has_shape(*tensor, shape)) return mismatch("tensor " + name, text_of(*tensor), text_of(shape));
  used_.insert(name);
  Vector numbers(tensor->element_count());
  const std::size_t block_count = numbers.size() / tensor->type->block_elements;
  for (std::size_t i = 0; i < block_count; ++i) {
    const std::uint8_t* block = tensor->data.data() + i * tensor->type->block_bytes;
    if (!decode_block(tensor->type->type, block, numbers.data() + i * tensor->type->block_elements)) {
      return model_error(file_.name() + ": tensor " + name + " is of type " + std::string(tensor->type->name));
    }
  }
  return numbers;
}

Result<Vector> Reader::values_if(Presence presence, const std::string& name, std::initializer_list<std::size_t> shape) {
  if (presence == Presence::kNever || (presence == Presence::kMaybe && find(name) == nullptr)) return Vector{};
  return values(name, shape);
}

Result<Matrix> Reader::matrix(const std::string& name, std::size_t row_count, std::size_t column_count) {
  TACIT_ASSIGN(Vector numbers, values(name, {column_count, row_count}));
  return Matrix{row_count, column_count, std::move(numbers)};
}

Result<Linear> Reader::linear(const std::string& name, std::size_t output, std::size_t input, Presence bias) {
  Linear linear;
  TACIT_ASSIGN(linear.weight, matrix(name + ".weight", output, input));
  TACIT_ASSIGN(linear.bias, values_if(bias, name + ".bias", {output}));
  return linear;
}

Result<std::vector<Linear>> Reader::linears(const std::string& name, std::size_t count, std::size_t output,
                                            std::size_t input, Presence bias) {
  TACIT_ASSIGN(const Vector weights, values(name + ".weight", {input, output, count}));
  TACIT_ASSIGN(const Vector biases, values_if(bias, name + ".bias", {output, count}));
  const auto part = [](const Vector& all, std::size_t i, std::size_t size) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * size);
    return Vector(begin, begin + static_cast<std::ptrdiff_t>(size));
  };
  std::vector<Linear> layers;
  for (std::size_t i = 0; i < count; ++i) {
    layers.push_back({{output, input, part(weights, i, output * input)}, {}});
    if (!biases.empty()) layers.back().bias = part(biases, i, output);
  }
  return layers;
}

Status Reader::all_used() const {
  for (const gguf::Tensor& tensor : file_.tensors()) {
    if (!used_.contains(tensor.name)) {
      return model_error(file_.name() + ": tensor " + std::string(tensor.name) + " has no place in architecture " +
                         prefix_.substr(0, prefix_.size() - 1));
    }
  }
  return {};
}

}  // namespace tacit::oracle
