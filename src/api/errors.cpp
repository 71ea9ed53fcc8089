// SPDX-License-Identifier: MIT
#include "api/errors.h"

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "base/printable.h"

namespace tacit {
namespace {

// The numbers of ErrorCode are those of tacit_status.
static_assert(static_cast<int>(ErrorCode::kDamaged) == TACIT_DAMAGED);
static_assert(static_cast<int>(ErrorCode::kUsage) == TACIT_USAGE);
static_assert(static_cast<int>(ErrorCode::kModel) == TACIT_MODEL);
static_assert(static_cast<int>(ErrorCode::kIo) == TACIT_IO);
static_assert(static_cast<int>(ErrorCode::kCancelled) == TACIT_CANCELLED);
static_assert(static_cast<int>(ErrorCode::kOutOfMemory) == TACIT_OUT_OF_MEMORY);

std::string& last_error() {
  thread_local std::string message;
  return message;
}

// Where not even the message finds memory, the status has to do.
tacit_status keep(tacit_status status, const char* prefix, const char* message) noexcept {
  try {
    last_error() = printable(std::string(prefix) + message);
  } catch (...) {
    last_error().clear();
  }
  return status;
}

}  // namespace

tacit_status keep_error(const Error& error) {
  last_error() = printable(error.message);
  return static_cast<tacit_status>(error.code);
}

tacit_status keep_exception() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return keep(TACIT_OUT_OF_MEMORY, "", "out of memory");
  } catch (const std::length_error& exception) {  // of a container, that would be larger than memory can be
    return keep(TACIT_OUT_OF_MEMORY, "out of memory: ", exception.what());
  } catch (const std::system_error& exception) {
    // So a thread says that the system has no room for another.
    const bool lacks_room = exception.code() == std::errc::resource_unavailable_try_again;
    if (lacks_room) return keep(TACIT_OUT_OF_MEMORY, "out of threads: ", exception.what());
    return keep(TACIT_INTERNAL, "a fault of this program: ", exception.what());
  } catch (const std::exception& exception) {
    return keep(TACIT_INTERNAL, "a fault of this program: ", exception.what());
  } catch (...) {
    return keep(TACIT_INTERNAL, "a fault of this program: ", "an exception without a message");
  }
}

void clear_error() { last_error().clear(); }

Status require(bool condition, const char* what) {
  if (condition) return {};
  return usage_error(std::string(what) + " must not be NULL");
}

}  // namespace tacit

extern "C" const char* tacit_last_error(void) { return tacit::last_error().c_str(); }
