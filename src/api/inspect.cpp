// SPDX-License-Identifier: MIT
// What each span of a text (a token or a stored segment) costs, in the form of the C API.
#include "codec/inspect.h"

#include <array>
#include <tuple>

#include "api/call.h"
#include "api/info.h"
#include "api/transfer.h"

namespace tacit {
namespace {

static_assert(static_cast<int>(Coding::kSoftmax) == TACIT_CODED_SOFTMAX);
static_assert(static_cast<int>(Coding::kRank1) == TACIT_CODED_RANK_1);
static_assert(static_cast<int>(Coding::kCandidate) == TACIT_CODED_CANDIDATE);
static_assert(static_cast<int>(Coding::kEscape) == TACIT_CODED_ESCAPE);

tacit_coding coding_of(const InspectedSpan& span) {
  switch (span.method) {
    case archive::Method::kModel: return static_cast<tacit_coding>(span.trace->coding);
    case archive::Method::kRaw: return TACIT_STORED_RAW;
    case archive::Method::kZstd: return TACIT_STORED_ZSTD;
    case archive::Method::kBrotli: return TACIT_STORED_BROTLI;
  }
  return TACIT_STORED_RAW;
}

// Hands spans to a client; the lists that a tacit_span points to are kept here.
class SpanReceiver {
 public:
  SpanReceiver(tacit_span_function receive, void* context) : receive_(receive), context_(context) {}

  Status operator()(const InspectedSpan& inspected) {
    tacit_span span{};
    span.struct_bytes = sizeof(span);
    span.coding = coding_of(inspected);
    span.bytes = inspected.bytes.data();
    span.byte_count = inspected.bytes.size();
    span.offset = inspected.offset;
    span.bits = static_cast<double>(inspected.stored_bytes * 8);
    if (inspected.trace != nullptr) add_token(inspected, span);
    if (receive_(context_, &span) == 0) return {};
    return Error{ErrorCode::kCancelled, "stopped by the span function"};
  }

 private:
  void add_token(const InspectedSpan& inspected, tacit_span& span) {
    const SymbolTrace& trace = *inspected.trace;
    span.bits = trace.bits;
    span.symbol = static_cast<std::int32_t>(trace.symbol);
    span.lane = static_cast<std::uint32_t>(inspected.lane);
    span.order = inspected.order;
    span.probability = trace.probability;
    span.model_probability = trace.model_probability;
    span.model_weight = trace.model_weight;
    span.alternatives = alternatives_.data();
    span.alternative_count = trace.alternative_count;
    for (std::size_t i = 0; i < trace.alternative_count; ++i) {
      const TracedAlternative& alternative = trace.alternatives[i];
      const auto symbol = static_cast<TokenId>(alternative.symbol);
      const ByteSpan bytes = inspected.tokenizer->symbol_bytes(symbol);
      alternatives_[i] = {bytes.data(), bytes.size(), symbol, alternative.probability};
    }
    span.experts = experts_.data();
    span.expert_count = experts_.size();
    for (std::size_t i = 0; i < experts_.size(); ++i) experts_[i] = {expert_name(i).c_str(), trace.experts[i]};
    span.samplers = samplers_.data();
    span.sampler_count = samplers_.size();
    for (std::size_t i = 0; i < samplers_.size(); ++i) samplers_[i] = {sampler_name(i), trace.samplers[i]};
  }

  tacit_span_function receive_;
  void* context_;
  std::array<tacit_alternative, kTracedAlternatives> alternatives_;
  std::array<tacit_share, std::tuple_size_v<ExpertShares>> experts_;
  std::array<tacit_share, kSamplersMax> samplers_;
};

// What has been compressed is checked by being decoded, as `verifying` says.
Status inspect(Call& call, ByteSpan archive, bool verifying, SpanReceiver& receive, tacit_archive_info* info) {
  if (info != nullptr) TACIT_TRY(fill_archive_info(archive, info));
  TACIT_ASSIGN(const archive::Reader reader, archive::Reader::open(archive));
  const ModelFinder finder = model_finder(call);
  CodecOptions options = call.codec_options(reader.original_bytes());
  if (options.progress && verifying) {
    options.progress = [report = options.progress](Progress progress) {
      progress.verifying = true;
      return report(progress);
    };
  }
  TACIT_TRY(inspect_archive(reader, finder, options, [&](const InspectedSpan& span) { return receive(span); }));
  return {};
}

}  // namespace
}  // namespace tacit

using namespace tacit;

extern "C" {

tacit_status tacit_inspect_buffer(const tacit_options* options, const void* input, size_t input_bytes, int is_archive,
                                  tacit_span_function receive, void* context, tacit_archive_info* info) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(input != nullptr || input_bytes == 0, "input"));
    TACIT_TRY(require(receive != nullptr, "receive"));
    SpanReceiver receiver(receive, context);
    const ByteSpan bytes = span_of(input, input_bytes);
    if (is_archive != 0 || archive::begins_as_archive(bytes)) {
      TACIT_ASSIGN(Call call, begin_call(options));
      return inspect(call, bytes, false, receiver, info);
    }
    TACIT_ASSIGN(Call call, begin_model_call(options));
    call.options.skip_verification = 1;
    ByteVector archive;
    TACIT_TRY(compress(call, input_bytes, memory_source(bytes), memory_sink(archive), nullptr));
    return inspect(call, archive, true, receiver, info);
  });
}

}  // extern "C"
