// SPDX-License-Identifier: MIT
// What an archive says of itself, in the form of the C API.
#pragma once

#include <tacit/tacit.h>

#include "base/bytes.h"
#include "base/result.h"

namespace tacit {

Status fill_archive_info(ByteSpan archive, tacit_archive_info* out);

}  // namespace tacit
