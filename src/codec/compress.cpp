// SPDX-License-Identifier: MIT
// Compression. The input is taken a group at a time (spec/archive.md, section 2): its blocks are coded with the model
// unless the fallback stores the whole group smaller, then decoded and compared, then written.
#include <algorithm>
#include <memory>
#include <optional>

#include "archive/writer.h"
#include "base/limits.h"
#include "codec/block_codec.h"
#include "codec/fallback.h"
#include "codec/method_choice.h"
#include "codec/streams.h"
#include "records/lines.h"

namespace tacit {
namespace {

constexpr std::size_t kGroupBytes = limits::kBlockBytesMax;  // a group can become a single block
// Nothing is learnt from segment to segment, so that a block of records only says how many of them share the lanes:
// with fewer more of the lanes have none left at its end (docs/decisions/0016).
constexpr std::size_t kRecordBlockBytesMin = std::size_t{4} << 20;

class Compressor {
 public:
  Compressor(const LoadedModel& model, const Engine& engine, const CodecOptions& options, const ByteSink& sink)
      : model_(model),
        options_(options),
        sink_(sink),
        context_{engine, *model.tokenizer, *options.engine.pool, options.window, options.adaptive, options.sampler},
        codec_(context_, options.lane_max),
        cutter_(options.record_segment_bytes.value_or(1)) {}

  // `only`: the group is all of the input, so that an archive without model segments need not name the model.
  Status add_group(ByteSpan group, bool only) {
    TACIT_ASSIGN(const std::vector<EncodedBlock> blocks, encode_group(group, only));
    if (options_.verify) TACIT_TRY(verify(group, blocks));
    if (result_.archive_bytes == 0) TACIT_TRY(write_header(!only || has_model_segments(blocks)));
    for (const EncodedBlock& block : blocks) {
      entries_.push_back({0, block.serialized.size(), block.original_bytes, 0, block.record_count, 0});
      result_.token_count += block.model_token_count;
      TACIT_TRY(write(block.serialized));
    }
    result_.original_bytes += group.size();
    return {};
  }

  Result<StreamResult> finish() {
    if (result_.archive_bytes == 0) TACIT_TRY(write_header(false));
    TACIT_TRY(write(archive::serialize_index_and_footer(entries_, has_records())));
    return result_;
  }

 private:
  // What becomes a block. Spans: none where there are no records.
  struct BlockPlan {
    std::size_t bytes = 0;
    std::span<const RecordSpan> spans;
  };

  [[nodiscard]] bool has_records() const { return options_.record_segment_bytes.has_value(); }

  Status write_header(bool has_model) {
    const ByteVector bytes = archive::serialize_header(header(has_model));
    if (options_.verify) TACIT_TRY(verify_header(bytes));
    return write(bytes);
  }

  [[nodiscard]] archive::Header header(bool has_model) const {
    archive::Header header;
    header.has_model = has_model;
    header.has_records = has_records();
    header.contract = options_.adaptive ? archive::kContractAdaptive : archive::kContractSoftmax;
    header.window = options_.window;
    if (options_.adaptive) header.sampler = options_.sampler;  // the model alone has no use for it
    header.model_fingerprint = model_.fingerprint();
    header.model_name = model_.name;
    return header;
  }

  // What the header takes more where it names the model.
  [[nodiscard]] std::uint64_t model_overhead() const {
    return archive::serialize_header(header(true)).size() - archive::serialize_header(header(false)).size();
  }

  // A reader must take the header, or the blocks behind it are lost.
  static Status verify_header(ByteSpan header) {
    ByteVector archive(header.begin(), header.end());
    append_bytes(archive, archive::serialize_index_and_footer({}));
    const Result<archive::Reader> reader = archive::Reader::open(archive);
    return reader.ok() ? Status() : reader.error().in("the check failed");
  }

  static bool has_model_segments(const std::vector<EncodedBlock>& blocks) {
    return std::ranges::any_of(blocks, [](const EncodedBlock& block) { return block.model_token_count > 0; });
  }

  Status write(ByteSpan bytes) {
    result_.archive_bytes += bytes.size();
    return sink_(bytes);
  }

  // The blocks of a group, or one fallback block for all of it once that is known to be smaller.
  Result<std::vector<EncodedBlock>> encode_group(ByteSpan group, bool only) {
    const std::vector<RecordSpan> spans = has_records() ? cutter_.cut(group) : std::vector<RecordSpan>();
    const std::vector<BlockPlan> plans = has_records() ? plan_records(spans) : plan_blocks(group.size());
    const std::uint64_t overhead = only ? model_overhead() : 0;
    FallbackSearch search(group);
    GroupChoice choice(search, overhead);
    std::vector<EncodedBlock> blocks;
    std::uint64_t stored = 0;
    std::size_t begin = 0;
    for (const BlockPlan& plan : plans) {
      const ByteSpan bytes = group.subspan(begin, plan.bytes);
      FallbackSearch own(bytes);
      const bool is_group = plans.size() == 1;
      TACIT_ASSIGN(EncodedBlock block, encode_block(is_group ? search : own, plan, is_group ? overhead : 0,
                                                    observer(begin, bytes.size(), stored, false)));
      stored += block.serialized.size();
      tokens_done_ += block.model_token_count;
      blocks.push_back(std::move(block));
      if (is_group) break;  // the block has been compared with the fallback already
      begin += bytes.size();
      if (const Fallback* const better = choice.better_group(begin, stored); better != nullptr) {
        const auto record_count = has_records() ? std::optional(count_records(spans)) : std::nullopt;
        return one_block(BlockCodec::encode_fallback(group, *better, record_count));
      }
    }
    return blocks;
  }

