// SPDX-License-Identifier: MIT
// From JSON to a script element that no text can leave.
#include "inspection_page.h"

#include "inspect_page.html.h"

namespace tacit::cli {
namespace {

constexpr std::string_view kPlaceOfData = "{{inspection}}";

// The same JSON without "<", which is in its strings only: nothing in it ends or opens an element.
void append_escaped(std::string& page, std::string_view json) {
  for (const char character : json) {
    if (character == '<') {
      page += "\\u003c";
    } else {
      page += character;
    }
  }
}

}  // namespace

std::string inspection_page(std::string_view json) {
  const std::string_view page(kInspectPage);
  const std::size_t place = page.find(kPlaceOfData);
  std::string text(page.substr(0, place));
  append_escaped(text, json);
  return text.append(page.substr(place + kPlaceOfData.size()));
}

}  // namespace tacit::cli
