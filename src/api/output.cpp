// SPDX-License-Identifier: MIT
// Output files, for what a client writes itself.
#include <tacit/tacit.h>

#include <utility>

#include "api/bytes.h"
#include "api/errors.h"
#include "base/output_file.h"

struct tacit_output {
  tacit::OutputFile file;
};

using namespace tacit;

extern "C" {

tacit_status tacit_output_open(const char* path, int overwrite, tacit_output** output) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(path != nullptr, "path"));
    TACIT_TRY(require(output != nullptr, "output"));
    TACIT_ASSIGN(OutputFile file, OutputFile::open(path, overwrite != 0));
    *output = new tacit_output{std::move(file)};
    return {};
  });
}

tacit_status tacit_output_write(tacit_output* output, const void* data, size_t data_bytes) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(output != nullptr, "output"));
    TACIT_TRY(require(data != nullptr || data_bytes == 0, "data"));
    return output->file.write(span_of(data, data_bytes));
  });
}

tacit_status tacit_output_commit(tacit_output* output) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(output != nullptr, "output"));
    return output->file.commit();
  });
}

void tacit_output_close(tacit_output* output) { delete output; }

void tacit_remove_unfinished_outputs(void) { remove_unfinished_outputs(); }

}  // extern "C"
