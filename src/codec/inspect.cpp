// SPDX-License-Identifier: MIT
#include "codec/inspect.h"

namespace tacit {
namespace {

class Inspector {
 public:
  explicit Inspector(const InspectedSpanFunction& receive) : receive_(receive) {}

  void use(const Tokenizer& tokenizer) { tokenizer_ = &tokenizer; }

  Status receive_block(const TracedBlock& traced) {
    const std::uint64_t block_offset = offset_;
    std::size_t lane = 0;
    for (std::size_t i = 0; i < traced.block.segments.size(); ++i) {
      const archive::Segment& segment = traced.block.segments[i];
      const ByteSpan rest = traced.bytes.subspan(offset_ - block_offset);
      if (segment.method == archive::Method::kModel) {
        TACIT_TRY(receive_tokens(traced.traces, lane++, traced.block.opens_text(i), rest));
      } else {
        TACIT_TRY(receive_stored(segment, rest));
      }
    }
    for (const auto& symbols : traced.traces) order_ += symbols.size();
    return {};
  }

 private:
  // `rest`: of the block's bytes, from the segment's on.
  Status receive_tokens(const LaneTraces& traces, std::size_t lane, bool opens_text, ByteSpan rest) {
    std::size_t begin = 0;
    for (std::size_t step = 0; step < traces[lane].size(); ++step) {
      const SymbolTrace& trace = traces[lane][step];
      const auto symbol = static_cast<TokenId>(trace.symbol);
      TACIT_ASSIGN(const ByteVector text, tokenizer_->decode({&symbol, 1}, opens_text && step == 0));
      InspectedSpan span;
      span.bytes = rest.subspan(begin, text.size());
      span.offset = offset_;
      span.trace = &trace;
      span.tokenizer = tokenizer_;
      span.lane = lane;
      span.order = order_ + step * traces.size() + lane;
      TACIT_TRY(receive_(span));
      begin += text.size();
      offset_ += text.size();
    }
    return {};
  }

  Status receive_stored(const archive::Segment& segment, ByteSpan rest) {
    InspectedSpan span;
    span.method = segment.method;
    span.bytes = rest.first(segment.original_bytes);
    span.offset = offset_;
    span.stored_bytes = segment.payload.size();
    offset_ += segment.original_bytes;
    return receive_(span);
  }

  const InspectedSpanFunction& receive_;
  const Tokenizer* tokenizer_ = nullptr;
  std::uint64_t offset_ = 0;  // of what comes next, in the original
  std::uint64_t order_ = 0;   // tokens of the blocks before
};

}  // namespace

Result<StreamResult> inspect_archive(const archive::Reader& reader, const ModelFinder& find_model,
                                     const CodecOptions& options, const InspectedSpanFunction& receive) {
  Inspector inspector(receive);
  const ModelFinder finder = [&](const archive::Header& header) -> Result<const LoadedModel*> {
    TACIT_ASSIGN(const LoadedModel* const model, find_model(header));
    TACIT_TRY(model->require_tokenizer());
    inspector.use(*model->tokenizer);
    return model;
  };
  CodecOptions tracing = options;
  tracing.trace = [&](const TracedBlock& block) { return inspector.receive_block(block); };
  return decompress_archive(reader, finder, tracing, [](ByteSpan) -> Status { return {}; });
}

}  // namespace tacit
