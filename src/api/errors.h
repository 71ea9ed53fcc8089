// SPDX-License-Identifier: MIT
// From results and exceptions to a status and the last error of the thread.
#pragma once

#include <tacit/tacit.h>

#include "base/float_environment.h"
#include "base/result.h"

namespace tacit {

// Messages hold names that anybody may have chosen: what is kept is printable.
tacit_status keep_error(const Error& error);
// Of the exception that is being handled.
tacit_status keep_exception() noexcept;
void clear_error();

// Runs body(), which returns a Status. No exception leaves the library.
template <class Body>
tacit_status guarded(Body body) {
  const DefaultFloatEnvironment environment;
  try {
    clear_error();
    const Status status = body();
    return status.ok() ? TACIT_OK : keep_error(status.error());
  } catch (...) {
    return keep_exception();
  }
}

// kUsage, "WHAT must not be NULL", where the condition does not hold.
Status require(bool condition, const char* what);

}  // namespace tacit
