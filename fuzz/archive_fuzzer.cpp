// SPDX-License-Identifier: MIT
// Any bytes either are an archive, all of whose blocks can be read and, where they need no model, decoded; or they are
// refused. Since random bytes hardly ever have the right hashes, each input is tried as it is and with its hashes set
// right, so that the checks of the fields behind them are reached.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "archive/reader.h"
#include "base/hash.h"
#include "codec/block_codec.h"
#include "codec/streams.h"

namespace {

using tacit::ByteSpan;
using tacit::ByteVector;
namespace archive = tacit::archive;

constexpr std::size_t kHashBytes = sizeof(std::uint64_t);
constexpr std::uint64_t kDecodedBytesMax = 1024 * 1024;  // larger blocks would cost the fuzzer its speed

void put_hash(ByteVector& bytes, std::size_t begin, std::size_t end) {
  const std::uint64_t hash = tacit::xxh3_64(ByteSpan(bytes).subspan(begin, end - begin));
  std::memcpy(bytes.data() + end, &hash, sizeof(hash));
}

// The size of a header with `bytes` in front, less its hash; 0 where there is not enough of it.
std::size_t hashed_header_bytes(ByteSpan bytes) {
  constexpr std::size_t kFlag = 12, kNameBytes = 49;
  if (bytes.size() <= kFlag) return 0;
  if ((bytes[kFlag] & archive::kModelFlag) == 0) return kFlag + 1;
  return bytes.size() <= kNameBytes ? 0 : kNameBytes + 1 + bytes[kNameBytes];
}

// Magic and hashes as they should be; block hashes where the index then says that a block ends.
ByteVector with_right_hashes(ByteSpan input) {
  ByteVector bytes(input.begin(), input.end());
  const std::size_t header = hashed_header_bytes(bytes);
  if (header == 0 || bytes.size() < header + kHashBytes + archive::kFooterBytes) return bytes;
  std::copy(archive::kMagic.begin(), archive::kMagic.end(), bytes.begin());
  put_hash(bytes, 0, header);
  const std::size_t footer = bytes.size() - archive::kFooterBytes;
  const auto index_bytes = tacit::load_unaligned<std::uint32_t>(bytes.data() + footer);
  if (index_bytes > footer) return bytes;
  put_hash(bytes, footer - index_bytes, bytes.size() - kHashBytes);
  const auto sealed = archive::Reader::open(bytes);
  if (!sealed.ok()) return bytes;
  for (const archive::BlockEntry& entry : sealed.value().blocks()) {
    if (entry.stored_bytes < kHashBytes) continue;
    const std::size_t end = entry.offset + entry.stored_bytes - kHashBytes;
    put_hash(bytes, entry.offset, end);
  }
  return bytes;
}

// Of an archive that needs no model. Some records are refused, or are as many lines as were asked for.
void check_records(const archive::Reader& reader) {
  if (!reader.header().has_records || reader.original_bytes() > kDecodedBytesMax) return;
  const tacit::ModelFinder no_model = [](const archive::Header&) -> tacit::Result<const tacit::LoadedModel*> {
    return tacit::Error{tacit::ErrorCode::kModel, "none"};
  };
  const std::uint64_t count = reader.record_count();
  for (const std::uint64_t first : {std::uint64_t{0}, count / 2, count}) {
    std::size_t lines = 0;
    std::uint8_t last = '\n';
    const tacit::ByteSink sink = [&](ByteSpan text) -> tacit::Status {
      lines += static_cast<std::size_t>(std::count(text.begin(), text.end(), std::uint8_t{'\n'}));
      last = text.back();
      return {};
    };
    const tacit::Status status = tacit::read_records(reader, no_model, {}, first, first + 1, sink);
    if (status.ok() && (lines > 1 || (lines == 0 && last == '\n'))) std::abort();
  }
}

// Decoded bytes have the size and the hash that the block says, or there are none.
void check_decoded(const archive::Block& block) {
  const auto bytes = tacit::decode_without_model(block);
  if (!bytes.ok()) return;
  if (bytes.value().size() != block.original_bytes || tacit::xxh3_64(bytes.value()) != block.content_hash) std::abort();
}

void check_block(const archive::Block& block) {
  std::uint64_t claimed = 0;
  for (const archive::Segment& segment : block.segments) {
    claimed += segment.original_bytes;
    const volatile std::uint64_t touched = tacit::xxh3_64(segment.payload);
    (void)touched;
  }
  if (!tacit::needs_model(block.segments) && claimed <= kDecodedBytesMax) check_decoded(block);
}

void check_archive(ByteSpan bytes) {
  const auto reader = archive::Reader::open(bytes);
  if (!reader.ok()) {
    if (reader.error().code != tacit::ErrorCode::kDamaged || reader.error().message.empty()) std::abort();
    return;
  }
  std::uint64_t original_bytes = 0;
  for (std::size_t i = 0; i < reader.value().blocks().size(); ++i) {
    original_bytes += reader.value().blocks()[i].original_bytes;
    const auto block = reader.value().read_block(i);
    if (block.ok()) check_block(block.value());
  }
  if (original_bytes != reader.value().original_bytes()) std::abort();
  check_records(reader.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_archive({data, size});
  check_archive(with_right_hashes({data, size}));
  return 0;
}
