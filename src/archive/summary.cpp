// SPDX-License-Identifier: MIT
#include "archive/summary.h"

#include <algorithm>

namespace tacit::archive {
namespace {

// Segments of the model do not say how many bytes they stand for: theirs is what the others leave.
void add_block(const Block& block, ArchiveSummary& summary) {
  std::uint64_t model_bytes = block.original_bytes;
  bool has_model_segment = false;
  summary.segment_count += block.segments.size();
  for (const Segment& segment : block.segments) {
    model_bytes -= std::min(model_bytes, segment.original_bytes);
    if (segment.method != Method::kModel) continue;
    has_model_segment = true;
    ++summary.model_segment_count;
    summary.model_coded_bytes += segment.payload.size();
    summary.token_count += segment.token_count;
  }
  if (has_model_segment) summary.model_original_bytes += model_bytes;
}

}  // namespace

Result<ArchiveSummary> summarize(ByteSpan archive) {
  TACIT_ASSIGN(const Reader reader, Reader::open(archive));
  ArchiveSummary summary;
  summary.header = reader.header();
  summary.original_bytes = reader.original_bytes();
  summary.archive_bytes = archive.size();
  summary.record_count = reader.record_count();
  summary.block_count = reader.blocks().size();
  for (std::size_t i = 0; i < reader.blocks().size(); ++i) {
    TACIT_ASSIGN(const Block block, reader.read_block(i));
    add_block(block, summary);
  }
  return summary;
}

}  // namespace tacit::archive
