// SPDX-License-Identifier: MIT
// Finds the data that tests share and the repository does not hold: the conformance kit, the measured texts, models.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace tacit::test {

inline std::filesystem::path shared_data_path(const std::filesystem::path& relative) {
  return std::filesystem::path(TACIT_SHARED_DIR) / relative;
}

// The files of a shared folder with that extension (".gguf"), in order of name.
inline std::vector<std::filesystem::path> shared_files(const std::filesystem::path& folder,
                                                       const std::filesystem::path& extension) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(shared_data_path(folder))) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace tacit::test

// In a test's body: ends the test as skipped, saying what it misses, where the shared file or folder is not there.
#define TACIT_NEEDS_SHARED(relative)                                                     \
  if (!std::filesystem::exists(tacit::test::shared_data_path(relative)))                 \
  GTEST_SKIP() << "needs " << tacit::test::shared_data_path(relative).lexically_normal() \
               << ", which is not on this machine"
