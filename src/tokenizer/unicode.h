// SPDX-License-Identifier: MIT
// Characters of text that may be no UTF-8, and the little of the Unicode database that tokenizers need. Fixed at the
// version that llama.cpp has (15.1), so that symbols do not depend on the machine's libraries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tacit {

inline constexpr std::uint32_t kReplacementCharacter = 0xfffd;

// The classes that pre-tokenizers tell apart: general categories by their first letter, white space before all others.
enum class CharacterKind : std::uint8_t {
  kUnassigned = 0,
  kControl = 1,
  kNumber = 2,
  kLetter = 3,
  kPunctuation = 4,
  kMark = 5,
  kSymbol = 6,
  kWhiteSpace = 7,
};

CharacterKind kind_of(std::uint32_t code_point);
std::uint32_t lower_case(std::uint32_t code_point);
// The first character of the canonical decomposition: the letter without its accents.
std::uint32_t first_decomposed(std::uint32_t code_point);

struct DecodedCharacter {
  std::uint32_t code_point;
  std::uint32_t size;  // in bytes
};

// The character at `offset` < text.size(). As in llama.cpp, overlong forms and surrogates count, and a byte that starts
// no character is a U+FFFD of its own.
DecodedCharacter decode_character(std::string_view text, std::size_t offset);
void append_character(std::string& text, std::uint32_t code_point);
// `text` decoded and encoded again; the same where it is UTF-8.
std::string repaired_utf8(std::string_view text);

}  // namespace tacit
