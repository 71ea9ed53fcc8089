// SPDX-License-Identifier: MIT
// An archive's text in spans - tokens, and segments that were stored without the model - each with what it cost.
#pragma once

#include <cstdint>
#include <functional>

#include "codec/streams.h"

namespace tacit {

struct InspectedSpan {
  archive::Method method = archive::Method::kModel;  // kModel: a token; otherwise a whole segment
  ByteSpan bytes;
  std::uint64_t offset = 0;        // in the original
  std::uint64_t stored_bytes = 0;  // of a segment

  // Of a token only.
  const SymbolTrace* trace = nullptr;
  const Tokenizer* tokenizer = nullptr;
  std::uint64_t lane = 0;   // of its block
  std::uint64_t order = 0;  // ascends in the order in which tokens were coded: lane by lane within a step
};
using InspectedSpanFunction = std::function<Status(const InspectedSpan&)>;

// Decodes and checks all blocks as decompress_archive does, and calls `receive` with all spans, in the order of the
// text. Errors: those of decompress_archive and of `receive`.
Result<StreamResult> inspect_archive(const archive::Reader& reader, const ModelFinder& find_model,
                                     const CodecOptions& options, const InspectedSpanFunction& receive);

}  // namespace tacit
