// SPDX-License-Identifier: MIT
#include "base/large_pages.h"

#include <sys/mman.h>

#include <memory>

namespace tacit {

void prefer_large_pages(void* begin, std::size_t size) {
#if defined(MADV_HUGEPAGE)
  if (std::align(kLargePage, kLargePage, begin, size) == nullptr) return;
  ::madvise(begin, size / kLargePage * kLargePage, MADV_HUGEPAGE);
#else
  static_cast<void>(begin);
  static_cast<void>(size);
#endif
}

}  // namespace tacit
