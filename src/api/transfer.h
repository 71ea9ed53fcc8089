// SPDX-License-Identifier: MIT
// Compression within a call, for those doors of the API that need its archive only.
#pragma once

#include "api/call.h"

namespace tacit {

// `total`: original bytes, as far as they are known. `result` may be null.
Status compress(Call& call, std::uint64_t total, const ByteSource& source, const ByteSink& sink, tacit_result* result);

}  // namespace tacit