  [[nodiscard]] std::vector<BlockPlan> plan_blocks(std::size_t bytes) const {
    std::vector<BlockPlan> plans;
    for (std::size_t begin = 0; begin < bytes; begin += options_.block_bytes) {
      plans.push_back({std::min(options_.block_bytes, bytes - begin), {}});
    }
    return plans;
  }

  [[nodiscard]] std::vector<BlockPlan> plan_records(std::span<const RecordSpan> spans) const {
    const std::size_t bytes_max = std::max(options_.block_bytes, kRecordBlockBytesMin);
    std::vector<BlockPlan> plans;
    for (std::size_t begin = 0, end = 0; begin < spans.size(); begin = end) {
      BlockPlan plan;
      while (end < spans.size() && end - begin < limits::kSegmentsMax &&
             (end == begin || plan.bytes + spans[end].bytes <= bytes_max)) {
        plan.bytes += spans[end++].bytes;
      }
      plan.spans = spans.subspan(begin, end - begin);
      plans.push_back(plan);
    }
    return plans;
  }

  Result<EncodedBlock> encode_block(FallbackSearch& block, const BlockPlan& plan, std::uint64_t overhead,
                                    const CodingObserver& block_observer) {
    return has_records() ? codec_.encode_records(block, plan.spans, overhead, block_observer)
                         : codec_.encode(block, overhead, block_observer);
  }

  static std::vector<EncodedBlock> one_block(EncodedBlock block) {
    std::vector<EncodedBlock> blocks;
    blocks.push_back(std::move(block));
    return blocks;
  }

  Status verify(ByteSpan group, const std::vector<EncodedBlock>& blocks) {
    std::size_t begin = 0;
    std::uint64_t stored = 0;
    for (const EncodedBlock& block : blocks) {
      TACIT_ASSIGN(const archive::Block parsed, archive::parse_block(block.serialized, has_records()));
      Result<ByteVector> decoded = codec_.decode(parsed, observer(begin, block.original_bytes, stored, true));
      if (!decoded.ok() && decoded.error().code != ErrorCode::kDamaged) return decoded.error();
      const ByteSpan expected = group.subspan(begin, block.original_bytes);
      if (!decoded.ok() || !std::ranges::equal(expected, decoded.value())) {
        return damaged("the check failed: original bytes " + std::to_string(result_.original_bytes + begin) + " to " +
                       std::to_string(result_.original_bytes + begin + block.original_bytes) +
                       " do not decode to what was encoded. The machine or the program is faulty; nothing was kept");
      }
      begin += block.original_bytes;
      stored += block.serialized.size();
      tokens_done_ += block.model_token_count;
    }
    return {};
  }

  CodingObserver observer(std::size_t group_offset, std::size_t block_bytes, std::uint64_t stored, bool verifying) {
    const Progress base{result_.original_bytes + group_offset, result_.archive_bytes + stored, tokens_done_, verifying};
    return [this, base, block_bytes](const CodingState& state) -> Result<Proceed> {
      if (!options_.progress) return Proceed::kContinue;
      Progress progress = base;
      progress.original_bytes_done += static_cast<std::uint64_t>(static_cast<double>(block_bytes) * state.share_done);
      progress.stored_bytes += state.code_bytes;
      progress.tokens_done += state.symbols_done;
      TACIT_TRY(options_.progress(progress));
      return Proceed::kContinue;
    };
  }

  const LoadedModel& model_;
  const CodecOptions& options_;
  const ByteSink& sink_;
  CodingContext context_;
  BlockCodec codec_;
  LineCutter cutter_;
  std::vector<archive::BlockEntry> entries_;
  StreamResult result_;
  std::uint64_t tokens_done_ = 0;  // through the model, both passes
};

// Grows with the input, so that a small one takes little memory.
Result<ByteVector> read_group(const ByteSource& source) {
  ByteVector group;
  while (group.size() < kGroupBytes) {
    const std::size_t begin = group.size();
    group.resize(std::min(kGroupBytes, std::max<std::size_t>(64 * 1024, 2 * begin)));
    TACIT_ASSIGN(const std::size_t count, source(std::span(group).subspan(begin)));
    const bool end = begin + count < group.size();
    group.resize(begin + count);
    if (end) break;
  }
  return group;
}

}  // namespace

Result<StreamResult> compress_stream(const LoadedModel& model, const CodecOptions& options, const ByteSource& source,
                                     const ByteSink& sink) {
  TACIT_TRY(model.require_tokenizer());
  TACIT_ASSIGN(const std::unique_ptr<Engine> engine, make_engine(model, options.engine));
  Compressor compressor(model, *engine, options, sink);
  for (bool first = true;; first = false) {
    TACIT_ASSIGN(const ByteVector group, read_group(source));
    if (group.empty()) break;
    const bool last = group.size() < kGroupBytes;
    TACIT_TRY(compressor.add_group(group, first && last));
    if (last) break;
  }
  return compressor.finish();
}

}  // namespace tacit
