// SPDX-License-Identifier: MIT
#include "tokenizer/pieces.h"

#include <algorithm>
#include <charconv>

namespace tacit {

std::string with_spaces(std::string_view piece) {
  std::string text;
  for (std::size_t begin = 0; begin < piece.size();) {
    const std::size_t end = std::min(piece.find(kBlank, begin), piece.size());
    text += piece.substr(begin, end - begin);
    if (end < piece.size()) text += ' ';
    begin = end + kBlank.size();
  }
  return text;
}

std::optional<std::uint8_t> parse_byte_piece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  std::uint8_t byte = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  if (error != std::errc() || end != piece.data() + 5) return std::nullopt;
  return byte;
}

std::array<char, 6> byte_piece(std::uint8_t byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

}  // namespace tacit
