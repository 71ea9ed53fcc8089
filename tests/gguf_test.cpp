// SPDX-License-Identifier: MIT
// The GGUF reader reads every type of metadata and tensor as it was written, refuses whatever does not fit the format
// or its limits with a message that says where and why, and survives any bytes.
#include "gguf/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>

#include "base/file.h"
#include "support/gguf_touch.h"
#include "support/gguf_writer.h"
#include "support/shared_data.h"

namespace tacit {
namespace {

using gguf::Array;
using gguf::File;
using gguf::TensorType;
using gguf::ValueType;
using test::GgufWriter;
using test::offset_after;
using test::offset_of;
using test::patch;

constexpr std::size_t kVersionOffset = 4;
constexpr std::size_t kTensorCountOffset = 8;
constexpr std::size_t kMetadataCountOffset = 16;
constexpr std::size_t kHeaderBytes = 24;
constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

// Parses what must parse. The bytes outlive the file.
class Parsed {
 public:
  explicit Parsed(ByteVector bytes) : bytes_(std::move(bytes)), file_(File::parse(bytes_, "t.gguf")) {
    EXPECT_TRUE(file_.ok()) << (file_.ok() ? "" : file_.error().message);
  }
  const File* operator->() const { return &file_.value(); }
  const File& operator*() const { return file_.value(); }

 private:
  ByteVector bytes_;
  Result<File> file_;
};

struct Rejection {
  std::size_t offset;
  std::string field, found, expected;
};

void expect_rejected(const ByteVector& bytes, const Rejection& why) {
  const auto file = File::parse(bytes, "t.gguf");
  ASSERT_FALSE(file.ok()) << "accepted, though " << why.field << " is " << why.found;
  EXPECT_EQ(file.error().code, ErrorCode::kModel);
  EXPECT_EQ(file.error().message, "t.gguf: offset " + std::to_string(why.offset) + ": " + why.field + ": found " +
                                      why.found + ", expected " + why.expected);
}

template <class T>
void expect_error(const Result<T>& result, const std::string& message) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kModel);
  EXPECT_EQ(result.error().message, "t.gguf: " + message);
}

template <class T>
const T& value_at(const File& file, std::string_view key) {
  return std::get<T>(*file.find(key));
}

// One metadata entry of each type, arrays of each, nested arrays, and tensors of three kinds.
ByteVector varied_file() {
  GgufWriter writer;
  writer.set_alignment(16).add("text", "a template").add("bool", true).add("u64", std::uint64_t{7}).add("f32", 0.5f);
  writer.add("u8", std::uint8_t{1}).add("i8", std::int8_t{-1}).add("u16", std::uint16_t{2}).add("f64", -0.25);
  writer.add_array<std::string>("strings", {"one", "", "three"}).add_array<bool>("bools", {true, false});
  writer.add_array<std::int32_t>("i32s", {-1, 2}).add_array<float>("floats", {1.5f, -2.5f});
  ByteVector nested;
  append_value(nested, static_cast<std::uint32_t>(ValueType::kArray));
  append_value(nested, std::uint64_t{2});
  append_bytes(nested, GgufWriter::array_bytes<std::uint16_t>({3, 4, 5}));
  append_bytes(nested, GgufWriter::array_bytes<std::string>({"x"}));
  writer.add_raw("nested", static_cast<std::uint32_t>(ValueType::kArray), nested);
  writer.add_tensor_of<float>("floats.weight", TensorType::kF32, {3, 2}, {1, 2, 3, 4, 5, 6});
  writer.add_tensor("blocks.weight", TensorType::kQ8_0, {32, 2}, ByteVector(68, 9));
  writer.add_tensor("bytes", TensorType::kI8, {5}, ByteVector{1, 2, 3, 4, 5});
  return writer.bytes();
}

// A file with one F32 tensor [4, 2] called "w", for patching.
ByteVector one_tensor_file() {
  return GgufWriter().add_tensor_of<float>("w", TensorType::kF32, {4, 2}, std::vector<float>(8, 1.0f)).bytes();
}

// Where the parts of that tensor's description are.
constexpr std::size_t kNameLength = kHeaderBytes, kDimensionCount = kNameLength + 9, kDimension0 = kDimensionCount + 4;
constexpr std::size_t kDimension1 = kDimension0 + 8, kType = kDimension1 + 8, kDataOffset = kType + 4;

