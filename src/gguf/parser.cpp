// SPDX-License-Identifier: MIT
// From untrusted bytes to a gguf::File. One pass in file order: header, metadata, tensor descriptions, tensor data.
// Every count is held against its limit and against the bytes that are left before anything is allocated for it.
#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>
#include <numeric>
#include <utility>

#include "base/printable.h"
#include "gguf/gguf.h"

namespace tacit::gguf {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint64_t kDefaultAlignment = 32;

// The least that one of each takes in a file; with it, a count can be refused before it is believed.
constexpr std::uint64_t kStringBytesMin = 8;                      // length
constexpr std::uint64_t kArrayBytesMin = 4 + 8;                   // element type, count
constexpr std::uint64_t kMetadataBytesMin = 8 + 1 + 4 + 1;        // key of one byte, value type, value of one byte
constexpr std::uint64_t kTensorBytesMin = 8 + 1 + 4 + 8 + 4 + 8;  // name of one byte, dimensions, type, data offset

// Bytes of a value in the file, at least. 0: no such type.
std::uint64_t value_bytes_min(ValueType type) {
  switch (type) {
    case ValueType::kUint8:
    case ValueType::kInt8:
    case ValueType::kBool:
      return 1;
    case ValueType::kUint16:
    case ValueType::kInt16:
      return 2;
    case ValueType::kUint32:
    case ValueType::kInt32:
    case ValueType::kFloat32:
      return 4;
    case ValueType::kUint64:
    case ValueType::kInt64:
    case ValueType::kFloat64:
      return 8;
    case ValueType::kString:
      return kStringBytesMin;
    case ValueType::kArray:
      return kArrayBytesMin;
  }
  return 0;
}

std::string at_most(std::uint64_t limit) { return "at most " + std::to_string(limit); }

// False where the product does not fit in 64 bits.
bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return false;
  product = a * b;
  return true;
}

}  // namespace

class Parser {
 public:
  Parser(ByteSpan bytes, std::string name) : bytes_(bytes), reader_(bytes) { file_.name_ = std::move(name); }

  Result<File> parse() {
    TACIT_TRY(read_header());
    TACIT_TRY(read_metadata());
    TACIT_TRY(read_alignment());
    TACIT_TRY(read_tensor_descriptions());
    TACIT_TRY(locate_tensor_data());
    return std::move(file_);
  }

 private:
  // Where a tensor's data are, as the file claims. `field_offset` is where it claims so, for error messages.
  struct Extent {
    std::size_t field_offset;
    std::uint64_t begin;  // from the start of the data section
    std::uint64_t size;
  };

  // The message names `field` of what is being read: of a metadata entry, of a tensor, or of the file itself.
  [[nodiscard]] Error error(std::size_t offset, std::string_view field, std::string_view found,
                            std::string_view expected) const {
    std::string message = file_.name_ + ": offset " + std::to_string(offset) + ": ";
    if (!subject_.empty()) message += subject_ + ' ';
    message.append(field).append(": found ").append(found).append(", expected ").append(expected);
    return model_error(std::move(message));
  }

  template <class T>
  Status read(std::string_view field, T& value) {
    if (reader_.read(value)) return {};
    return error(reader_.offset(), field, std::to_string(reader_.remaining()) + " bytes before the end of the file",
                 std::to_string(sizeof(T)));
  }

  // A count of things that take at least `bytes_each` and may be `limit` many.
  Status read_count(std::string_view field, std::uint64_t limit, std::uint64_t bytes_each, std::uint64_t& count) {
    const std::size_t offset = reader_.offset();
    TACIT_TRY(read(field, count));
    if (count > limit) return error(offset, field, std::to_string(count), at_most(limit));
    if (const std::uint64_t room = reader_.remaining() / bytes_each; count > room) {
      return error(offset, field, std::to_string(count), at_most(room) + ", which is all that the file has bytes for");
    }
    return {};
  }

  Status read_string(std::string_view field, std::uint64_t limit, std::string_view& text) {
    std::uint64_t length = 0;
    TACIT_TRY(read_count(field, limit, 1, length));
    text = as_text(take(length));
    return {};
  }

  // The name of a key or tensor: a string that is not empty.
  Status read_name(std::string_view field, std::string_view& name) {
    const std::size_t offset = reader_.offset();
    TACIT_TRY(read_string(field, limits::kGgufNameBytesMax, name));
    if (name.empty()) return error(offset, field, "0", "at least 1");
    return {};
  }

  // The next `count` bytes, which are known to be there.
  ByteSpan take(std::uint64_t count) {
    ByteSpan bytes;
    [[maybe_unused]] const bool there = reader_.read_span(count, bytes);
    assert(there);
    return bytes;
  }

