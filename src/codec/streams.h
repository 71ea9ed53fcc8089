// SPDX-License-Identifier: MIT
// Bytes in, archive out, and back: the whole job, over any source and sink.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "archive/reader.h"
#include "base/byte_stream.h"
#include "base/bytes.h"
#include "base/result.h"
#include "coding/trace.h"
#include "sampling/sampler_settings.h"
#include "store/engines.h"
#include "store/loaded_model.h"

namespace tacit {

struct Progress {
  std::uint64_t original_bytes_done = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t tokens_done = 0;
  bool verifying = false;
};
// An error ends the work with that error.
using ProgressFunction = std::function<Status(const Progress&)>;

struct StreamResult {
  std::uint64_t original_bytes = 0;
  std::uint64_t archive_bytes = 0;
  std::uint64_t token_count = 0;
};

// A decoded block with what its symbols cost: a lane for each model segment, in their order.
struct TracedBlock {
  const archive::Block& block;
  ByteSpan bytes;
  const LaneTraces& traces;
};
using TracedBlockFunction = std::function<Status(const TracedBlock&)>;

struct CodecOptions {
  EngineOptions engine;
  std::uint32_t window = 0;  // compression only; decompression has it from the archive
  bool adaptive = true;      // compression only, likewise: see CodingContext
  std::optional<SamplerSettings> sampler;  // compression only, likewise
  std::size_t block_bytes = std::size_t{1} << 20;  // compression only: original bytes of a block, at most 8 MiB
  std::uint32_t lane_max = 1;  // compression only: most strips of a block; with records, of those coded side by side
  // Compression only: each line is a record; segments of so many bytes, as far as whole records allow, decode
  // independently.
  std::optional<std::size_t> record_segment_bytes;
  bool verify = true;
  ProgressFunction progress;
  TracedBlockFunction trace;  // decompression only: called after each block, in the order of the text
};

// Errors: kModel, those of source, sink and progress, and kDamaged where the check of an encoded block failed.
Result<StreamResult> compress_stream(const LoadedModel& model, const CodecOptions& options, const ByteSource& source,
                                     const ByteSink& sink);

// Gives the model that `header` names. Errors: kModel. Called only if some block needs a model, at most once.
using ModelFinder = std::function<Result<const LoadedModel*>(const archive::Header& header)>;

// `sink` empty: decodes and checks all blocks, and names all damaged ones in the error. Errors: kDamaged, kModel,
// those of sink and progress.
Result<StreamResult> decompress_archive(const archive::Reader& reader, const ModelFinder& find_model,
                                        const CodecOptions& options, const ByteSink& sink);

// The records [first, end) of an archive that has records, byte for byte and in order; of the archive only the segments
// that hold them are decoded, and only the blocks around these read. Errors: kUsage where there are no such records;
// kDamaged, kModel, those of sink and progress: what was handed over before is right.
Status read_records(const archive::Reader& reader, const ModelFinder& find_model, const CodecOptions& options,
                    std::uint64_t first, std::uint64_t end, const ByteSink& sink);

}  // namespace tacit
