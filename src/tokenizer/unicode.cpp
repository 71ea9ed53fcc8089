// SPDX-License-Identifier: MIT
#include "tokenizer/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <vector>

namespace tacit {
namespace {

#include "tokenizer/unicode_data.inl"

constexpr std::uint32_t kCodePointMax = 0x10ffff;

// One byte per code point: looked up for every character of every text.
std::vector<CharacterKind> expand_kinds() {
  std::vector<CharacterKind> kinds(kCodePointMax + 1);
  for (std::size_t i = 0; i < std::size(kKindRanges); ++i) {
    const std::uint32_t end = i + 1 < std::size(kKindRanges) ? kKindRanges[i + 1] >> 3 : kCodePointMax + 1;
    std::fill(kinds.begin() + (kKindRanges[i] >> 3), kinds.begin() + end,
              static_cast<CharacterKind>(kKindRanges[i] & 7));
  }
  return kinds;
}

// `pairs`: key, value, key, value, ..., keys ascending. The key itself where it is not there.
std::uint32_t mapped(std::span<const std::uint32_t> pairs, std::uint32_t key) {
  std::size_t begin = 0, end = pairs.size() / 2;
  while (begin < end) {
    const std::size_t middle = (begin + end) / 2;
    if (pairs[2 * middle] == key) return pairs[2 * middle + 1];
    if (pairs[2 * middle] < key) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return key;
}

}  // namespace

CharacterKind kind_of(std::uint32_t code_point) {
  static const std::vector<CharacterKind> kinds = expand_kinds();
  return code_point <= kCodePointMax ? kinds[code_point] : CharacterKind::kUnassigned;
}

std::uint32_t lower_case(std::uint32_t code_point) { return mapped(kLower, code_point); }

std::uint32_t first_decomposed(std::uint32_t code_point) {
  constexpr std::uint32_t kHangulFirst = 0xac00, kHangulLast = 0xd7a3, kLeadFirst = 0x1100, kPerLead = 588;
  if (code_point >= kHangulFirst && code_point <= kHangulLast) {
    return kLeadFirst + (code_point - kHangulFirst) / kPerLead;
  }
  return mapped(kDecomposed, code_point);
}

DecodedCharacter decode_character(std::string_view text, std::size_t offset) {
  const auto first = static_cast<std::uint8_t>(text[offset]);
  if (first < 0x80) return {first, 1};
  const std::uint32_t size = first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
  if (size == 0 || size > text.size() - offset) return {kReplacementCharacter, 1};
  std::uint32_t code_point = first & (0x7fu >> size);
  for (std::uint32_t i = 1; i < size; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[offset + i]);
    if ((byte & 0xc0) != 0x80) return {kReplacementCharacter, 1};
    code_point = code_point << 6 | (byte & 0x3f);
  }
  if (code_point > kCodePointMax) return {kReplacementCharacter, 1};  // llama.cpp refuses the whole text
  return {code_point, size};
}

void append_character(std::string& text, std::uint32_t code_point) {
  const auto continuation = [&](int shift) { text += static_cast<char>(0x80 | ((code_point >> shift) & 0x3f)); };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xc0 | (code_point >> 6));
    continuation(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xe0 | (code_point >> 12));
    continuation(6);
    continuation(0);
  } else {
    text += static_cast<char>(0xf0 | (code_point >> 18));
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

std::string repaired_utf8(std::string_view text) {
  std::string repaired;
  repaired.reserve(text.size());
  for (std::size_t offset = 0; offset < text.size();) {
    const DecodedCharacter character = decode_character(text, offset);
    append_character(repaired, character.code_point);
    offset += character.size;
  }
  return repaired;
}

}  // namespace tacit
