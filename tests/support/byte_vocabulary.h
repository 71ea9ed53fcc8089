// SPDX-License-Identifier: MIT
// The tokens <0x00> to <0xFF>, with which a vocabulary can spell any bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tacit::test {

inline constexpr std::int32_t kByteTokenType = 6;

inline void append_byte_tokens(std::vector<std::string>& pieces, std::vector<std::int32_t>& types) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    pieces.push_back(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + '>');
    types.push_back(kByteTokenType);
  }
}

}  // namespace tacit::test