template <class T>
ByteVector patched(ByteVector bytes, std::size_t offset, T value) {
  patch(bytes, offset, value);
  return bytes;
}

// A copy of its own, so that a sanitizer sees a read past its end.
ByteVector prefix(const ByteVector& bytes, std::size_t size) { return {bytes.data(), bytes.data() + size}; }

TEST(GgufReader, ReadsAnEmptyFileOfVersions2And3) {
  for (const std::uint32_t version : {2u, 3u}) {
    const Parsed file(GgufWriter(version).bytes());
    EXPECT_EQ(file->version(), version);
    EXPECT_EQ(file->name(), "t.gguf");
    EXPECT_TRUE(file->keys().empty());
    EXPECT_TRUE(file->tensors().empty());
  }
}

TEST(GgufReader, WidensEveryPlainTypeExactly) {
  GgufWriter writer;
  writer.add("u8", std::uint8_t{255}).add("i8", std::int8_t{-128}).add("u16", std::uint16_t{65535});
  writer.add("i16", std::int16_t{-32768}).add("u32", std::uint32_t{4294967295u}).add("u64", kHuge);
  writer.add("i32", std::numeric_limits<std::int32_t>::min()).add("i64", std::numeric_limits<std::int64_t>::min());
  writer.add("f32", 0.1f).add("f64", 0.1).add("yes", true).add("no", false).add("text", "b\xc3\xa9");
  const Parsed file(writer.bytes());
  EXPECT_EQ(value_at<std::uint64_t>(*file, "u8"), 255u);
  EXPECT_EQ(value_at<std::uint64_t>(*file, "u16"), 65535u);
  EXPECT_EQ(value_at<std::uint64_t>(*file, "u32"), 4294967295u);
  EXPECT_EQ(value_at<std::uint64_t>(*file, "u64"), kHuge);
  EXPECT_EQ(value_at<std::int64_t>(*file, "i8"), -128);
  EXPECT_EQ(value_at<std::int64_t>(*file, "i16"), -32768);
  EXPECT_EQ(value_at<std::int64_t>(*file, "i32"), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(value_at<std::int64_t>(*file, "i64"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(value_at<double>(*file, "f32"), static_cast<double>(0.1f));
  EXPECT_EQ(value_at<double>(*file, "f64"), 0.1);
  EXPECT_TRUE(value_at<bool>(*file, "yes"));
  EXPECT_FALSE(value_at<bool>(*file, "no"));
  EXPECT_EQ(value_at<std::string_view>(*file, "text"), "b\xc3\xa9");
  EXPECT_EQ(file->find("missing"), nullptr);
}

template <class T>
void expect_integer_array_survives() {
  const std::vector<T> values = {0, 1, std::numeric_limits<T>::min(),
                                 static_cast<T>(std::numeric_limits<T>::max() / 2)};
  const Parsed file(GgufWriter().add_array("a", values).bytes());
  const Array& array = value_at<Array>(*file, "a");
  EXPECT_EQ(array.element_type, test::value_type_of<T>());
  EXPECT_TRUE(array.is_integer());
  EXPECT_TRUE(array.is_numeric());
  ASSERT_EQ(array.count, values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(array.integer(i), static_cast<std::int64_t>(values[i]));
    EXPECT_EQ(array.real(i), static_cast<double>(values[i]));
  }
}

TEST(GgufReader, ReadsArraysOfEveryIntegerType) {
  expect_integer_array_survives<std::uint8_t>();
  expect_integer_array_survives<std::int8_t>();
  expect_integer_array_survives<std::uint16_t>();
  expect_integer_array_survives<std::int16_t>();
  expect_integer_array_survives<std::uint32_t>();
  expect_integer_array_survives<std::int32_t>();
  expect_integer_array_survives<std::uint64_t>();
  expect_integer_array_survives<std::int64_t>();
}

TEST(GgufReader, ReadsUint64ElementsAboveInt64AsReal) {
  const Parsed file(GgufWriter().add_array<std::uint64_t>("a", {kHuge}).bytes());
  EXPECT_EQ(value_at<Array>(*file, "a").real(0), 18446744073709551616.0);
}

TEST(GgufReader, ReadsArraysOfFloatsBoolsAndStrings) {
  GgufWriter writer;
  writer.add_array<float>("f32", {0.1f, -2}).add_array<double>("f64", {0.1}).add_array<bool>("bools", {true, false});
  writer.add_array<std::string>("strings", {"a", "", "ccc"}).add_array<std::string>("none", {});
  const Parsed file(writer.bytes());
  const Array& floats = value_at<Array>(*file, "f32");
  EXPECT_FALSE(floats.is_integer());
  EXPECT_TRUE(floats.is_numeric());
  EXPECT_EQ(floats.real(0), static_cast<double>(0.1f));
  EXPECT_EQ(floats.real(1), -2.0);
  EXPECT_EQ(value_at<Array>(*file, "f64").real(0), 0.1);
  const Array& bools = value_at<Array>(*file, "bools");
  EXPECT_FALSE(bools.is_numeric());
  EXPECT_EQ(bools.integer(0), 1);
  EXPECT_EQ(bools.integer(1), 0);
  const Array& strings = value_at<Array>(*file, "strings");
  EXPECT_FALSE(strings.is_numeric());
  EXPECT_EQ(strings.count, 3u);
  EXPECT_EQ(strings.strings, (std::vector<std::string_view>{"a", "", "ccc"}));
  EXPECT_EQ(value_at<Array>(*file, "none").count, 0u);
}

TEST(GgufReader, ReadsNestedArrays) {
  const Parsed file(varied_file());
  const Array& nested = value_at<Array>(*file, "nested");
  EXPECT_EQ(nested.element_type, ValueType::kArray);
  ASSERT_EQ(nested.arrays.size(), 2u);
  EXPECT_EQ(nested.arrays[0].integer(2), 5);
  EXPECT_EQ(nested.arrays[1].strings, (std::vector<std::string_view>{"x"}));
}

TEST(GgufReader, KeepsKeysInFileOrder) {
  GgufWriter writer;
  for (const char* key : {"z", "a", "m", "b"}) writer.add(key, 1.0f);
  const Parsed file(writer.bytes());
  const std::vector<std::string_view> keys(file->keys().begin(), file->keys().end());
  EXPECT_EQ(keys, (std::vector<std::string_view>{"z", "a", "m", "b"}));
}

TEST(GgufReader, KnowsTheBlockOfEveryTensorType) {
  struct Expected {
    std::uint32_t number;
    const char* name;
    std::uint32_t block_elements, block_bytes;
  };
  constexpr Expected kTypes[] = {
      {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
      {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
      {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
      {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
      {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
      {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
      {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
      {40, "NVFP4", 64, 36},
  };
  std::size_t known_count = 0;
  for (std::uint32_t number = 0; number < 256; ++number) known_count += gguf::find_tensor_type(number) != nullptr;
  EXPECT_EQ(known_count, std::size(kTypes));
  for (const Expected& expected : kTypes) {
    SCOPED_TRACE(expected.name);
    const gguf::TensorTypeInfo* type = gguf::find_tensor_type(expected.number);
    ASSERT_NE(type, nullptr);
    EXPECT_EQ(type->name, expected.name);
    EXPECT_EQ(type->block_elements, expected.block_elements);
    EXPECT_EQ(type->block_bytes, expected.block_bytes);
    GgufWriter writer;
    writer.add_tensor("w", type->type, {2ull * type->block_elements, 3}, ByteVector(6ull * type->block_bytes, 5));
    const Parsed file(writer.bytes());
    EXPECT_EQ(file->find_tensor("w")->data.size(), 6ull * type->block_bytes);
  }
}

TEST(GgufReader, GivesEveryTensorItsShapeAndBytes) {
  const Parsed file(varied_file());
  ASSERT_EQ(file->tensors().size(), 3u);
  const gguf::Tensor& floats = *file->find_tensor("floats.weight");
  EXPECT_EQ(floats.name, "floats.weight");
  EXPECT_EQ(floats.type->type, TensorType::kF32);
  EXPECT_EQ(floats.dimension_count, 2u);
  EXPECT_EQ(floats.shape, (std::array<std::uint64_t, 4>{3, 2, 1, 1}));
  EXPECT_EQ(floats.element_count(), 6u);
  ASSERT_EQ(floats.data.size(), 24u);
  EXPECT_EQ(load_unaligned<float>(floats.data.data() + 20), 6.0f);
  const gguf::Tensor& blocks = *file->find_tensor("blocks.weight");
  EXPECT_EQ(blocks.data.size(), 68u);
  EXPECT_EQ(test::touch(blocks.data), 68u * 9u);
  EXPECT_EQ(test::touch(file->find_tensor("bytes")->data), 15u);
  EXPECT_EQ(file->find_tensor("missing"), nullptr);
}

TEST(GgufReader, StartsTensorDataAtTheStatedAlignment) {
  for (const std::uint32_t alignment : {1u, 8u, 64u, 4096u}) {
    GgufWriter writer;
    writer.set_alignment(alignment).add_tensor("a", TensorType::kI8, {3}, ByteVector{1, 2, 3});
    writer.add_tensor("b", TensorType::kI8, {2}, ByteVector{4, 5});
    const Parsed file(writer.bytes());
    EXPECT_EQ(test::touch(file->find_tensor("a")->data), 6u);
    EXPECT_EQ(test::touch(file->find_tensor("b")->data), 9u);
    const auto gap = file->find_tensor("b")->data.data() - file->find_tensor("a")->data.data();
    EXPECT_EQ(gap, static_cast<std::ptrdiff_t>(std::max(alignment, 3u)));
  }
}

TEST(GgufReader, AcceptsOneToFourDimensions) {
  std::vector<std::uint64_t> shape;
  for (const std::uint64_t dimension : {2, 3, 1, 2}) {
    shape.push_back(dimension);
    std::uint64_t count = 1;
    for (const std::uint64_t d : shape) count *= d;
    const Parsed file(GgufWriter().add_tensor("w", TensorType::kI8, shape, ByteVector(count)).bytes());
    EXPECT_EQ(file->tensors()[0].dimension_count, shape.size());
    EXPECT_EQ(file->tensors()[0].element_count(), count);
  }
}

TEST(GgufReader, RejectsAnotherMagic) {
  expect_rejected({}, {0, "magic", "\"\"", "\"GGUF\""});
  expect_rejected({'G', 'G'}, {0, "magic", "\"GG\"", "\"GGUF\""});
  expect_rejected({'g', 'g', 'm', 0x7f, 1, 2}, {0, "magic", "\"ggm\\x7f\"", "\"GGUF\""});
}

TEST(GgufReader, RejectsOtherVersionsAndSaysWhy) {
  expect_rejected(GgufWriter(1).bytes(), {kVersionOffset, "version", "1 (an early form with 32-bit lengths)",
                                          "2 or 3; convert the model again"});
  expect_rejected(GgufWriter(0x03000000).bytes(),
                  {kVersionOffset, "version", "3 in big-endian byte order",
                   "2 or 3 in little-endian byte order; convert the model for a little-endian machine"});
  expect_rejected(GgufWriter(4).bytes(), {kVersionOffset, "version", "4", "2 or 3"});
  expect_rejected(GgufWriter(0).bytes(), {kVersionOffset, "version", "0", "2 or 3"});
  expect_rejected(GgufWriter(65536).bytes(), {kVersionOffset, "version", "65536", "2 or 3"});
}

TEST(GgufReader, RejectsCountsAboveTheLimit) {
  expect_rejected(patched(GgufWriter().bytes(), kTensorCountOffset, kHuge),
                  {kTensorCountOffset, "tensor count", std::to_string(kHuge), "at most 100000"});
  expect_rejected(patched(GgufWriter().bytes(), kMetadataCountOffset, std::uint64_t{100'001}),
                  {kMetadataCountOffset, "metadata count", "100001", "at most 100000"});
}

TEST(GgufReader, RejectsCountsThatTheFileHasNoBytesFor) {
  const std::string room = ", which is all that the file has bytes for";
  expect_rejected(patched(GgufWriter().bytes(), kTensorCountOffset, std::uint64_t{1}),
                  {kTensorCountOffset, "tensor count", "1", "at most 0" + room});
  expect_rejected(patched(GgufWriter().bytes(), kMetadataCountOffset, std::uint64_t{1}),
                  {kMetadataCountOffset, "metadata count", "1", "at most 0" + room});
  ByteVector both = GgufWriter().add("k", std::string(66, ' ')).bytes();
  patch(both, kTensorCountOffset, std::uint64_t{3});
  expect_rejected(both, {kTensorCountOffset, "tensor count", "3", "at most 2" + room});
}

TEST(GgufReader, RejectsKeysThatAreEmptyTooLongOrPastTheEnd) {
  const ByteVector file = GgufWriter().add("key", 1.0f).bytes();
  const std::string field = "metadata entry 0 key length";
  expect_rejected(patched(file, kHeaderBytes, std::uint64_t{0}), {kHeaderBytes, field, "0", "at least 1"});
  expect_rejected(patched(file, kHeaderBytes, std::uint64_t{65537}), {kHeaderBytes, field, "65537", "at most 65536"});
  expect_rejected(patched(file, kHeaderBytes, std::uint64_t{12}),
                  {kHeaderBytes, field, "12", "at most 11, which is all that the file has bytes for"});
}

TEST(GgufReader, RejectsDuplicateKeys) {
  const ByteVector file = GgufWriter().add("key", 1.0f).add("key", 2.0f).bytes();
  expect_rejected(file, {kHeaderBytes + 19, "metadata entry 1 key", "a second \"key\"", "each key once"});
}

TEST(GgufReader, RejectsUnknownValueTypes) {
  const ByteVector file = GgufWriter().add_raw("key", 13, ByteVector(8)).bytes();
  expect_rejected(file, {offset_after(file, "key"), "metadata \"key\" value type", "13", "0 to 12"});
  ByteVector array;
  append_value(array, std::uint32_t{99});
  append_value(array, std::uint64_t{0});
  const ByteVector with_array = GgufWriter().add_raw("key", 9, array).bytes();
  expect_rejected(with_array,
                  {offset_after(with_array, "key") + 4, "metadata \"key\" array element type", "99", "0 to 12"});
}

TEST(GgufReader, RejectsBoolsOtherThanZeroAndOne) {
  const ByteVector one = GgufWriter().add_raw("key", 7, ByteVector{2}).bytes();
  expect_rejected(one, {one.size() - 1, "metadata \"key\" value", "2", "0 or 1, as the type is bool"});
  ByteVector many = GgufWriter().add_array<bool>("key", {true, false, true}).bytes();
  many[many.size() - 2] = 255;
  expect_rejected(many, {many.size() - 2, "metadata \"key\" array element", "255", "0 or 1, as the type is bool"});
}

TEST(GgufReader, RejectsStringsTooLongOrPastTheEnd) {
  const ByteVector file = GgufWriter().add("key", "text").bytes();
  const std::size_t length = offset_of(file, "text") - 8;
  const std::string field = "metadata \"key\" string length";
  expect_rejected(patched(file, length, kHuge), {length, field, std::to_string(kHuge), "at most 67108864"});
  expect_rejected(patched(file, length, std::uint64_t{5}),
                  {length, field, "5", "at most 4, which is all that the file has bytes for"});
}

TEST(GgufReader, RejectsArraysTooLongOrPastTheEnd) {
  const std::string field = "metadata \"key\" array count";
  const ByteVector numbers = GgufWriter().add_array<std::uint64_t>("key", {1, 2}).bytes();
  const std::size_t count = offset_after(numbers, "key") + 8;
  expect_rejected(patched(numbers, count, kHuge), {count, field, std::to_string(kHuge), "at most 16777216"});
  expect_rejected(patched(numbers, count, std::uint64_t{3}),
                  {count, field, "3", "at most 2, which is all that the file has bytes for"});
}

TEST(GgufReader, RejectsStringArraysBeforeAllocatingForThem) {
  const ByteVector file = GgufWriter().add_array<std::string>("key", {"abcd", "efghi"}).bytes();
  const std::size_t count = offset_after(file, "key") + 8;
  expect_rejected(
      patched(file, count, std::uint64_t{16'000'000}),
      {count, "metadata \"key\" array count", "16000000", "at most 3, which is all that the file has bytes for"});
  const std::size_t second_length = offset_of(file, "efghi") - 8;
  expect_rejected(patched(file, second_length, std::uint64_t{6}),
                  {second_length, "metadata \"key\" array string length", "6",
                   "at most 5, which is all that the file has bytes for"});
}

// An array of one array of ... of one uint8, `depth` arrays in all.
ByteVector nested_array(std::uint32_t depth) {
  ByteVector bytes;
  for (std::uint32_t i = 1; i < depth; ++i) {
    append_value(bytes, static_cast<std::uint32_t>(ValueType::kArray));
    append_value(bytes, std::uint64_t{1});
  }
  append_bytes(bytes, GgufWriter::array_bytes<std::uint8_t>({42}));
  return bytes;
}

TEST(GgufReader, RejectsArraysNestedTooDeep) {
  const Parsed deepest(GgufWriter().add_raw("key", 9, nested_array(4)).bytes());
  EXPECT_EQ(value_at<Array>(*deepest, "key").arrays[0].arrays[0].arrays[0].integer(0), 42);
  const ByteVector deeper = GgufWriter().add_raw("key", 9, nested_array(5)).bytes();
  expect_rejected(deeper, {offset_after(deeper, "key") + 4 + 3 * 12, "metadata \"key\" array depth", "5", "at most 4"});
}

TEST(GgufReader, RejectsNestedArraysThatTheFileHasNoBytesFor) {
  const ByteVector file = GgufWriter().add_raw("key", 9, nested_array(2)).bytes();
  const std::size_t count = offset_after(file, "key") + 8;
  expect_rejected(patched(file, count, std::uint64_t{2}),
                  {count, "metadata \"key\" array count", "2", "at most 1, which is all that the file has bytes for"});
}

TEST(GgufReader, RejectsValuesCutOffByTheEnd) {
  const ByteVector file = GgufWriter().add("key", std::uint64_t{1}).bytes();
  const std::size_t value = file.size() - 8;
  expect_rejected(prefix(file, value + 3),
                  {value, "metadata \"key\" value", "3 bytes before the end of the file", "8"});
}

TEST(GgufReader, EscapesHostileNamesInMessages) {
  const ByteVector file = GgufWriter().add_raw("\x1b[2J\"" + std::string(100, 'a'), 13, ByteVector(8)).bytes();
  expect_rejected(file, {kHeaderBytes + 8 + 105, "metadata \"\\x1b[2J\\x22" + std::string(59, 'a') + "...\" value type",
                         "13", "0 to 12"});
}

TEST(GgufReader, RejectsBadAlignment) {
  const std::string field = "metadata \"general.alignment\" ";
  for (const std::uint32_t alignment : {0u, 24u, 2'097'152u}) {
    const ByteVector file = GgufWriter().add("general.alignment", alignment).bytes();
    expect_rejected(file, {offset_after(file, "general.alignment") + 4, field + "value", std::to_string(alignment),
                           "a power of two, at most 1048576"});
  }
  const ByteVector wide = GgufWriter().add("general.alignment", std::uint64_t{32}).bytes();
  expect_rejected(wide, {offset_after(wide, "general.alignment"), field + "value type", "10", "4 (uint32)"});
}

TEST(GgufReader, RejectsTensorNamesThatAreEmptyTooLongOrPastTheEnd) {
  const ByteVector file = one_tensor_file();
  const std::string field = "tensor 0 name length";
  expect_rejected(patched(file, kNameLength, std::uint64_t{0}), {kNameLength, field, "0", "at least 1"});
  expect_rejected(patched(file, kNameLength, std::uint64_t{65537}), {kNameLength, field, "65537", "at most 65536"});
  const std::string rest = std::to_string(file.size() - kNameLength - 8);
  expect_rejected(patched(file, kNameLength, std::uint64_t{1000}),
                  {kNameLength, field, "1000", "at most " + rest + ", which is all that the file has bytes for"});
}

TEST(GgufReader, RejectsDuplicateTensorNames) {
  GgufWriter writer;
  writer.add_tensor("w", TensorType::kI8, {1}, ByteVector{1}).add_tensor("w", TensorType::kI8, {1}, ByteVector{2});
  expect_rejected(writer.bytes(), {kHeaderBytes + 33, "tensor 1 name", "a second \"w\"", "each name once"});
}

TEST(GgufReader, RejectsDimensionCountsOtherThanOneToFour) {
  for (const std::uint32_t count : {0u, 5u, 4294967295u}) {
    expect_rejected(patched(one_tensor_file(), kDimensionCount, count),
                    {kDimensionCount, "tensor \"w\" dimension count", std::to_string(count), "1 to 4"});
  }
}

TEST(GgufReader, RejectsZeroDimensions) {
  expect_rejected(patched(one_tensor_file(), kDimension1, std::uint64_t{0}),
                  {kDimension1, "tensor \"w\" dimension 1", "0", "at least 1"});
}

TEST(GgufReader, RejectsUnknownTensorTypes) {
  for (const std::uint32_t type : {4u, 5u, 31u, 33u, 36u, 38u, 41u, 4294967295u}) {
    expect_rejected(patched(one_tensor_file(), kType, type),
                    {kType, "tensor \"w\" type", std::to_string(type), "the number of a known tensor type"});
  }
}

TEST(GgufReader, RejectsElementCountsThatOverflow) {
  const ByteVector file = patched(one_tensor_file(), kDimension0, std::uint64_t{1} << 63);
  expect_rejected(file,
                  {kDimensionCount, "tensor \"w\" shape", "[9223372036854775808, 2]", "an element count below 2^64"});
}

TEST(GgufReader, RejectsSizesThatOverflow) {
  const ByteVector file = patched(one_tensor_file(), kDimension0, std::uint64_t{1} << 61);
  expect_rejected(file, {kDimensionCount, "tensor \"w\" shape", "[2305843009213693952, 2]", "a size below 2^64 bytes"});
}

TEST(GgufReader, RejectsRowsThatAreNotWholeBlocks) {
  expect_rejected(patched(one_tensor_file(), kType, static_cast<std::uint32_t>(TensorType::kQ8_0)),
                  {kDimension0, "tensor \"w\" dimension 0", "4", "a multiple of 32, the block of Q8_0"});
}

TEST(GgufReader, RejectsUnalignedTensorOffsets) {
  expect_rejected(patched(one_tensor_file(), kDataOffset, std::uint64_t{16}),
                  {kDataOffset, "tensor \"w\" data offset", "16", "a multiple of 32"});
}

TEST(GgufReader, RejectsTensorsThatStartPastTheEnd) {
  const std::uint64_t last = kHuge - 31;
  expect_rejected(
      patched(one_tensor_file(), kDataOffset, last),
      {kDataOffset, "tensor \"w\" data offset", std::to_string(last), "at most 32, the size of the data section"});
}

TEST(GgufReader, RejectsTensorsThatEndPastTheEnd) {
  expect_rejected(
      patched(one_tensor_file(), kDimension1, std::uint64_t{3}),
      {kDataOffset, "tensor \"w\" data size", "48", "at most 32, the bytes from data offset 0 to the end of the file"});
  expect_rejected(
      patched(one_tensor_file(), kDataOffset, std::uint64_t{32}),
      {kDataOffset, "tensor \"w\" data size", "32", "at most 0, the bytes from data offset 32 to the end of the file"});
}

TEST(GgufReader, RejectsTensorsThatShareBytes) {
  const std::vector<float> values(16, 1.0f);
  ByteVector file = GgufWriter()
                        .add_tensor_of("a", TensorType::kF32, {16}, values)
                        .add_tensor_of("b", TensorType::kF32, {16}, values)
                        .bytes();
  EXPECT_TRUE(File::parse(file, "two").ok());
  const std::size_t offset = offset_after(file, "b") + 4 + 8 + 4;
  patch(file, offset, std::uint64_t{32});
  expect_rejected(file, {offset, "tensor \"b\" data offset", "32", "at least 64, behind the data of \"a\""});
  patch(file, offset, std::uint64_t{0});
  expect_rejected(file, {offset, "tensor \"b\" data offset", "0", "at least 64, behind the data of \"a\""});
}

TEST(GgufReader, RejectsEveryTruncation) {
  const ByteVector whole = varied_file();
  const Parsed file(whole);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(File::parse(prefix(whole, size), "t.gguf").ok())
        << "of " << whole.size() << " bytes, " << size << " were accepted";
  }
}

TEST(GgufReader, SurvivesEveryByteInEveryPlace) {
  const ByteVector whole = varied_file();
  std::uint64_t accepted_count = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    ByteVector bytes = whole;
    for (int flip = 1; flip < 256; ++flip) {
      bytes[i] = static_cast<std::uint8_t>(whole[i] ^ flip);
      const auto file = File::parse(bytes, "t.gguf");
      if (!file.ok()) continue;
      test::touch_everything(file.value());
      ++accepted_count;
    }
  }
  EXPECT_GT(accepted_count, 0u);  // a changed value or weight is a valid file
}

TEST(GgufReader, ParsesTheConformanceKit) {
  TACIT_NEEDS_SHARED("conformance");
  std::size_t file_count = 0;
  for (const char* folder : {"conformance/models", "conformance/quants", "conformance/vocab"}) {
    for (const auto& path : test::shared_files(folder, ".gguf")) {
      const auto mapped = MappedFile::open(path.string());
      ASSERT_TRUE(mapped.ok()) << mapped.error().message;
      const auto file = File::parse(mapped.value().bytes(), path.string());
      ASSERT_TRUE(file.ok()) << file.error().message;
      EXPECT_TRUE(file.value().string("general.architecture").ok());
      test::touch_everything(file.value());
      ++file_count;
    }
  }
  EXPECT_GT(file_count, 0u);
}

TEST(GgufLookup, ReadsIntegersOfEveryTypeWithinBounds) {
  GgufWriter writer;
  writer.add("u8", std::uint8_t{10}).add("i64", std::int64_t{10}).add("u64", kHuge).add("minus", std::int32_t{-3});
  writer.add("float", 10.0f).add("bool", true).add("text", "10").add_array<std::int32_t>("array", {10});
  const Parsed file(writer.bytes());
  EXPECT_EQ(file->integer("u8", 0, 10).value(), 10u);
  EXPECT_EQ(file->integer("i64", 10, 10).value(), 10u);
  EXPECT_EQ(file->integer("u64", 0, kHuge).value(), kHuge);
  const std::string expected = ", expected an integer from 1 to 9";
  expect_error(file->integer("u8", 1, 9), "metadata \"u8\": found 10" + expected);
  expect_error(file->integer("minus", 1, 9), "metadata \"minus\": found -3" + expected);
  expect_error(file->integer("float", 1, 9), "metadata \"float\": found the float 10" + expected);
  expect_error(file->integer("bool", 1, 9), "metadata \"bool\": found the bool true" + expected);
  expect_error(file->integer("text", 1, 9), "metadata \"text\": found a string" + expected);
  expect_error(file->integer("array", 1, 9), "metadata \"array\": found an array of int32" + expected);
  expect_error(file->integer("none", 1, 9), "metadata \"none\": found no such key" + expected);
}

TEST(GgufLookup, FallsBackOnlyWhereTheKeyIsMissing) {
  const Parsed file(GgufWriter().add("text", "x").add("five", std::uint32_t{5}).add("no", false).bytes());
  EXPECT_EQ(file->integer_or("none", 77, 1, 9).value(), 77u);
  EXPECT_EQ(file->integer_or("five", 77, 1, 9).value(), 5u);
  EXPECT_FALSE(file->integer_or("text", 77, 1, 9).ok());
  EXPECT_EQ(file->real_or("none", 0.5).value(), 0.5);
  EXPECT_EQ(file->real_or("five", 0.5).value(), 5.0);
  EXPECT_FALSE(file->real_or("text", 0.5).ok());
  EXPECT_TRUE(file->boolean_or("none", true).value());
  EXPECT_FALSE(file->boolean_or("no", true).value());
  expect_error(file->boolean_or("five", true), "metadata \"five\": found 5, expected a bool");
  EXPECT_EQ(file->string_or("none", "d").value(), "d");
  EXPECT_EQ(file->string_or("text", "d").value(), "x");
  expect_error(file->string_or("five", "d"), "metadata \"five\": found 5, expected a string");
  expect_error(file->string("none"), "metadata \"none\": found no such key, expected a string");
}

TEST(GgufLookup, ReadsRealsOfEveryNumericTypeAndRefusesNanAndInfinity) {
  GgufWriter writer;
  writer.add("f32", 0.5f).add("f64", -1e300).add("u64", std::uint64_t{3}).add("i8", std::int8_t{-3});
  writer.add("nan", std::nanf("")).add("inf", std::numeric_limits<double>::infinity()).add("bool", true);
  const Parsed file(writer.bytes());
  EXPECT_EQ(file->real("f32").value(), 0.5);
  EXPECT_EQ(file->real("f64").value(), -1e300);
  EXPECT_EQ(file->real("u64").value(), 3.0);
  EXPECT_EQ(file->real("i8").value(), -3.0);
  expect_error(file->real("nan"), "metadata \"nan\": found the float nan, expected a finite number");
  expect_error(file->real("inf"), "metadata \"inf\": found the float inf, expected a finite number");
  expect_error(file->real("bool"), "metadata \"bool\": found the bool true, expected a finite number");
  expect_error(file->real("none"), "metadata \"none\": found no such key, expected a finite number");
}

TEST(GgufLookup, FindsArraysOfTheTypeAskedFor) {
  const Parsed file(GgufWriter().add_array<std::string>("a", {"x"}).add("b", std::uint32_t{1}).bytes());
  EXPECT_EQ(file->array("none", ValueType::kString).value(), nullptr);
  EXPECT_EQ(file->array("a", ValueType::kString).value()->strings[0], "x");
  expect_error(file->array("a", ValueType::kFloat32),
               "metadata \"a\": found an array of string, expected an array of float32");
  expect_error(file->array("b", ValueType::kString), "metadata \"b\": found 1, expected an array of string");
}

}  // namespace
}  // namespace tacit
