// SPDX-License-Identifier: MIT
// Sizes for people.
#pragma once

#include <cstdint>
#include <string>

namespace tacit::cli {

// "3.1 MB", or "3.1/27.0 MB" where the total is known.
std::string size_text(std::uint64_t done, std::uint64_t total = 0);

}  // namespace tacit::cli
