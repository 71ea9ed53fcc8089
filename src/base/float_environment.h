// SPDX-License-Identifier: MIT
// The floating-point state that the contract needs: round to nearest even, subnormals kept. A host program may have
// changed it (a library built with -ffast-math sets flush-to-zero for the whole thread), so every thread that
// computes holds one of these, which sets the default state and gives the old one back.
#pragma once

#include <cfenv>

namespace tacit {

class DefaultFloatEnvironment {
 public:
  DefaultFloatEnvironment() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatEnvironment() { std::fesetenv(&saved_); }
  DefaultFloatEnvironment(const DefaultFloatEnvironment&) = delete;
  DefaultFloatEnvironment& operator=(const DefaultFloatEnvironment&) = delete;

 private:
  std::fenv_t saved_;
};

}  // namespace tacit
