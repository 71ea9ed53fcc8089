// SPDX-License-Identifier: MIT
#include "base/page_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "base/large_pages.h"

namespace tacit {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMappingMin = std::size_t{64} << 20;  // of addresses, not of memory

std::size_t round_up(std::size_t size, std::size_t multiple) { return (size + multiple - 1) / multiple * multiple; }

}  // namespace

PageArena::PageArena(PageArena&& other) noexcept
    : mappings_(std::move(other.mappings_)), free_(std::exchange(other.free_, {})) {}

PageArena& PageArena::operator=(PageArena&& other) noexcept {
  std::swap(mappings_, other.mappings_);
  std::swap(free_, other.free_);
  return *this;
}

PageArena::~PageArena() {
  for (const std::span<std::uint8_t> mapping : mappings_) ::munmap(mapping.data(), mapping.size());
}

std::span<std::uint8_t> PageArena::allocate(std::size_t size) {
  if (size > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
  const std::size_t taken = round_up(size, kAlignment);
  if (taken > free_.size()) {
    mappings_.reserve(mappings_.size() + 1);
    const std::size_t usable = std::max(kMappingMin, round_up(taken, kLargePage));
    std::size_t room = usable + kLargePage;
    void* begin = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin == MAP_FAILED) throw std::bad_alloc();
    mappings_.emplace_back(static_cast<std::uint8_t*>(begin), room);
    free_ = {static_cast<std::uint8_t*>(std::align(kLargePage, usable, begin, room)), usable};
    prefer_large_pages(free_.data(), free_.size());
  }
  const std::span<std::uint8_t> result = free_.first(size);
  free_ = free_.subspan(taken);
  return result;
}

}  // namespace tacit
