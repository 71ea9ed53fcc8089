// SPDX-License-Identifier: MIT
// Any bytes either parse as GGUF, and then everything in them can be read, or are refused.
#include "../tests/support/gguf_touch.h"
#include "gguf/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = tacit::gguf::File::parse({data, size}, "fuzz");
  if (file.ok()) {
    const volatile std::uint64_t sum = tacit::test::touch_everything(file.value());
    (void)sum;
  }
  return 0;
}
