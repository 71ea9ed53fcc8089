// SPDX-License-Identifier: MIT
// What is of no area: the version, as the build names it, and names for people.
#include <tacit/tacit.h>

#include "api/bytes.h"
#include "api/errors.h"
#include "base/printable.h"

using namespace tacit;

extern "C" {

const char* tacit_version(void) { return TACIT_VERSION; }

tacit_status tacit_printable(const void* text, size_t text_bytes, char** shown) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(text != nullptr || text_bytes == 0, "text"));
    TACIT_TRY(require(shown != nullptr, "shown"));
    const std::string result = printable(as_text(span_of(text, text_bytes)));
    void* data = nullptr;
    std::size_t size = 0;
    TACIT_TRY(hand_over(span_of(result.c_str(), result.size() + 1), &data, &size));
    *shown = static_cast<char*>(data);
    return {};
  });
}

}  // extern "C"
