// SPDX-License-Identifier: MIT
// Files as they are mapped, and memory as large as a model.
#include "base/file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/hash.h"
#include "base/page_arena.h"

namespace tacit {
namespace {

struct TemporaryFile {
  explicit TemporaryFile(const std::string& text)
      : path(::testing::TempDir() + "mapped_file_" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::ofstream(path, std::ios::binary) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string path;
};

std::string some_text(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 256);
  return text;
}

TEST(MappedFile, ReadsReleasedPartsAgain) {
  const std::string text = some_text(100'001);
  const TemporaryFile file(text);
  const auto mapped = MappedFile::open(file.path);
  ASSERT_TRUE(mapped.ok()) << mapped.error().message;
  const ByteSpan bytes = mapped.value().bytes();
  ASSERT_EQ(as_text(bytes), text);
  for (const std::size_t begin : {0, 1, 4095, 4096, 100'000, 100'001}) {
    mapped.value().release(bytes.subspan(begin));
    mapped.value().release(bytes.first(begin));
    EXPECT_EQ(as_text(bytes), text) << begin;
  }
}

TEST(MappedFile, MapsAnEmptyFileToAnEmptySpan) {
  const TemporaryFile file("");
  const auto mapped = MappedFile::open(file.path);
  ASSERT_TRUE(mapped.ok()) << mapped.error().message;
  EXPECT_TRUE(mapped.value().bytes().empty());
  mapped.value().release(mapped.value().bytes());
}

TEST(MappedFile, ReadsAFileThatCannotBeMapped) {
  const std::string path = "/sys/kernel/notes";  // sysfs has no maps
  std::ifstream stream(path, std::ios::binary);
  if (!stream) GTEST_SKIP() << "no " << path;
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  auto mapped = MappedFile::open(path);
  ASSERT_TRUE(mapped.ok()) << mapped.error().message;
  mapped.value().release(mapped.value().bytes());  // nothing could fetch it again
  const MappedFile moved = std::move(mapped).value();
  EXPECT_EQ(as_text(moved.bytes()), text);
}

TEST(Sha256, SeesEveryByteOnceAndInOrder) {
  const std::string text = some_text((std::size_t{9} << 20) + 5);
  std::string seen;
  const Sha256 digest = sha256(as_bytes(text), [&](ByteSpan part) { seen += as_text(part); });
  EXPECT_EQ(seen, text);
  EXPECT_EQ(digest, sha256(as_bytes(text)));
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(PageArena, GivesZeroedMemoryThatStays) {
  PageArena arena;
  std::vector<std::span<std::uint8_t>> spans;
  for (const std::size_t size : {1u, 63u, 64u, 5'000'000u, 0u, 70'000'000u, 3u, 64'000'000u, 17u}) {
    spans.push_back(arena.allocate(size));
    const std::span<std::uint8_t> span = spans.back();
    ASSERT_EQ(span.size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(span.data()) % 64, 0u);
    if (size == 0) continue;
    EXPECT_EQ(span.front() | span.back(), 0);
    span.front() = span.back() = static_cast<std::uint8_t>(spans.size());
  }
  const PageArena moved = std::move(arena);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].empty()) continue;
    EXPECT_EQ(spans[i].front(), i + 1);
    EXPECT_EQ(spans[i].back(), i + 1);
  }
}

}  // namespace
}  // namespace tacit
