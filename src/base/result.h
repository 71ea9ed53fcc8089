// SPDX-License-Identifier: MIT
// Result<T>: a value or an Error, which the compiler makes the caller read. Bad input is an Error with its context
// (file, offset, field, found, expected); a bug is an assert. Knows nothing of the formats that report through it.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tacit {

// What went wrong, in the terms of the command line's exit codes (docs/cli.md). The numbers are part of the C API.
enum class ErrorCode : int {
  kDamaged = 1,      // the data is damaged, or a check failed
  kUsage = 2,        // the caller asked for something that makes no sense
  kModel = 3,        // the model is missing, is another one, or cannot be used
  kIo = 4,           // reading or writing failed
  kCancelled = 5,    // the caller's progress function asked to stop
  kOutOfMemory = 6,  // an allocation failed
};

struct Error {
  ErrorCode code = ErrorCode::kDamaged;
  std::string message;

  // The same error with "where: " in front: the file, the block, the tensor that it happened in.
  [[nodiscard]] Error in(std::string_view where) const {
    return {code, std::string(where) + ": " + message};
  }
};

inline Error damaged(std::string message) { return {ErrorCode::kDamaged, std::move(message)}; }
inline Error usage_error(std::string message) { return {ErrorCode::kUsage, std::move(message)}; }
inline Error model_error(std::string message) { return {ErrorCode::kModel, std::move(message)}; }
inline Error io_error(std::string message) { return {ErrorCode::kIo, std::move(message)}; }

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  [[nodiscard]] const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const {
    assert(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace tacit

#define TACIT_JOIN_INNER(a, b) a##b
#define TACIT_JOIN(a, b) TACIT_JOIN_INNER(a, b)

// TACIT_TRY(expression): returns the error of a Status or Result from the enclosing function, else goes on.
#define TACIT_TRY(...)                                                        \
  do {                                                                        \
    if (auto tried = (__VA_ARGS__); !tried.ok()) return tried.error(); \
  } while (false)

// TACIT_ASSIGN(declaration, expression): as TACIT_TRY, and binds the value.
#define TACIT_ASSIGN(declaration, ...)                                        \
  auto TACIT_JOIN(tacit_result_, __LINE__) = (__VA_ARGS__);                   \
  if (!TACIT_JOIN(tacit_result_, __LINE__).ok()) return TACIT_JOIN(tacit_result_, __LINE__).error(); \
  declaration = std::move(TACIT_JOIN(tacit_result_, __LINE__)).value()
