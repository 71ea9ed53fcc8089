// SPDX-License-Identifier: MIT
// Work that no signal handler may see half done.
#pragma once

#include <csignal>

namespace tacit {

// While it lives, signals are held back from this thread and from those that it starts meanwhile. But for those that an
// instruction of the thread itself brings about: held back, they would end the process past a client's handler.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t held;
    sigfillset(&held);
    for (const int signal_number : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
      sigdelset(&held, signal_number);
    }
    ::pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  ~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

}  // namespace tacit