  Status read_header() {
    if (const ByteSpan start = bytes_.first(std::min(bytes_.size(), kMagic.size())); as_text(start) != kMagic) {
      return error(0, "magic", printable_quoted(as_text(start)), printable_quoted(kMagic));
    }
    take(kMagic.size());
    TACIT_TRY(read("version", file_.version_));
    TACIT_TRY(check_version());
    const std::size_t tensor_count_offset = reader_.offset();
    TACIT_TRY(read_count("tensor count", limits::kGgufTensorCountMax, kTensorBytesMin, tensor_count_));
    TACIT_TRY(read_count("metadata count", limits::kGgufMetadataCountMax, kMetadataBytesMin, metadata_count_));
    // Both together must fit as well, or the second half of a hostile file would be counted twice.
    const std::uint64_t left = reader_.remaining() - metadata_count_ * kMetadataBytesMin;
    if (const std::uint64_t room = left / kTensorBytesMin; tensor_count_ > room) {
      return error(tensor_count_offset, "tensor count", std::to_string(tensor_count_),
                   at_most(room) + ", which is all that the file has bytes for");
    }
    return {};
  }

  [[nodiscard]] Status check_version() const {
    constexpr std::size_t kVersionOffset = 4;
    const std::uint32_t version = file_.version_;
    if (version == 2 || version == 3) return {};
    if (version == 1) {
      return error(kVersionOffset, "version", "1 (an early form with 32-bit lengths)",
                   "2 or 3; convert the model again");
    }
    if ((version & 0xffffff) == 0 && version != 0) {
      return error(kVersionOffset, "version", std::to_string(version >> 24) + " in big-endian byte order",
                   "2 or 3 in little-endian byte order; convert the model for a little-endian machine");
    }
    return error(kVersionOffset, "version", std::to_string(version), "2 or 3");
  }

  Status read_metadata() {
    file_.keys_.reserve(metadata_count_);
    file_.values_.reserve(metadata_count_);
    for (std::uint64_t i = 0; i < metadata_count_; ++i) {
      subject_ = "metadata entry " + std::to_string(i);
      TACIT_TRY(read_metadata_entry());
    }
    subject_.clear();
    return {};
  }

  Status read_metadata_entry() {
    const std::size_t offset = reader_.offset();
    std::string_view key;
    TACIT_TRY(read_name("key length", key));
    if (file_.values_.contains(key)) return error(offset, "key", "a second " + printable_quoted(key), "each key once");
    subject_ = "metadata " + printable_quoted(key);
    if (key == "general.alignment") alignment_offset_ = reader_.offset();
    ValueType type{};
    TACIT_TRY(read_value_type("value type", type));
    TACIT_ASSIGN(Value value, read_value(type));
    file_.keys_.push_back(key);
    file_.values_.emplace(key, std::move(value));
    return {};
  }

  Status read_value_type(std::string_view field, ValueType& type) {
    const std::size_t offset = reader_.offset();
    std::uint32_t number = 0;
    TACIT_TRY(read(field, number));
    type = static_cast<ValueType>(number);
    if (value_bytes_min(type) == 0) return error(offset, field, std::to_string(number), "0 to 12");
    return {};
  }

  Result<Value> read_value(ValueType type) {
    switch (type) {
      case ValueType::kUint8:
        return read_number<std::uint8_t, std::uint64_t>();
      case ValueType::kUint16:
        return read_number<std::uint16_t, std::uint64_t>();
      case ValueType::kUint32:
        return read_number<std::uint32_t, std::uint64_t>();
      case ValueType::kUint64:
        return read_number<std::uint64_t, std::uint64_t>();
      case ValueType::kInt8:
        return read_number<std::int8_t, std::int64_t>();
      case ValueType::kInt16:
        return read_number<std::int16_t, std::int64_t>();
      case ValueType::kInt32:
        return read_number<std::int32_t, std::int64_t>();
      case ValueType::kInt64:
        return read_number<std::int64_t, std::int64_t>();
      case ValueType::kFloat32:
        return read_number<float, double>();
      case ValueType::kFloat64:
        return read_number<double, double>();
      case ValueType::kBool:
        return read_boolean();
      case ValueType::kString:
        return read_text();
      case ValueType::kArray:
        break;
    }
    TACIT_ASSIGN(Array array, read_array(1));
    return Value(std::move(array));
  }

  template <class Stored, class Widened>
  Result<Value> read_number() {
    Stored number{};
    TACIT_TRY(read("value", number));
    return Value(static_cast<Widened>(number));
  }

  Result<Value> read_boolean() {
    const std::size_t offset = reader_.offset();
    std::uint8_t byte = 0;
    TACIT_TRY(read("value", byte));
    TACIT_TRY(check_boolean(offset, "value", byte));
    return Value(byte == 1);
  }

