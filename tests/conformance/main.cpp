// SPDX-License-Identifier: MIT
// tacit_conformance DIR...: runs folders of a conformance kit (models, quants, tokenizers, or a folder that holds
// them). One line a model, tensor type or vocabulary. Exit 0: all passed; 1: a miss; 2: no such kit.
#include <cstdio>
#include <exception>

#include "conformance/kit.h"

namespace {

using namespace tacit::conformance;

struct Total {
  std::uint32_t parts = 0;
  std::uint32_t misses = 0;
};

void check(const fs::path& folder, Total& total) {
  for (const auto part : {check_models, check_types, check_vocabularies}) {
    const std::optional<std::uint32_t> misses = part(folder);
    if (!misses.has_value()) continue;
    ++total.parts;
    total.misses += *misses;
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2) {
    std::fprintf(stderr, "usage: tacit_conformance DIR...\n");
    return 2;
  }
  try {
    for (int i = 1; i < argument_count; ++i) {
      Total total;
      const fs::path folder = arguments[i];
      check(folder, total);
      for (const char* part : {"models", "quants", "tokenizers"}) {
        if (fs::is_directory(folder / part)) check(folder / part, total);
      }
      if (total.parts == 0) {
        std::fprintf(stderr, "%s: found no manifest.json and no .jsonl, expected a folder of the kit\n", arguments[i]);
        return 2;
      }
      std::printf("%s: %u misses\n", arguments[i], total.misses);
      if (total.misses > 0) return 1;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tacit_conformance: %s\n", error.what());
    return 2;
  }
  return 0;
}
