// SPDX-License-Identifier: MIT
// What an archive says of itself, all blocks taken together. Decodes nothing.
#pragma once

#include <cstdint>

#include "archive/reader.h"

namespace tacit::archive {

struct ArchiveSummary {
  Header header;
  std::uint64_t original_bytes = 0;
  std::uint64_t archive_bytes = 0;
  std::uint64_t record_count = 0;
  std::uint64_t block_count = 0;
  std::uint64_t segment_count = 0;         // all kinds
  std::uint64_t model_segment_count = 0;   // coded by the model
  std::uint64_t model_original_bytes = 0;  // original bytes in them
  std::uint64_t model_coded_bytes = 0;     // their code streams
  std::uint64_t token_count = 0;           // tokens in them
};

// Errors: kDamaged, where header, index or a block is.
Result<ArchiveSummary> summarize(ByteSpan archive);

}  // namespace tacit::archive
