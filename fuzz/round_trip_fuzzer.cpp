// SPDX-License-Identifier: MIT
// Any bytes, compressed twice with the built-in model, give the same archive both times and come back from it
// unchanged. Verification is off: the check here must not be the library's own.
#include <tacit/tacit.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "../tests/support/api_buffer.h"

namespace {

using Buffer = tacit::test::ApiBuffer;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s: %s\n", what, tacit_last_error());
  std::abort();
}

tacit_options fuzz_options() {
  tacit_options options;
  tacit_options_init(&options);
  options.threads = 1;
  options.skip_verification = 1;
  options.window = 16;  // the smallest, so that short inputs are longer than it
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tacit_options options = fuzz_options();
  Buffer archives[2];
  for (Buffer& archive : archives) {
    require(tacit_compress_buffer(&options, data, size, &archive.data, &archive.size) == TACIT_OK, "compression");
  }
  require(archives[0].equals(archives[1].data, archives[1].size), "two archives of the same bytes differ");
  Buffer back;
  require(tacit_decompress_buffer(&options, archives[0].data, archives[0].size, &back.data, &back.size) == TACIT_OK,
          "decompression");
  require(back.equals(data, size), "other bytes came back");
  return 0;
}
