// SPDX-License-Identifier: MIT
// Text from files and archives in messages: hostile bytes must not steer a terminal, nor end the line.
#pragma once

#include <string>
#include <string_view>

namespace tacit {

// `text` with control characters (C0, DEL, and C1, which UTF-8 spells C2 80 to C2 9F) and bytes that are no UTF-8 as
// \xHH.
// Printing what was made printable changes nothing.
std::string printable(std::string_view text);

// The same in quotes, with quotes as \xHH too, so that nothing in it can look like its end; cut after 64 bytes of
// `text`.
std::string printable_quoted(std::string_view text);

}  // namespace tacit
