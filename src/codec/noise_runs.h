// SPDX-License-Identifier: MIT
// Finds images and other binary data that lie in a text as base64: long runs of random letters, which a model codes no
// better than a compressor does, and which spoil the text around them for it.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"

namespace tacit {

struct NoiseRun {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

// At most `count_max` of them, the longest, in the order of the text. A run may have line ends inside, as they are or
// spelled `\n`. One that the text repeats is left to the model, whose experts have the repeats nearly free.
std::vector<NoiseRun> find_noise_runs(ByteSpan text, std::size_t count_max);

}  // namespace tacit
