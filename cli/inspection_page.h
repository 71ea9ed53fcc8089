// SPDX-License-Identifier: MIT
// The page of `inspect`: inspect_page.html, which draws what inspection_json() gives, with that put into it.
#pragma once

#include <string>
#include <string_view>

namespace tacit::cli {

std::string inspection_page(std::string_view json);

}  // namespace tacit::cli
