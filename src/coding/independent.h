// SPDX-License-Identifier: MIT
// Symbols to code streams and back, many strips of text that know nothing of each other: each has a history of its own, so
// that any of them decodes alone, to the same bits. Strips may differ in length: a lane that has ended one takes the next,
// the longest first, so that lanes stay full until there are no more strips. Threads share nothing but the list of strips
// that are left. With fewer strips than threads, they are coded one after another by all threads (coding/lockstep.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "coding/coding_context.h"
#include "coding/lane_caches.h"
#include "coding/lockstep.h"

namespace tacit {

class Apart {
 public:
  // `lane_count`: strips that are coded side by side, of all threads, where there are so many. It changes no bit.
  Apart(const CodingContext& context, std::uint32_t lane_count)
      : context_(context), lane_count_(lane_count), caches_(context.model.config, context.window), alone_(context) {}

  // As of Lockstep; `symbols_done` grows strip by strip and not step by step.
  Result<std::vector<ByteVector>> encode(std::span<const std::span<const TokenId>> strips,
                                         const CodingObserver& observer);
  Result<std::vector<std::vector<TokenId>>> decode(std::span<const CodedStrip> strips, const CodingObserver& observer);

 private:
  template <class Port>
  Status run(std::vector<Port>& ports, const CodingObserver& observer);
  Status one_by_one(std::span<const std::uint64_t> symbol_counts, const CodingObserver& observer,
                    const std::function<Status(std::size_t, const CodingObserver&)>& work);
  [[nodiscard]] bool are_few(std::size_t strip_count) const;

  CodingContext context_;
  std::uint32_t lane_count_;
  LaneCaches caches_;
  Lockstep alone_;
};

}  // namespace tacit
