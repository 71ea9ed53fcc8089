// SPDX-License-Identifier: MIT
// Bytes that cross the C API: buffers of the caller's, buffers for the caller, and the caller's callbacks.
#pragma once

#include <tacit/tacit.h>

#include "base/byte_stream.h"

namespace tacit {

inline ByteSpan span_of(const void* data, std::size_t size) { return {static_cast<const std::uint8_t*>(data), size}; }

// Hands a copy to the caller, who frees it with tacit_free.
Status hand_over(ByteSpan bytes, void** data, std::size_t* size);

ByteSource callback_source(tacit_read_function read, void* context);
// Empty where `write` is null.
ByteSink callback_sink(tacit_write_function write, void* context);

}  // namespace tacit
