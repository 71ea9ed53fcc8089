// SPDX-License-Identifier: MIT
// The version, as the build names it.
#include <tacit/tacit.h>

extern "C" const char* tacit_version(void) { return TACIT_VERSION; }
