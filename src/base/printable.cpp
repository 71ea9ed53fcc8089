// SPDX-License-Identifier: MIT
#include "base/printable.h"

#include <cstddef>
#include <cstdint>

#include "base/hash.h"

namespace tacit {
namespace {

// How many bytes the UTF-8 character at the start of `text` has; 0 where there is none: a wrong byte, a cut or overlong
// sequence, a surrogate, or a number beyond Unicode.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const std::size_t count = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < count) return 0;
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool is_overlong = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool is_no_character = (byte(0) == 0xed && byte(1) >= 0xa0) || (byte(0) == 0xf4 && byte(1) >= 0x90);
  return is_overlong || is_no_character ? 0 : count;
}

bool is_control(std::string_view character) {
  const auto first = static_cast<std::uint8_t>(character[0]);
  return first < 0x20 || first == 0x7f || (first == 0xc2 && static_cast<std::uint8_t>(character[1]) < 0xa0);
}

void append_escaped(std::string& shown, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) shown.append("\\x").append(to_hex(as_bytes(bytes.substr(i, 1))));
}

// `hidden`: characters that are escaped as well.
std::string shown_text(std::string_view text, std::string_view hidden) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t count = character_bytes(text);
    const std::string_view character = text.substr(0, count == 0 ? 1 : count);
    if (count == 0 || is_control(character) || hidden.find(character) != std::string_view::npos) {
      append_escaped(shown, character);
    } else {
      shown.append(character);
    }
    text.remove_prefix(character.size());
  }
  return shown;
}

}  // namespace

std::string printable(std::string_view text) { return shown_text(text, ""); }

std::string printable_quoted(std::string_view text) {
  constexpr std::size_t kShownBytesMax = 64;
  std::string_view begin = text.substr(0, kShownBytesMax);
  // The cut must not make a broken character of a whole one.
  while (begin.size() < text.size() && begin.size() > kShownBytesMax - 4 &&
         (static_cast<std::uint8_t>(text[begin.size()]) & 0xc0) == 0x80) {
    begin.remove_suffix(1);
  }
  return '"' + shown_text(begin, "\"") + (begin.size() < text.size() ? "...\"" : "\"");
}

}  // namespace tacit
