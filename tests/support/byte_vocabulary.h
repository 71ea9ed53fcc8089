// SPDX-License-Identifier: MIT
// The two ways in which vocabularies spell any bytes: the tokens <0x00> to <0xFF>, and GPT-2's characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/unicode.h"

namespace tacit::test {

inline constexpr std::int32_t kByteTokenType = 6;

inline void append_byte_tokens(std::vector<std::string>& pieces, std::vector<std::int32_t>& types) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    pieces.push_back(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + '>');
    types.push_back(kByteTokenType);
  }
}

// GPT-2's spelling of bytes.
inline std::string spelled(std::string_view bytes) {
  std::string piece;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    std::uint32_t next = 256, code_point = 0;
    for (std::uint32_t b = 0; b <= byte; ++b) {
      const bool is_printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      code_point = is_printable ? b : next++;
    }
    append_character(piece, code_point);
  }
  return piece;
}

}  // namespace tacit::test