  [[nodiscard]] Status check_boolean(std::size_t offset, std::string_view field, std::uint8_t byte) const {
    if (byte <= 1) return {};
    return error(offset, field, std::to_string(byte), "0 or 1, as the type is bool");
  }

  Result<Value> read_text() {
    std::string_view text;
    TACIT_TRY(read_string("string length", limits::kGgufStringBytesMax, text));
    return Value(text);
  }

  // `depth` is 1 for an array that is a value, 2 for an array in it.
  Result<Array> read_array(std::uint32_t depth) {
    Array array;
    const std::size_t offset = reader_.offset();
    TACIT_TRY(read_value_type("array element type", array.element_type));
    if (array.element_type == ValueType::kArray && depth >= limits::kGgufArrayDepthMax) {
      return error(offset, "array depth", std::to_string(depth + 1), at_most(limits::kGgufArrayDepthMax));
    }
    const std::uint64_t bytes_each = value_bytes_min(array.element_type);
    TACIT_TRY(read_count("array count", limits::kGgufArrayLengthMax, bytes_each, array.count));
    if (array.element_type == ValueType::kString) {
      TACIT_TRY(read_string_elements(array));
    } else if (array.element_type == ValueType::kArray) {
      TACIT_TRY(read_array_elements(depth, array));
    } else {
      TACIT_TRY(read_plain_elements(bytes_each, array));
    }
    return array;
  }

  Status read_string_elements(Array& array) {
    array.strings.resize(array.count);
    for (std::string_view& text : array.strings) {
      TACIT_TRY(read_string("array string length", limits::kGgufStringBytesMax, text));
    }
    return {};
  }

  Status read_array_elements(std::uint32_t depth, Array& array) {
    array.arrays.reserve(array.count);
    for (std::uint64_t i = 0; i < array.count; ++i) {
      TACIT_ASSIGN(Array inner, read_array(depth + 1));
      array.arrays.push_back(std::move(inner));
    }
    return {};
  }

  Status read_plain_elements(std::uint64_t bytes_each, Array& array) {
    const std::size_t offset = reader_.offset();
    array.elements = take(array.count * bytes_each);
    if (array.element_type != ValueType::kBool) return {};
    for (std::size_t i = 0; i < array.elements.size(); ++i) {
      TACIT_TRY(check_boolean(offset + i, "array element", array.elements[i]));
    }
    return {};
  }

  Status read_alignment() {
    const Value* value = file_.find("general.alignment");
    if (value == nullptr) return {};
    subject_ = "metadata \"general.alignment\"";
    const std::uint32_t type = load_unaligned<std::uint32_t>(bytes_.data() + alignment_offset_);
    if (static_cast<ValueType>(type) != ValueType::kUint32) {
      return error(alignment_offset_, "value type", std::to_string(type), "4 (uint32)");
    }
    alignment_ = std::get<std::uint64_t>(*value);
    if (!std::has_single_bit(alignment_) || alignment_ > limits::kGgufAlignmentMax) {
      return error(alignment_offset_ + 4, "value", std::to_string(alignment_),
                   "a power of two, " + at_most(limits::kGgufAlignmentMax));
    }
    subject_.clear();
    return {};
  }

