// SPDX-License-Identifier: MIT
// How pieces of sentencepiece's kind spell text: U+2581 for a space, "<0x41>" for a byte.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tacit {

inline constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581, a space in a piece

// The text that a piece stands for.
std::string with_spaces(std::string_view piece);
// The byte that "<0x41>" stands for; nothing for any other piece.
std::optional<std::uint8_t> parse_byte_piece(std::string_view piece);
// Its inverse: exactly so, with capital digits.
std::array<char, 6> byte_piece(std::uint8_t byte);

}  // namespace tacit
