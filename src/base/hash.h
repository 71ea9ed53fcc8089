// SPDX-License-Identifier: MIT
// The two hashes of the archive: SHA-256 names a model, XXH3-64 checks bytes. Thin doors to OpenSSL and xxHash.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"

namespace tacit {

using Sha256 = std::array<std::uint8_t, 32>;

// `done_with` is told which bytes have been read, one part after the other.
Sha256 sha256(ByteSpan bytes, const std::function<void(ByteSpan)>& done_with = {});
std::uint64_t xxh3_64(ByteSpan bytes);

// Two lower-case hexadecimal digits for each byte.
std::string to_hex(ByteSpan bytes);
// The 16 digits of a number, the highest first.
std::string to_hex(std::uint64_t value);

}  // namespace tacit
