// SPDX-License-Identifier: MIT
// Large pages for memory that is read all over: where there are any, finding the place of an address costs less.
#pragma once

#include <cstddef>
#include <vector>

namespace tacit {

inline constexpr std::size_t kLargePage = std::size_t{2} << 20;

// Asks for large pages where whole ones lie in these bytes, which nobody has written yet. Where the system has none,
// small ones do.
void prefer_large_pages(void* begin, std::size_t size);

// Makes an empty vector one of `size` values, in large pages where it is large enough.
template <class T>
void assign_large(std::vector<T>& values, std::size_t size, const T& value) {
  values.reserve(size);
  prefer_large_pages(values.data(), size * sizeof(T));
  values.assign(size, value);
}

}  // namespace tacit
