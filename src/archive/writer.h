// SPDX-License-Identifier: MIT
// Archive structures to bytes. The mirror of reader.h; spec/archive.md draws every structure.
#pragma once

#include <span>

#include "archive/format.h"

namespace tacit::archive {

ByteVector serialize_header(const Header& header);
ByteVector serialize_block(const Block& block);
// `has_records`: the header's.
ByteVector serialize_index_and_footer(std::span<const BlockEntry> entries, bool has_records = false);

}  // namespace tacit::archive
