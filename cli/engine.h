// SPDX-License-Identifier: MIT
// The model of a request, opened once for all its files, and the library's options that go with it.
#pragma once

#include <string>

#include "exit_code.h"
#include "request.h"
#include "tacit/tacit.h"

namespace tacit::cli {

class Engine {
 public:
  // `request` must outlive the engine.
  explicit Engine(const Request& request) : request_(request) {}
  ~Engine() {
    tacit_model_close(model_);
    tacit_model_close(found_model_);
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Opens the model that was named, if one was: the library finds the built-in one by itself, and the one that an
  // archive names. Reports a failure: kModel whatever the reason, since the model asked for is not to be had.
  ExitCode open();
  // As open(), and opens the built-in model where none was named, so that model() has a value.
  ExitCode open_always();
  const tacit_model* model() const { return model_; }
  tacit_options options() const;

 private:
  static ExitCode report_opening(tacit_status status, const std::string& name);

  const Request& request_;
  tacit_model* model_ = nullptr;
  mutable tacit_model* found_model_ = nullptr;  // kept from archive to archive
};

}  // namespace tacit::cli
