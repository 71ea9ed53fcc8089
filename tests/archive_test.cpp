// SPDX-License-Identifier: MIT
// The frame of an archive: what the writer writes the reader reads back; every field is checked, also where an attacker
// made the hashes fit; and no truncation or flipped bit goes unseen.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "archive/reader.h"
#include "archive/writer.h"
#include "base/hash.h"
#include "base/limits.h"

namespace tacit::archive {
namespace {

using Random = std::mt19937_64;

// ---- Building ----

// The bytes with their XXH3-64 behind them, as header and block end.
ByteVector sealed(ByteVector bytes) {
  append_value(bytes, xxh3_64(bytes));
  return bytes;
}

// Sealed again after a change that left the old hash at the end.
ByteVector resealed(ByteVector bytes) {
  bytes.resize(bytes.size() - sizeof(std::uint64_t));
  return sealed(std::move(bytes));
}

template <class T>
ByteVector patched(ByteVector bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
  return bytes;
}

ByteVector join(std::initializer_list<ByteVector> parts) {
  ByteVector out;
  for (const ByteVector& part : parts) append_bytes(out, part);
  return out;
}

ByteVector varint(std::uint64_t value) {
  ByteVector out;
  append_varint(out, value);
  return out;
}

Header some_header() {
  Header header;
  header.has_model = true;
  header.window = 512;
  header.model_name = "some model";
  for (std::size_t i = 0; i < header.model_fingerprint.size(); ++i) {
    header.model_fingerprint[i] = static_cast<std::uint8_t>(7 * i + 1);
  }
  return header;
}

ByteVector random_bytes(Random& random, std::size_t size) {
  ByteVector bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// A block with its payloads, which segments only point at.
struct OwnedBlock {
  Block block;
  std::vector<ByteVector> payloads;
};

OwnedBlock random_block(Random& random, std::size_t segment_count, std::size_t payload_max, bool has_records = false) {
  OwnedBlock owned;
  owned.block.has_records = has_records;
  owned.payloads.reserve(segment_count);
  owned.block.content_hash = random();
  owned.block.original_bytes = random() % (limits::kBlockBytesMax + 1);
  for (std::size_t i = 0; i < segment_count; ++i) {
    Segment segment;
    segment.method = static_cast<Method>(random() % (kMethodMax + 1));
    const std::uint64_t size = random() % (owned.block.original_bytes / segment_count + 1);
    (segment.method == Method::kModel ? segment.token_count : segment.original_bytes) = size;
    owned.payloads.push_back(random_bytes(random, random() % (payload_max + 1)));
    segment.payload = owned.payloads.back();
    if (has_records) {
      segment.record_count = random() % (size + 1);
      segment.content_hash = static_cast<std::uint32_t>(random());
    }
    owned.block.segments.push_back(segment);
  }
  return owned;
}

std::uint64_t record_count_of(const Block& block) {
  std::uint64_t count = 0;
  for (const Segment& segment : block.segments) count += segment.record_count;
  return count;
}

BlockEntry entry_of(const Block& block) {
  return {0, serialize_block(block).size(), block.original_bytes, 0, record_count_of(block), 0};
}

// A whole archive with a block of each kind of segment, and one block that stands for nothing.
ByteVector small_archive(bool has_records = false) {
  Random random(1);
  OwnedBlock first = random_block(random, kMethodMax + 1, 9, has_records);
  for (std::uint8_t i = 0; i <= kMethodMax; ++i) first.block.segments[i].method = static_cast<Method>(i);
  const OwnedBlock second = random_block(random, 1, 30, has_records);
  const Block nothing;
  Header header = some_header();
  header.has_records = has_records;
  const BlockEntry entries[] = {entry_of(first.block), entry_of(second.block), entry_of(nothing)};
  return join({serialize_header(header), serialize_block(first.block), serialize_block(second.block),
               serialize_block(nothing), serialize_index_and_footer(entries, has_records)});
}

// ---- Judging ----

// A copy of its own, so that a sanitizer sees a read past its end.
ByteVector prefix(const ByteVector& bytes, std::size_t size) { return {bytes.data(), bytes.data() + size}; }

// The first error of the frame or of any block; OK where there is none.
Status read_everything(const ByteVector& archive) {
  TACIT_ASSIGN(const Reader reader, Reader::open(archive));
  for (std::size_t i = 0; i < reader.blocks().size(); ++i) TACIT_TRY(reader.read_block(i));
  return {};
}

// Errors say where, what, what was found and what was expected.
void expect_complete_message(const Error& error) {
  static const std::regex kShape(R"((.*: )?offset \d+: [a-z ]+: found .+, expected .+)");
  EXPECT_EQ(error.code, ErrorCode::kDamaged);
  EXPECT_TRUE(std::regex_match(error.message, kShape)) << error.message;
}

template <class T>
void expect_damaged(const Result<T>& result, const std::string& message) {
  ASSERT_FALSE(result.ok()) << "accepted, expected: " << message;
  EXPECT_EQ(result.error().code, ErrorCode::kDamaged);
  EXPECT_EQ(result.error().message, message);
}

void expect_same_block(const Block& found, const Block& expected) {
  EXPECT_EQ(found.original_bytes, expected.original_bytes);
  EXPECT_EQ(found.content_hash, expected.content_hash);
  ASSERT_EQ(found.segments.size(), expected.segments.size());
  for (std::size_t i = 0; i < found.segments.size(); ++i) {
    EXPECT_EQ(found.segments[i].method, expected.segments[i].method) << i;
    EXPECT_EQ(found.segments[i].original_bytes, expected.segments[i].original_bytes) << i;
    EXPECT_EQ(found.segments[i].token_count, expected.segments[i].token_count) << i;
    EXPECT_TRUE(std::ranges::equal(found.segments[i].payload, expected.segments[i].payload)) << i;
    EXPECT_EQ(found.segments[i].record_count, expected.segments[i].record_count) << i;
    EXPECT_EQ(found.segments[i].content_hash, expected.segments[i].content_hash) << i;
  }
}

// ---- Round trips ----

TEST(Archive, ReadsBackTheHeader) {
  for (const std::size_t name_bytes : {0u, 1u, 255u}) {
    for (const std::uint32_t window : {limits::kWindowMin, 500u, limits::kWindowMax}) {
      Header header = some_header();
      header.model_name = std::string(name_bytes, 'n');
      header.window = window;
      const ByteVector archive = join({serialize_header(header), serialize_index_and_footer({})});
      const auto reader = Reader::open(archive);
      ASSERT_TRUE(reader.ok()) << reader.error().message;
      EXPECT_EQ(reader.value().header().model_name, header.model_name);
      EXPECT_TRUE(reader.value().header().has_model);
      EXPECT_EQ(reader.value().header().window, window);
      EXPECT_EQ(reader.value().header().model_fingerprint, header.model_fingerprint);
      EXPECT_EQ(reader.value().header().format_version, kFormatVersion);
      EXPECT_EQ(reader.value().header().contract, kContractAdaptive);
      EXPECT_TRUE(reader.value().blocks().empty());
      EXPECT_EQ(reader.value().original_bytes(), 0u);
    }
  }
}

TEST(Archive, AHeaderWithoutAModelStoresNothingOfIt) {
  Header header = some_header();
  header.has_model = false;
  const ByteVector archive = join({serialize_header(header), serialize_index_and_footer({})});
  const auto reader = Reader::open(archive);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_FALSE(reader.value().header().has_model);
  EXPECT_EQ(reader.value().header().window, 0u);
  EXPECT_EQ(reader.value().header().model_fingerprint, Sha256{});
  EXPECT_EQ(reader.value().header().model_name, "");
}

TEST(Archive, ReadsBackEveryBlock) {
  Random random(2);
  for (const std::size_t segment_count : {0u, 1u, 2u, 3u, 31u, 127u, 128u, limits::kSegmentsMax}) {
    for (const std::size_t payload_max : {0u, 5u, 300u}) {
      for (const bool has_records : {false, true}) {
        const OwnedBlock owned = random_block(random, segment_count, payload_max, has_records);
        const ByteVector bytes = serialize_block(owned.block);
        const auto parsed = parse_block(bytes, has_records);
        ASSERT_TRUE(parsed.ok()) << parsed.error().message;
        expect_same_block(parsed.value(), owned.block);
      }
    }
  }
}

TEST(Archive, ReadsBackTheLargestSizes) {
  const ByteVector payload(1, 9);
  Block block;
  block.original_bytes = limits::kBlockBytesMax;
  block.content_hash = ~std::uint64_t{0};
  // A model segment may have a token more than bytes: the space prefix.
  block.segments.push_back({Method::kModel, 0, limits::kBlockBytesMax + 1, payload});
  block.segments.push_back({Method::kZstd, limits::kBlockBytesMax, 0, payload});
  const ByteVector bytes = serialize_block(block);
  const auto parsed = parse_block(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  expect_same_block(parsed.value(), block);
}

TEST(Archive, ReadsBackTheIndexAndFindsEveryBlock) {
  Random random(3);
  for (const std::size_t block_count : {0u, 1u, 2u, 200u}) {
    ByteVector archive = serialize_header(some_header());
    std::vector<OwnedBlock> blocks;
    std::vector<BlockEntry> entries;
    std::uint64_t original_bytes = 0;
    for (std::size_t i = 0; i < block_count; ++i) {
      blocks.push_back(random_block(random, random() % 4, 40));
      const ByteVector bytes = serialize_block(blocks.back().block);
      entries.push_back({archive.size(), bytes.size(), blocks.back().block.original_bytes});
      original_bytes += blocks.back().block.original_bytes;
      append_bytes(archive, bytes);
    }
    append_bytes(archive, serialize_index_and_footer(entries));
    const auto reader = Reader::open(archive);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    EXPECT_EQ(reader.value().original_bytes(), original_bytes);
    ASSERT_EQ(reader.value().blocks().size(), block_count);
    for (std::size_t i = 0; i < block_count; ++i) {
      EXPECT_EQ(reader.value().blocks()[i].offset, entries[i].offset);
      EXPECT_EQ(reader.value().blocks()[i].stored_bytes, entries[i].stored_bytes);
      EXPECT_EQ(reader.value().blocks()[i].original_bytes, entries[i].original_bytes);
      const auto block = reader.value().read_block(i);
      ASSERT_TRUE(block.ok()) << block.error().message;
      expect_same_block(block.value(), blocks[i].block);
    }
  }
}

// ---- Damage ----

class EveryArchive : public ::testing::TestWithParam<bool> {};  // with records or without
INSTANTIATE_TEST_SUITE_P(Records, EveryArchive, ::testing::Bool());

TEST_P(EveryArchive, RefusesEveryTruncation) {
  const ByteVector archive = small_archive(GetParam());
  ASSERT_TRUE(read_everything(archive).ok());
  for (std::size_t size = 0; size < archive.size(); ++size) {
    const ByteVector cut = prefix(archive, size);
    const auto reader = Reader::open(cut);
    ASSERT_FALSE(reader.ok()) << size << " bytes";
    expect_complete_message(reader.error());
  }
}

TEST_P(EveryArchive, SeesEveryFlippedBit) {
  ByteVector archive = small_archive(GetParam());
  for (std::size_t bit = 0; bit < 8 * archive.size(); ++bit) {
    archive[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    const Status status = read_everything(archive);
    ASSERT_FALSE(status.ok()) << "bit " << bit;
    expect_complete_message(status.error());
    archive[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
  }
  EXPECT_TRUE(read_everything(archive).ok());
}

TEST(Archive, ADamagedBlockLeavesTheOthersReadable) {
  ByteVector archive = small_archive();
  const auto intact = Reader::open(archive);
  ASSERT_TRUE(intact.ok());
  const BlockEntry second = intact.value().blocks()[1];
  const std::uint64_t first_bytes = intact.value().blocks()[0].original_bytes;
  archive[second.offset + second.stored_bytes / 2] ^= 1;
  const auto reader = Reader::open(archive);
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(reader.value().read_block(0).ok());
  EXPECT_TRUE(reader.value().read_block(2).ok());
  const auto block = reader.value().read_block(1);
  ASSERT_FALSE(block.ok());
  const std::string where = "block 1 (offset " + std::to_string(second.offset) + ", original bytes " +
                            std::to_string(first_bytes) + " to " + std::to_string(first_bytes + second.original_bytes) +
                            "): ";
  EXPECT_EQ(block.error().message.substr(0, where.size()), where);
}

TEST(Archive, RefusesBytesBehindTheEndOrBetweenTheParts) {
  const ByteVector archive = small_archive();
  for (const std::uint8_t byte : {0, 1, 255}) {
    for (std::size_t place = 0; place <= archive.size(); ++place) {
      ByteVector longer = archive;
      longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(place), byte);
      EXPECT_FALSE(read_everything(longer).ok()) << place;
    }
  }
}

TEST(Archive, RefusesAnyBytesThatAreNoArchive) {
  Random random(4);
  expect_damaged(Reader::open({}), "offset 0: magic: found an empty file, expected those of a tacit archive");
  for (int round = 0; round < 2000; ++round) {
    ByteVector bytes = random_bytes(random, random() % 200);
    if (round % 2 == 0) std::copy_n(kMagic.begin(), std::min(kMagic.size(), bytes.size()), bytes.begin());
    EXPECT_FALSE(Reader::open(bytes).ok());
    EXPECT_FALSE(parse_block(bytes).ok());
  }
}

// ---- Hostile headers ----

constexpr std::size_t kVersionOffset = 8, kContractOffset = 10, kFlagOffset = 12, kWindowOffset = 13;
constexpr std::size_t kNameBytesOffset = 49;

Result<Reader> open_with_header(const ByteVector& header) {
  const ByteVector archive = join({header, serialize_index_and_footer({})});
  return Reader::open(archive);
}

TEST(Archive, RefusesOtherFormatVersions) {
  for (const std::uint16_t version : {1, 2, 255, 256, 65535}) {
    expect_damaged(open_with_header(resealed(patched(serialize_header(some_header()), kVersionOffset, version))),
                   "offset 8: format version: found " + std::to_string(version) + ", expected 0");
  }
}

TEST(Archive, RefusesOtherContracts) {
  for (const std::uint16_t contract : {0, 3, 256, 65535}) {
    expect_damaged(open_with_header(resealed(patched(serialize_header(some_header()), kContractOffset, contract))),
                   "offset 10: numeric contract: found " + std::to_string(contract) + ", expected 1 or 2");
  }
}

TEST(Archive, RefusesOtherFlags) {
  const auto refuses = [](const Header& header, int flags) {
    const auto byte = static_cast<std::uint8_t>(flags);
    expect_damaged(open_with_header(resealed(patched(serialize_header(header), kFlagOffset, byte))),
                   "offset 12: flags: found " + std::to_string(flags) + ", expected 0, 1, 3, 4, 5 or 7");
  };
  // Those that a reader does not know, beside a model without a sampler or none.
  for (int flags = 0; flags < 256; ++flags) {
    const bool is_known = flags < 8 && (flags & 3) != 2;
    if (!is_known && (flags & 3) != 3) refuses((flags & 1) != 0 ? some_header() : Header(), flags);
  }
}

TEST(Archive, FindsRecordsInItsBlocks) {
  const ByteVector archive = small_archive(true);
  const auto reader = Reader::open(archive);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_TRUE(reader.value().header().has_records);
  std::uint64_t record_count = 0;
  for (std::size_t i = 0; i < reader.value().blocks().size(); ++i) {
    EXPECT_EQ(reader.value().blocks()[i].first_record, record_count);
    const auto block = reader.value().read_block(i);
    ASSERT_TRUE(block.ok()) << block.error().message;
    EXPECT_EQ(reader.value().blocks()[i].record_count, record_count_of(block.value()));
    record_count += reader.value().blocks()[i].record_count;
  }
  EXPECT_GT(record_count, 0u);
  EXPECT_EQ(reader.value().record_count(), record_count);
}

Header header_with_sampler() {
  Header header = some_header();
  header.contract = kContractAdaptive;
  header.sampler = SamplerSettings{.temperature = 0.7f,
                                   .top_k = 40,
                                   .top_p = 0.9f,
                                   .min_p = 0.05f,
                                   .typical_p = 0.8f,
                                   .repetition_penalty = 1.1f,
                                   .presence_penalty = -0.5f,
                                   .frequency_penalty = 0.25f,
                                   .penalty_window = 64,
                                   .order = SamplerSettings::Order::kTemperatureLast};
  return header;
}

TEST(Archive, KeepsAStatedSampler) {
  const Header header = header_with_sampler();
  const auto reader = open_with_header(serialize_header(header));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_EQ(reader.value().header().sampler, header.sampler);
  EXPECT_EQ(serialize_header(header).size(), serialize_header(some_header()).size() + 37);
}

TEST(Archive, RefusesASamplerThatMakesNoSense) {
  const Header good = header_with_sampler();
  const std::size_t begin = serialize_header(good).size() - sizeof(std::uint64_t) - 37;
  const std::string where = "offset " + std::to_string(begin) + ": ";
  Header header = good;
  header.contract = kContractSoftmax;
  expect_damaged(open_with_header(serialize_header(header)),
                 "offset 12: flags: found a sampler with contract 1, expected none");
  header = good;
  header.sampler->order = static_cast<SamplerSettings::Order>(2);
  expect_damaged(open_with_header(serialize_header(header)), where + "sampler order: found 2, expected 0 or 1");
  for (const auto& [bad, text] : std::vector<std::pair<float, std::string>>{
           {-1.0f, "-1"}, {std::numeric_limits<float>::quiet_NaN(), "nan"}, {INFINITY, "inf"}}) {
    header = good;
    header.sampler->temperature = bad;
    expect_damaged(open_with_header(serialize_header(header)),
                   where + "sampler: temperature: found " + text + ", expected 0 to 100");
    header = good;
    header.sampler->typical_p = bad;
    expect_damaged(open_with_header(serialize_header(header)),
                   where + "sampler: typical_p: found " + text + ", expected 0 to 1");
  }
}

TEST(Archive, RefusesWindowsOutsideTheLimits) {
  for (const std::uint32_t window :
       {0u, 1u, limits::kWindowMin - 1, limits::kWindowMax + 1, 0x80000000u, 0xffffffffu}) {
    expect_damaged(open_with_header(resealed(patched(serialize_header(some_header()), kWindowOffset, window))),
                   "offset 13: window: found " + std::to_string(window) + ", expected 16 to 1048576");
  }
}

TEST(Archive, RefusesAModelNameThatReachesBeyondTheFile) {
  const ByteVector header = patched(serialize_header(some_header()), kNameBytesOffset, std::uint8_t{255});
  const auto reader = Reader::open(header);
  ASSERT_FALSE(reader.ok());
  expect_complete_message(reader.error());
  EXPECT_NE(reader.error().message.find("header"), std::string::npos);
}

// ---- Hostile blocks ----

// The fields of a block in order, any of which a test may replace. Sizes are as the bytes say, not checked.
struct RawBlock {
  std::uint8_t tag = kBlockTag;
  ByteVector original_bytes = varint(100);
  ByteVector segment_count = varint(1);
  ByteVector segments = {2, 100, 3};  // method, size, payload size
  ByteVector rest = ByteVector(8 + 3, 5);  // content hash and payload

  [[nodiscard]] ByteVector bytes() const {
    return sealed(join({{tag}, original_bytes, segment_count, segments, rest}));
  }
};

TEST(Archive, TheRawBlockOfTheTestsBelowIsAccepted) { EXPECT_TRUE(parse_block(RawBlock{}.bytes()).ok()); }

TEST(Archive, RefusesOtherBlockTags) {
  for (int tag = 0; tag < 256; ++tag) {
    if (tag == kBlockTag) continue;
    expect_damaged(parse_block(RawBlock{.tag = static_cast<std::uint8_t>(tag)}.bytes()),
                   "offset 0: block tag: found " + std::to_string(tag) + ", expected 66");
  }
}

TEST(Archive, RefusesBlocksOfTooManyOriginalBytes) {
  for (const std::uint64_t size : {limits::kBlockBytesMax + 1, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    expect_damaged(parse_block(RawBlock{.original_bytes = varint(size)}.bytes()),
                   "offset 1: original size: found " + std::to_string(size) + ", expected at most 67108864");
  }
}

TEST(Archive, RefusesTooManySegments) {
  for (const std::uint64_t count :
       {std::uint64_t{limits::kSegmentsMax} + 1, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    const auto block = parse_block(RawBlock{.segment_count = varint(count)}.bytes());
    ASSERT_FALSE(block.ok());
    expect_complete_message(block.error());
    EXPECT_NE(block.error().message.find("segment count: found " + std::to_string(count) + ", expected at most 1024"),
              std::string::npos);
  }
}

TEST(Archive, RefusesFewerSegmentsThanCounted) {
  const auto block = parse_block(RawBlock{.segment_count = varint(9)}.bytes());
  ASSERT_FALSE(block.ok());
  expect_complete_message(block.error());
}

TEST(Archive, RefusesUnknownMethods) {
  for (int method = kMethodMax + 1; method < 256; ++method) {
    expect_damaged(parse_block(RawBlock{.segments = {static_cast<std::uint8_t>(method), 100, 3}}.bytes()),
                   "offset 3: segment method: found " + std::to_string(method) + ", expected 0, 1, 2 or 3");
  }
}

TEST(Archive, RefusesSegmentsLargerThanTheirBlock) {
  for (std::uint8_t method = 0; method <= kMethodMax; ++method) {
    const std::uint64_t limit = method == 0 ? 101 : 100;
    for (const std::uint64_t size : {limit + 1, std::uint64_t{1} << 26, ~std::uint64_t{0}}) {
      expect_damaged(parse_block(RawBlock{.segments = join({{method}, varint(size), {3}})}.bytes()),
                     std::string("offset 4: ") + (method == 0 ? "token count" : "segment size") + ": found " +
                         std::to_string(size) + ", expected at most " + std::to_string(limit));
    }
    EXPECT_TRUE(parse_block(RawBlock{.segments = join({{method}, varint(limit), {3}})}.bytes()).ok());
  }
}

TEST(Archive, RefusesPayloadsThatDoNotFillTheBlock) {
  for (const std::uint64_t size : {std::uint64_t{4}, std::uint64_t{1000}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    expect_damaged(parse_block(RawBlock{.segments = join({{2, 100}, varint(size)})}.bytes()),
                   "offset " + std::to_string(13 + varint(size).size()) +
                       ": payload: found the end of the data after 3 bytes, expected more");
  }
  for (std::uint8_t size = 0; size < 3; ++size) {
    expect_damaged(parse_block(RawBlock{.segments = {2, 100, size}}.bytes()),
                   "offset " + std::to_string(14 + size) + ": end of the block: found " + std::to_string(3 - size) +
                       " more bytes, expected none");
  }
}

TEST(Archive, RefusesABlockCutBeforeEachField) {
  const RawBlock whole;
  const ByteVector fields = join({{whole.tag}, whole.original_bytes, whole.segment_count, whole.segments, whole.rest});
  for (std::size_t size = 8; size < fields.size(); ++size) {  // shorter ones hold no two hashes
    const auto block = parse_block(sealed(prefix(fields, size)));
    ASSERT_FALSE(block.ok()) << size;
    expect_complete_message(block.error());
  }
}

TEST(Archive, RefusesASecondSpellingOfANumber) {
  for (const ByteVector& padded : {ByteVector{0xe4, 0x00}, ByteVector{0xe4, 0x80, 0x00},
                                   ByteVector{0xe4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00},
                                   ByteVector{0xe4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02}}) {
    EXPECT_FALSE(parse_block(RawBlock{.original_bytes = padded}.bytes()).ok());
    EXPECT_FALSE(parse_block(RawBlock{.segments = join({{2}, padded, {3}})}.bytes()).ok());
  }
  EXPECT_FALSE(parse_block(RawBlock{.segment_count = {0x81, 0x00}}.bytes()).ok());
  EXPECT_FALSE(parse_block(RawBlock{.segments = {2, 100, 0x83, 0x00}}.bytes()).ok());
}

TEST(Archive, RefusesABlockWithAnotherHash) {
  const ByteVector bytes = RawBlock{}.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    ByteVector damaged_bytes = bytes;
    damaged_bytes[i] ^= 0x10;
    const auto block = parse_block(damaged_bytes);
    ASSERT_FALSE(block.ok());
    expect_complete_message(block.error());
    EXPECT_NE(block.error().message.find("block hash"), std::string::npos);
  }
}

// ---- Hostile indexes ----

struct RawIndex {
  std::uint8_t tag = kIndexTag;
  ByteVector block_count = varint(2);
  ByteVector entries;
  std::uint32_t missing_bytes = 0;  // less than the index has that the footer's size says

  [[nodiscard]] ByteVector bytes() const {
    ByteVector out = join({{tag}, block_count, entries});
    append_value(out, static_cast<std::uint32_t>(out.size()) - missing_bytes);
    // The hash covers what the footer calls the index and that size itself.
    append_value(out, xxh3_64(ByteSpan(out).subspan(missing_bytes < out.size() ? missing_bytes : 0)));
    return out;
  }
};

// Two blocks behind a header, and where the index begins behind them.
struct Body {
  ByteVector bytes;
  std::uint64_t first = 0;
  std::uint64_t second = 0;

  Body() {
    Random random(5);
    OwnedBlock a = random_block(random, 1, 10);
    OwnedBlock b = random_block(random, 2, 10);
    a.block.original_bytes = b.block.original_bytes = 77;
    for (Segment& segment : a.block.segments) segment.original_bytes = segment.token_count = 7;
    for (Segment& segment : b.block.segments) segment.original_bytes = segment.token_count = 7;
    const ByteVector first_block = serialize_block(a.block);
    const ByteVector second_block = serialize_block(b.block);
    first = first_block.size();
    second = second_block.size();
    bytes = join({serialize_header(some_header()), first_block, second_block});
  }
  [[nodiscard]] std::uint64_t index_offset() const { return bytes.size(); }
  [[nodiscard]] ByteVector good_entries() const { return join({varint(first), {77}, varint(second), {77}}); }
};

void expect_bad_index(const Body& body, const RawIndex& index, std::size_t offset, const std::string& rest) {
  const ByteVector archive = join({body.bytes, index.bytes()});
  expect_damaged(Reader::open(archive), "offset " + std::to_string(body.index_offset() + offset) + ": " + rest);
}

TEST(Archive, TheRawIndexOfTheTestsBelowIsAccepted) {
  const Body body;
  EXPECT_TRUE(read_everything(join({body.bytes, RawIndex{.entries = body.good_entries()}.bytes()})).ok());
}

TEST(Archive, RefusesOtherIndexTags) {
  const Body body;
  for (int tag = 0; tag < 256; ++tag) {
    if (tag == kIndexTag) continue;
    expect_bad_index(body, {.tag = static_cast<std::uint8_t>(tag), .entries = body.good_entries()}, 0,
                     "index tag: found " + std::to_string(tag) + ", expected 73");
  }
}

TEST(Archive, RefusesMoreBlocksThanTheIndexHolds) {
  const Body body;
  for (const std::uint64_t count : {std::uint64_t{3}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    expect_bad_index(body, {.block_count = varint(count), .entries = body.good_entries()}, 1,
                     "block count: found " + std::to_string(count) + ", expected at most 2");
  }
}

TEST(Archive, RefusesFewerBlocksThanTheIndexHolds) {
  const Body body;
  const ByteVector one = join({varint(body.first + body.second), {77}});
  expect_bad_index(body, {.block_count = varint(1), .entries = join({one, {1, 1}})}, 2 + one.size(),
                   "end of the index: found 2 more bytes, expected none");
}

TEST(Archive, RefusesStoredSizesThatDoNotAddUp) {
  const Body body;
  const std::uint64_t room = body.first + body.second;
  const auto entries = [](std::uint64_t a, std::uint64_t b) { return join({varint(a), {77}, varint(b), {77}}); };
  expect_bad_index(body, {.entries = entries(body.first, body.second - 1)}, 0,
                   "end of the blocks: found " + std::to_string(body.index_offset() - 1) + ", expected " +
                       std::to_string(body.index_offset()));
  expect_bad_index(body, {.entries = entries(body.first, body.second + 1)}, 4,
                   "stored size of a block: found " + std::to_string(body.second + 1) + ", expected at most " +
                       std::to_string(body.second));
  for (const std::uint64_t size : {room + 1, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    expect_bad_index(body, {.entries = entries(size, body.second)}, 2,
                     "stored size of a block: found " + std::to_string(size) + ", expected at most " +
                         std::to_string(room));
  }
}

TEST(Archive, RefusesOriginalSizesAboveTheLimit) {
  const Body body;
  for (const std::uint64_t size : {limits::kBlockBytesMax + 1, ~std::uint64_t{0}}) {
    expect_bad_index(body, {.entries = join({varint(body.first), varint(size), varint(body.second), {77}})}, 2,
                     "original size of a block: found " + std::to_string(size) + ", expected at most 67108864");
  }
}

TEST(Archive, RefusesAnIndexCutInsideAnEntry) {
  const Body body;
  const ByteVector archive =
      join({body.bytes, RawIndex{.entries = join({varint(body.first), {77}, varint(body.second), {0xff}})}.bytes()});
  const auto reader = Reader::open(archive);
  ASSERT_FALSE(reader.ok());
  expect_complete_message(reader.error());
}

TEST(Archive, RefusesAFooterThatMeasuresTheIndexWrongly) {
  const Body body;
  for (std::uint32_t missing = 1; missing < 6; ++missing) {  // the hash fits what the footer points at
    const ByteVector archive =
        join({body.bytes, RawIndex{.entries = body.good_entries(), .missing_bytes = missing}.bytes()});
    const auto reader = Reader::open(archive);
    ASSERT_FALSE(reader.ok()) << missing;
    expect_complete_message(reader.error());
  }
  for (const std::uint32_t more : {1u, 1000u, 0x7fffffffu}) {
    const ByteVector archive =
        join({body.bytes, RawIndex{.entries = body.good_entries(), .missing_bytes = 0 - more}.bytes()});
    const auto reader = Reader::open(archive);
    ASSERT_FALSE(reader.ok()) << more;
    expect_complete_message(reader.error());
  }
}

TEST(Archive, RefusesAnIndexThatBeginsInsideTheHeader) {
  const Body body;
  const std::size_t header_bytes = serialize_header(some_header()).size();
  for (std::size_t begin = 0; begin < header_bytes; ++begin) {
    ByteVector archive = body.bytes;
    append_value(archive, static_cast<std::uint32_t>(archive.size() - begin));
    append_value(archive, xxh3_64(ByteSpan(archive).subspan(begin)));
    expect_damaged(Reader::open(archive), "offset " + std::to_string(archive.size()) +
                                              ": footer: found the end of the data, expected an index: the archive is "
                                              "cut off or damaged");
  }
}

TEST(Archive, RefusesABlockOfAnotherSizeThanTheIndexSays) {
  const Body body;
  const ByteVector entries = join({varint(body.first), {77}, varint(body.second), {78}});
  const ByteVector archive = join({body.bytes, RawIndex{.entries = entries}.bytes()});
  const auto reader = Reader::open(archive);
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(reader.value().read_block(0).ok());
  const auto block = reader.value().read_block(1);
  ASSERT_FALSE(block.ok());
  EXPECT_EQ(block.error().code, ErrorCode::kDamaged);
  EXPECT_NE(block.error().message.find("original size: found 77, expected 78"), std::string::npos);
}

TEST(Archive, RefusesBlockBordersThatTheIndexMoved) {
  const Body body;
  for (const std::uint64_t first : {std::uint64_t{0}, body.first - 1, body.first + 1, body.first + body.second}) {
    const ByteVector entries = join({varint(first), {77}, varint(body.first + body.second - first), {77}});
    const ByteVector archive = join({body.bytes, RawIndex{.entries = entries}.bytes()});
    const auto reader = Reader::open(archive);
    ASSERT_TRUE(reader.ok());
    EXPECT_FALSE(reader.value().read_block(0).ok()) << first;
    EXPECT_FALSE(reader.value().read_block(1).ok()) << first;
  }
}

TEST(Archive, NamesOffsetFieldFoundAndExpectedForABlockThatIsTooShort) {
  for (std::size_t size = 0; size < 16; ++size) {
    const auto block = parse_block(ByteVector(size, 1));
    ASSERT_FALSE(block.ok());
    expect_complete_message(block.error());
  }
}

TEST(Archive, CountsTheOffsetOfACutHeaderFromTheStartOfTheArchive) {
  const ByteVector header = serialize_header(some_header());
  expect_damaged(Reader::open(prefix(header, 30)),
                 "offset 17: header: found the end of the data after 13 bytes, expected more");
}

TEST(Archive, CountsTheOffsetOfACutIndexEntryFromTheStartOfTheArchive) {
  const Body body;
  const ByteVector entries = join({varint(body.first), {77}, varint(body.second), {0xff}});
  expect_bad_index(body, {.entries = entries}, 5,
                   "index entry: found the end of the data after 1 bytes, expected more");
}

TEST(Archive, NamesTheOffsetOfTheSegmentCount) {
  expect_damaged(parse_block(RawBlock{.original_bytes = varint(300), .segment_count = varint(1025)}.bytes()),
                 "offset 3: segment count: found 1025, expected at most 1024");
}

// Or a few kilobytes would be decoded to a thousand times the size of their block before anyone looks.
TEST(Archive, RefusesSegmentsThatTogetherAreLargerThanTheirBlock) {
  const ByteVector two = {2, 60, 3, 2, 41, 0};
  expect_damaged(parse_block(RawBlock{.segment_count = varint(2), .segments = two}.bytes()),
                 "offset 7: sum of segment sizes: found 101, expected at most 100");
  const ByteVector with_model = {0, 101, 3, 1, 60, 0, 1, 41, 0};  // what the model's share is shows when it is decoded
  expect_damaged(parse_block(RawBlock{.segment_count = varint(3), .segments = with_model}.bytes()),
                 "offset 10: sum of segment sizes: found 101, expected at most 100");
  const ByteVector exact = {2, 60, 3, 2, 40, 0};
  EXPECT_TRUE(parse_block(RawBlock{.segment_count = varint(2), .segments = exact}.bytes()).ok());
}

}  // namespace
}  // namespace tacit::archive
