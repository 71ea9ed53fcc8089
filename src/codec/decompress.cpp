// SPDX-License-Identifier: MIT
// Decompression of an archive in memory: all of it, block by block, or the segments of some records.
#include <algorithm>
#include <memory>
#include <optional>

#include "archive/reader.h"
#include "codec/block_codec.h"
#include "codec/levels.h"
#include "codec/streams.h"
#include "records/lines.h"

namespace tacit {
namespace {

class Decompressor {
 public:
  Decompressor(const archive::Reader& reader, const ModelFinder& find_model, const CodecOptions& options)
      : reader_(reader), find_model_(find_model), options_(options) {}

  Result<ByteVector> decode(std::size_t index) {
    TACIT_ASSIGN(const archive::Block block, reader_.read_block(index));
    Result<ByteVector> bytes = decode(block, reader_.blocks()[index].stored_bytes);
    if (!bytes.ok()) return in_block(bytes.error(), index);
    if (options_.trace) TACIT_TRY(options_.trace({block, bytes.value(), traces_}));
    original_bytes_ += block.original_bytes;
    stored_bytes_ += reader_.blocks()[index].stored_bytes;
    for (const archive::Segment& segment : block.segments) token_count_ += segment.token_count;
    if (options_.progress) TACIT_TRY(options_.progress({original_bytes_, stored_bytes_, token_count_, false}));
    return bytes;
  }

  // The texts of the segments [first, end) of a block of records.
  Result<std::vector<ByteVector>> decode_segments(const archive::Block& block, std::size_t index, std::size_t first,
                                                  std::size_t end) {
    Result<std::vector<ByteVector>> texts = decode_segments(block, first, end);
    if (!texts.ok()) return in_block(texts.error(), index);
    for (std::size_t i = first; i < end; ++i) {
      original_bytes_ += texts.value()[i - first].size();
      stored_bytes_ += block.segments[i].payload.size();
      token_count_ += block.segments[i].token_count;
    }
    return texts;
  }

  [[nodiscard]] std::uint64_t token_count() const { return token_count_; }

 private:
  [[nodiscard]] Error in_block(const Error& error, std::size_t index) const {
    if (error.code != ErrorCode::kDamaged) return error;
    return error.in("block " + std::to_string(index) + " (offset " + std::to_string(reader_.blocks()[index].offset) +
                    ")");
  }

  Result<ByteVector> decode(const archive::Block& block, std::uint64_t block_bytes) {
    traces_.clear();
    if (!needs_model(block.segments)) return decode_without_model(block);
    TACIT_TRY(open_codec());
    return codec_->decode(block, observer(block.original_bytes, block_bytes));
  }

  Result<std::vector<ByteVector>> decode_segments(const archive::Block& block, std::size_t first, std::size_t end) {
    const auto segments = std::span(block.segments).subspan(first, end - first);
    if (!needs_model(segments)) return decode_segments_without_model(block, first, end);
    TACIT_TRY(open_codec());
    std::uint64_t stored_bytes = 0;
    for (const archive::Segment& segment : segments) stored_bytes += segment.payload.size();
    return codec_->decode_segments(block, first, end, observer(0, stored_bytes));
  }

  Status open_codec() {
    if (codec_.has_value()) return {};
    if (!reader_.header().has_model) return damaged("found a model segment, expected none: the header names no model");
    TACIT_ASSIGN(const LoadedModel* model, find_model_(reader_.header()));
    TACIT_TRY(model->require_tokenizer());
    const archive::Header& header = reader_.header();
    TACIT_ASSIGN(engine_, make_engine(*model, options_.engine));
    const CodingContext context{*engine_, *model->tokenizer, *options_.engine.pool, header.window,
                                header.contract == archive::kContractAdaptive, header.sampler,
                                options_.trace ? &traces_ : nullptr};
    codec_.emplace(context, default_lane_count(*model, header.window));
    return {};
  }

  // Of what stands for so many original bytes and stored ones.
  CodingObserver observer(std::uint64_t original_bytes, std::uint64_t stored_bytes) {
    return [this, original_bytes, stored_bytes](const CodingState& state) -> Result<Proceed> {
      if (!options_.progress) return Proceed::kContinue;
      const auto share_of = [&](std::uint64_t bytes) {
        return static_cast<std::uint64_t>(static_cast<double>(bytes) * state.share_done);
      };
      TACIT_TRY(options_.progress({original_bytes_ + share_of(original_bytes), stored_bytes_ + share_of(stored_bytes),
                                   token_count_ + state.symbols_done, false}));
      return Proceed::kContinue;
    };
  }

