// SPDX-License-Identifier: MIT
// JSON results as text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tacit::cli {

// Indented, with a newline. Bytes that are not UTF-8 become replacement characters.
inline std::string json_text(const nlohmann::ordered_json& document) {
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace tacit::cli