  Status read_tensor_descriptions() {
    file_.tensors_.reserve(tensor_count_);
    file_.tensor_index_.reserve(tensor_count_);
    extents_.reserve(tensor_count_);
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      subject_ = "tensor " + std::to_string(i);
      TACIT_TRY(read_tensor_description());
    }
    subject_.clear();
    return {};
  }

  Status read_tensor_description() {
    const std::size_t offset = reader_.offset();
    Tensor tensor;
    TACIT_TRY(read_name("name length", tensor.name));
    if (!file_.tensor_index_.emplace(tensor.name, file_.tensors_.size()).second) {
      return error(offset, "name", "a second " + printable_quoted(tensor.name), "each name once");
    }
    subject_ = "tensor " + printable_quoted(tensor.name);
    const std::size_t shape_offset = reader_.offset();
    TACIT_TRY(read_shape(tensor));
    TACIT_TRY(read_tensor_type(tensor));
    Extent extent{};
    TACIT_TRY(measure(tensor, shape_offset, extent.size));
    extent.field_offset = reader_.offset();
    TACIT_TRY(read("data offset", extent.begin));
    if (extent.begin % alignment_ != 0) {
      return error(extent.field_offset, "data offset", std::to_string(extent.begin),
                   "a multiple of " + std::to_string(alignment_));
    }
    file_.tensors_.push_back(tensor);
    extents_.push_back(extent);
    return {};
  }

  Status read_shape(Tensor& tensor) {
    const std::size_t offset = reader_.offset();
    TACIT_TRY(read("dimension count", tensor.dimension_count));
    if (tensor.dimension_count < 1 || tensor.dimension_count > limits::kGgufDimensionsMax) {
      return error(offset, "dimension count", std::to_string(tensor.dimension_count),
                   "1 to " + std::to_string(limits::kGgufDimensionsMax));
    }
    for (std::uint32_t i = 0; i < tensor.dimension_count; ++i) {
      const std::string field = "dimension " + std::to_string(i);
      const std::size_t dimension_offset = reader_.offset();
      TACIT_TRY(read(field, tensor.shape[i]));
      if (tensor.shape[i] == 0) return error(dimension_offset, field, "0", "at least 1");
    }
    return {};
  }

  Status read_tensor_type(Tensor& tensor) {
    const std::size_t offset = reader_.offset();
    std::uint32_t number = 0;
    TACIT_TRY(read("type", number));
    tensor.type = find_tensor_type(number);
    if (tensor.type == nullptr)
      return error(offset, "type", std::to_string(number), "the number of a known tensor type");
    return {};
  }

  // The bytes that the tensor's data take.
  [[nodiscard]] Status measure(const Tensor& tensor, std::size_t shape_offset, std::uint64_t& size) const {
    const TensorTypeInfo& type = *tensor.type;
    if (tensor.shape[0] % type.block_elements != 0) {
      return error(shape_offset + 4, "dimension 0", std::to_string(tensor.shape[0]),
                   "a multiple of " + std::to_string(type.block_elements) + ", the block of " + std::string(type.name));
    }
    std::uint64_t element_count = 1;
    for (const std::uint64_t dimension : tensor.shape) {
      if (!multiply(element_count, dimension, element_count)) {
        return error(shape_offset, "shape", shape_text(tensor), "an element count below 2^64");
      }
    }
    if (!multiply(element_count / type.block_elements, type.block_bytes, size)) {
      return error(shape_offset, "shape", shape_text(tensor), "a size below 2^64 bytes");
    }
    return {};
  }

  static std::string shape_text(const Tensor& tensor) {
    std::string text = "[";
    for (std::uint32_t i = 0; i < tensor.dimension_count; ++i) {
      text += (i == 0 ? "" : ", ") + std::to_string(tensor.shape[i]);
    }
    return text + "]";
  }

  // The data section starts at the next multiple of the alignment; a file without tensors may end before it.
  Status locate_tensor_data() {
    const std::uint64_t start = (reader_.offset() + alignment_ - 1) / alignment_ * alignment_;
    const std::uint64_t section_size = start < bytes_.size() ? bytes_.size() - start : 0;
    for (std::size_t i = 0; i < extents_.size(); ++i) {
      const Extent& extent = extents_[i];
      Tensor& tensor = file_.tensors_[i];
      subject_ = "tensor " + printable_quoted(tensor.name);
      if (extent.begin > section_size) {
        return error(extent.field_offset, "data offset", std::to_string(extent.begin),
                     at_most(section_size) + ", the size of the data section");
      }
      if (const std::uint64_t room = section_size - extent.begin; extent.size > room) {
        return error(
            extent.field_offset, "data size", std::to_string(extent.size),
            at_most(room) + ", the bytes from data offset " + std::to_string(extent.begin) + " to the end of the file");
      }
      tensor.data = bytes_.subspan(start + extent.begin, extent.size);
    }
    return check_apart();
  }

  // Tensors that share bytes would let a small file claim a model of any size.
  [[nodiscard]] Status check_apart() {
    std::vector<std::size_t> order(extents_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [this](std::size_t i) { return extents_[i].begin; });
    for (std::size_t i = 1; i < order.size(); ++i) {
      const Extent& before = extents_[order[i - 1]];
      const Extent& extent = extents_[order[i]];
      if (extent.begin - before.begin >= before.size) continue;
      subject_ = "tensor " + printable_quoted(file_.tensors_[order[i]].name);
      return error(extent.field_offset, "data offset", std::to_string(extent.begin),
                   "at least " + std::to_string(before.begin + before.size) + ", behind the data of " +
                       printable_quoted(file_.tensors_[order[i - 1]].name));
    }
    return {};
  }

  ByteSpan bytes_;
  ByteReader reader_;
  File file_;
  std::string subject_;  // what is being read, for error messages
  std::uint64_t tensor_count_ = 0;
  std::uint64_t metadata_count_ = 0;
  std::uint64_t alignment_ = kDefaultAlignment;
  std::size_t alignment_offset_ = 0;  // of the type of general.alignment
  std::vector<Extent> extents_;
};

Result<File> File::parse(ByteSpan bytes, std::string name) { return Parser(bytes, std::move(name)).parse(); }

}  // namespace tacit::gguf
