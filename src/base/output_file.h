// SPDX-License-Identifier: MIT
// An output that appears whole or not at all: the one way in which the library and its clients write files.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/descriptor.h"
#include "base/result.h"

namespace tacit {

// A file that is written under a temporary name beside its target and takes the target's name only in commit(), after
// it was synced. Destroyed without commit, it removes what it wrote. Signal handlers of a client may call
// remove_unfinished_outputs(), which is async-signal-safe, to keep that promise on Ctrl-C. A device or a pipe is
// written to directly; opening a pipe waits for its reader.
class OutputFile {
 public:
  // `replace` false: what has the name stays, also where it gets it before commit(). `access`: of the file that this
  // one is made from, taken over in commit() as far as the process may; until then nobody else can read it. Errors:
  // kIo.
  static Result<OutputFile> open(const std::string& path, bool replace, const std::optional<FileAccess>& access = {});

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Errors: kIo.
  Status write(ByteSpan bytes);
  // Syncs the file, gives it its name, and syncs the folder; to be called once. Errors: kIo.
  Status commit();

 private:
  OutputFile() = default;
  Status create();
  Status take_name();
  void forget_temporary();

  std::string path_;
  bool replace_ = false;
  std::optional<FileAccess> access_;
  std::string temporary_path_;  // "" where there is none
  int slot_ = -1;               // in the list that remove_unfinished_outputs() walks
  Descriptor descriptor_;
};

void remove_unfinished_outputs();

}  // namespace tacit