  const archive::Reader& reader_;
  const ModelFinder& find_model_;
  const CodecOptions& options_;
  std::unique_ptr<Engine> engine_;
  std::optional<BlockCodec> codec_;
  LaneTraces traces_;  // of the block at hand
  std::uint64_t original_bytes_ = 0;
  std::uint64_t stored_bytes_ = 0;
  std::uint64_t token_count_ = 0;
};

// Hands some of the records to a sink, out of the texts of segments that come one after another.
class RecordSink {
 public:
  // `next`: the first record that begins in the texts.
  RecordSink(std::uint64_t first, std::uint64_t end, std::uint64_t next, const ByteSink& sink)
      : first_(first), end_(end), next_(next), sink_(sink) {}

  // `record_count`: of those that begin in the text. Errors: kDamaged where the text has another count, the sink's.
  Status add(ByteSpan text, std::uint64_t record_count) {
    std::vector<ByteSpan> lines = lines_of(text);
    const bool continues_record = lines.size() == record_count + 1;  // the first line, with a record that began before
    if (!continues_record && lines.size() != record_count) {
      return damaged("lines of a segment: found " + std::to_string(lines.size()) + ", expected " +
                     std::to_string(record_count) + " or one more");
    }
    std::size_t wanted_bytes = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i > 0 || !continues_record) ++next_;
      if (next_ > end_) text = text.first(static_cast<std::size_t>(lines[i].data() - text.data()));
      if (next_ > end_) break;
      if (next_ > first_) wanted_bytes += lines[i].size();
    }
    if (!text.empty()) ends_record_ = text.back() == '\n';
    return wanted_bytes > 0 ? sink_(text.last(wanted_bytes)) : Status();
  }

  // Whether all of the records have been handed over.
  [[nodiscard]] bool is_done() const { return next_ > end_ || (next_ == end_ && ends_record_); }

 private:
  std::uint64_t first_;
  std::uint64_t end_;
  std::uint64_t next_;  // number of the next record that begins
  const ByteSink& sink_;
  bool ends_record_ = false;
};

Status check_range(const archive::Reader& reader, std::uint64_t first, std::uint64_t end) {
  if (!reader.header().has_records) {
    return usage_error("the archive has no records: it was not compressed as records");
  }
  if (first < end && end <= reader.record_count()) return {};
  const std::uint64_t count = reader.record_count();
  return usage_error("record " + std::to_string(first < end ? end - 1 : first) + ": expected " +
                     (count == 0 ? "none, since the archive has no record" : "0 to " + std::to_string(count - 1)));
}

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

Status read_records(const archive::Reader& reader, const ModelFinder& find_model, const CodecOptions& options,
                    std::uint64_t first, std::uint64_t end, const ByteSink& sink) {
  TACIT_TRY(check_range(reader, first, end));
  Decompressor decompressor(reader, find_model, options);
  const auto blocks = reader.blocks();
  const auto begins_before = [&](const archive::BlockEntry& block) {
    return block.first_record + block.record_count <= first;
  };
  auto block_entry = std::partition_point(blocks.begin(), blocks.end(), begins_before);
  std::optional<RecordSink> records;
  for (; block_entry != blocks.end() && !(records.has_value() && records->is_done()); ++block_entry) {
    const auto index = static_cast<std::size_t>(block_entry - blocks.begin());
    TACIT_ASSIGN(const archive::Block block, reader.read_block(index));
    // The segments in which the records begin, with those that the last of them certainly goes on in, then one by one.
    std::uint64_t next = block_entry->first_record;
    std::size_t begin = 0;
    while (!records.has_value() && next + block.segments[begin].record_count <= first) {
      next += block.segments[begin++].record_count;
    }
    if (!records.has_value()) records.emplace(first, end, next, sink);
    while (begin < block.segments.size() && !records->is_done()) {
      std::size_t stop = begin;
      do {
        next += block.segments[stop++].record_count;
      } while (stop < block.segments.size() && (next < end || block.segments[stop].record_count == 0));
      TACIT_ASSIGN(const std::vector<ByteVector> texts, decompressor.decode_segments(block, index, begin, stop));
      for (std::size_t i = begin; i < stop; ++i) {
        TACIT_TRY(records->add(texts[i - begin], block.segments[i].record_count));
      }
      begin = stop;
    }
  }
  return {};
}

}  // namespace tacit
