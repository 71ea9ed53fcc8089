// SPDX-License-Identifier: MIT
// The memory of one call of a kernel: inputs that end where they end, and outputs between guards, compared with those
// of the reference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace tacit::test {

template <class T>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};
  LineAllocator() = default;
  template <class U>
  explicit(false) LineAllocator(const LineAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kAlignment)); }
  void deallocate(T* data, std::size_t) { ::operator delete(data, kAlignment); }
  bool operator==(const LineAllocator&) const { return true; }
};

// What a kernel reads, `offset` elements behind a boundary of 64 bytes. Nothing is allocated behind its end, so that a
// sanitizer sees whoever reads too far.
template <class T>
class Input {
 public:
  explicit Input(std::size_t size = 0, std::size_t offset = 0) : storage_(offset + size), offset_(offset) {}
  [[nodiscard]] T* data() { return storage_.data() + offset_; }
  [[nodiscard]] const T* data() const { return storage_.data() + offset_; }
  [[nodiscard]] std::size_t size() const { return storage_.size() - offset_; }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }

 private:
  std::vector<T, LineAllocator<T>> storage_;
  std::size_t offset_;
};

// What a kernel writes, array after array, in the order in which the call asks for them.
class Outputs {
 public:
  // `size` elements, which are compared, and behind them `padding` that is zero before the call, and after it unless
  // one of the elements is not finite. `initial`: what the elements hold before the call, size of them; null: what no
  // kernel is likely to write.
  template <class T>
  T* array(const char* name, std::size_t size, std::size_t padding, std::size_t offset, const T* initial = nullptr) {
    if (next_ < arrays_.size()) return reinterpret_cast<T*>(arrays_[next_++].data());
    add({name, sizeof(T), std::is_floating_point_v<T>, size, padding, offset * sizeof(T), {}}, initial);
    return reinterpret_cast<T*>(arrays_.back().data());
  }
  template <class T>
  void returned(T value) {
    *array<T>("returned value", 1, 0, 0) = value;
  }

  // The next call gets the same arrays again, as the last one left them: for measuring its time.
  void rewind() { next_ = 0; }

  // Where the two differ first, guards and padding of `found` included; nothing where they agree. NaNs are the same
  // whatever their bits, which the contract leaves open.
  static std::optional<std::string> difference(const Outputs& expected, const Outputs& found);

 private:
  static constexpr std::size_t kGuardBytes = 256;  // the widest step of a kernel: four tiles of a row
  static constexpr std::uint8_t kGuard = 0xa5;
  static constexpr std::uint8_t kUnwritten = 0x5a;

  struct Array {
    const char* name;
    std::size_t element_bytes;
    bool is_float;
    std::size_t size;
    std::size_t padding;
    std::size_t offset_bytes;
    std::vector<std::uint8_t, LineAllocator<std::uint8_t>> storage;

    [[nodiscard]] std::uint8_t* data() { return storage.data() + kGuardBytes + offset_bytes; }
    [[nodiscard]] const std::uint8_t* data() const { return storage.data() + kGuardBytes + offset_bytes; }
    [[nodiscard]] std::uint64_t bits(std::size_t i) const;
    [[nodiscard]] std::string text(std::size_t i) const;  // of an element: its bits and its value
    [[nodiscard]] bool is_finite() const;
    [[nodiscard]] std::optional<std::string> damage() const;
  };

  void add(Array array, const void* initial);
  static std::optional<std::size_t> first_difference(const Array& expected, const Array& found);

  std::vector<Array> arrays_;
  std::size_t next_ = 0;
};

}  // namespace tacit::test
