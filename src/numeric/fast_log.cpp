// SPDX-License-Identifier: MIT
#include "numeric/fast_log.h"

#include "numeric/double_math.h"

namespace tacit::numeric {

FastLog::FastLog() {
  for (std::size_t i = 0; i < kSize; ++i) {
    center_[i] = 1.0 + (static_cast<double>(i) + 0.5) / static_cast<double>(kSize);
    inverse_[i] = 1.0 / center_[i];
    log_[i] = log(center_[i]);
  }
}

const FastLog& FastLog::instance() {
  static const FastLog table;
  return table;
}

}  // namespace tacit::numeric
