// SPDX-License-Identifier: MIT
// The type of token ids, which tokenizer and model share.
#pragma once

#include <cstdint>

namespace tacit {

using TokenId = std::int32_t;

}  // namespace tacit
