// SPDX-License-Identifier: MIT
// Decompression of an archive in memory, block by block.
#include <optional>

#include "archive/reader.h"
#include "codec/block_codec.h"
#include "codec/streams.h"

namespace tacit {
namespace {

class Decompressor {
 public:
  Decompressor(const archive::Reader& reader, const ModelFinder& find_model, const CodecOptions& options)
      : reader_(reader), find_model_(find_model), options_(options) {}

  Result<ByteVector> decode(std::size_t index) {
    TACIT_ASSIGN(const archive::Block block, reader_.read_block(index));
    Result<ByteVector> bytes = decode(block, reader_.blocks()[index].stored_bytes);
    if (!bytes.ok() && bytes.error().code == ErrorCode::kDamaged) {
      return bytes.error().in("block " + std::to_string(index) + " (offset " +
                              std::to_string(reader_.blocks()[index].offset) + ")");
    }
    if (!bytes.ok()) return bytes.error();
    if (options_.trace) TACIT_TRY(options_.trace({block, bytes.value(), traces_}));
    original_bytes_ += block.original_bytes;
    stored_bytes_ += reader_.blocks()[index].stored_bytes;
    for (const archive::Segment& segment : block.segments) token_count_ += segment.token_count;
    if (options_.progress) TACIT_TRY(options_.progress({original_bytes_, stored_bytes_, token_count_, false}));
    return bytes;
  }

  [[nodiscard]] std::uint64_t token_count() const { return token_count_; }

 private:
  Result<ByteVector> decode(const archive::Block& block, std::uint64_t block_bytes) {
    traces_.clear();
    if (!needs_model(block)) return decode_without_model(block);
    if (!reader_.header().has_model) return damaged("found a model segment, expected none: the header names no model");
    if (!codec_.has_value()) {
      TACIT_ASSIGN(const LoadedModel* model, find_model_(reader_.header()));
      TACIT_TRY(model->require_tokenizer());
      const CodingContext context{model->model, *model->tokenizer, *options_.kernels, *options_.pool,
                                  reader_.header().window,
                                  reader_.header().contract == archive::kContractAdaptive, reader_.header().sampler,
                                  options_.trace ? &traces_ : nullptr};
      codec_.emplace(context, 1);
    }
    return codec_->decode(block, [&](const LockstepState& state) -> Status {
      if (!options_.progress) return {};
      Progress progress;
      progress.original_bytes_done =
          original_bytes_ + static_cast<std::uint64_t>(static_cast<double>(block.original_bytes) * state.share_done);
      progress.stored_bytes = stored_bytes_ + static_cast<std::uint64_t>(static_cast<double>(block_bytes) * state.share_done);
      progress.tokens_done = token_count_ + state.symbols_done;
      return options_.progress(progress);
    });
  }

  const archive::Reader& reader_;
  const ModelFinder& find_model_;
  const CodecOptions& options_;
  std::optional<BlockCodec> codec_;
  LaneTraces traces_;  // of the block at hand
  std::uint64_t original_bytes_ = 0;
  std::uint64_t stored_bytes_ = 0;
  std::uint64_t token_count_ = 0;
};

}  // namespace

Result<StreamResult> decompress_archive(const archive::Reader& reader, const ModelFinder& find_model,
                                        const CodecOptions& options, const ByteSink& sink) {
  Decompressor decompressor(reader, find_model, options);
  std::string damage;
  std::size_t damaged_count = 0;
  for (std::size_t i = 0; i < reader.blocks().size(); ++i) {
    const Result<ByteVector> bytes = decompressor.decode(i);
    if (bytes.ok()) {
      if (sink) TACIT_TRY(sink(bytes.value()));
      continue;
    }
    if (sink || bytes.error().code != ErrorCode::kDamaged) return bytes.error();
    damage += (damage.empty() ? "" : "; ") + bytes.error().message;
    ++damaged_count;
  }
  if (damaged_count > 0) {
    return damaged(std::to_string(damaged_count) + " of " + std::to_string(reader.blocks().size()) +
                   " blocks are damaged: " + damage);
  }
  return StreamResult{reader.original_bytes(), reader.archive_bytes(), decompressor.token_count()};
}

}  // namespace tacit
