// SPDX-License-Identifier: MIT
// What concerns the library as a whole.
#include <tacit/tacit.h>

#include "base/file.h"

extern "C" {

const char* tacit_version(void) { return TACIT_VERSION; }

void tacit_remove_unfinished_outputs(void) { tacit::remove_unfinished_outputs(); }

}  // extern "C"
