// SPDX-License-Identifier: MIT
// What History says of random symbols is compared with a search through all of them; lists are newest first, as deep
// as promised, true in spite of colliding buckets, and never reach over the start of a strip.
#include "mixing/history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace tacit {
namespace {

using Random = std::mt19937_64;
using Symbols = std::vector<std::uint32_t>;
constexpr std::size_t kOrders = History::kOrders.size();
// What the model holds likely, where it is always the same.
constexpr std::uint32_t kTop = 3;
constexpr std::uint32_t kSecond = 4;

// A history that is filled a symbol at a time, as one that has been coded.
class Feed {
 public:
  explicit Feed(const std::vector<std::uint64_t>& sizes)
      : history_(sizes), sizes_(sizes), steps_(sizes.size()), matches_(sizes.size(), History::kNoPosition) {}

  void add(std::size_t lane, std::uint32_t symbol) {
    const History::Buckets buckets = history_.buckets_of(lane, steps_[lane]);
    const std::uint32_t position = next(lane);
    history_.set(lane, steps_[lane], symbol);
    history_.enter(buckets, history_.model_keys_of(lane, steps_[lane], kTop, kSecond), position);
    entered_.push_back({position, static_cast<std::uint32_t>(steps_[lane]), buckets});
    if (++steps_[lane] == sizes_[lane]) return;
    const std::uint32_t bucket = this->buckets(lane)[kOrders];
    matches_[lane] = history_.find_match(bucket, next(lane));
    history_.enter_match(bucket, next(lane));
  }
  void add(std::size_t lane, const Symbols& symbols) {
    for (const std::uint32_t symbol : symbols) add(lane, symbol);
  }

  [[nodiscard]] std::uint64_t step(std::size_t lane) const { return steps_[lane]; }
  [[nodiscard]] std::uint32_t next(std::size_t lane) const { return history_.position_of(lane, steps_[lane]); }
  [[nodiscard]] History::Buckets buckets(std::size_t lane) const { return history_.buckets_of(lane, steps_[lane]); }
  [[nodiscard]] Symbols found(std::size_t lane, std::size_t order) const {
    Symbols symbols;
    History::Occurrences occurrences;
    history_.find(buckets(lane), history_.model_keys_of(lane, steps_[lane], kTop, kSecond), occurrences);
    history_.for_each_occurrence(order, occurrences, next(lane),
                                 [&](std::uint32_t symbol) { symbols.push_back(symbol); });
    return symbols;
  }
  // As found before the lane's next position was entered itself.
  [[nodiscard]] std::uint32_t match(std::size_t lane) const { return matches_[lane]; }
  [[nodiscard]] const History& history() const { return history_; }

  // The same by a search through all that was entered; counts the positions that share a bucket and no context.
  [[nodiscard]] Symbols searched(std::size_t lane, std::size_t order, std::size_t& collisions) const {
    Symbols symbols;
    const std::uint32_t bucket = buckets(lane)[order];
    const std::uint32_t length = History::kOrders[order];
    std::uint32_t looked_at = 0;
    for (auto at = entered_.rbegin(); at != entered_.rend() && looked_at < History::kDepths[order]; ++at) {
      if (bucket == History::kNoPosition || at->buckets[order] != bucket) continue;
      ++looked_at;
      if (at->step >= length && same(at->position, next(lane), length)) {
        symbols.push_back(history_.symbol_at(at->position));
      } else {
        ++collisions;
      }
    }
    return symbols;
  }

 private:
  struct Entered {
    std::uint32_t position;
    std::uint32_t step;
    History::Buckets buckets;
  };

  [[nodiscard]] bool same(std::uint32_t a, std::uint32_t b, std::uint32_t length) const {
    for (std::uint32_t i = 1; i <= length; ++i) {
      if (history_.symbol_at(a - i) != history_.symbol_at(b - i)) return false;
    }
    return true;
  }

  History history_;
  std::vector<std::uint64_t> sizes_;
  std::vector<std::uint64_t> steps_;
  std::vector<std::uint32_t> matches_;
  std::vector<Entered> entered_;
};

TEST(History, PlacesOfAContextComeNewestFirst) {
  Feed feed({100});
  feed.add(0, {7, 1, 7, 2, 8, 7, 3, 9, 7});
  EXPECT_EQ(feed.found(0, 0), (Symbols{3, 2, 1}));
  EXPECT_EQ(feed.found(0, 1), Symbols{});  // 9 7 is new
  feed.add(0, {4, 9, 7});
  EXPECT_EQ(feed.found(0, 0), (Symbols{4, 3, 2, 1}));
  EXPECT_EQ(feed.found(0, 1), Symbols{4});
}

TEST(History, EveryOrderFindsItsContext) {
  Feed feed({100});
  feed.add(0, {1, 2, 3, 4, 5, 6, 7, 8, 50, 1, 2, 3, 4, 5, 6, 7, 8});
  for (std::size_t order = 0; order < kOrders; ++order) EXPECT_EQ(feed.found(0, order), Symbols{50}) << order;
  feed.add(0, {51, 9, 2, 3, 4, 5, 6, 7, 8});  // differs in the eighth symbol back
  for (std::size_t order = 0; order < kOrders; ++order) {
    EXPECT_EQ(feed.found(0, order), History::kOrders[order] < 8 ? (Symbols{51, 50}) : Symbols{}) << order;
  }
}

TEST(History, NoMoreThanTheNewestPlacesAreLookedAt) {
  Feed feed({3000});
  Symbols followers;
  for (std::uint32_t i = 0; i < 200; ++i) {
    feed.add(0, {1, 2, 3, 4, 5, 6, 7, 8, 100 + i});
    followers.insert(followers.begin(), 100 + i);
  }
  feed.add(0, {1, 2, 3, 4, 5, 6, 7, 8});
  for (std::size_t order = 0; order < kOrders; ++order) {
    const Symbols newest(followers.begin(), followers.begin() + History::kDepths[order]);
    EXPECT_EQ(feed.found(0, order), newest) << order;
  }
}

// A thousand symbols have 2^10 buckets, and there are nearly as many contexts of each order: many share one.
TEST(History, FindsWhatASearchFindsAlthoughBucketsCollide) {
  for (const std::uint32_t alphabet : {2u, 30u, 700u, 100000u}) {
    Random random(alphabet);
    const std::vector<std::uint64_t> sizes = {500, 1, 0, 300, 190};
    Feed feed(sizes);
    std::size_t collisions = 0;
    for (std::uint64_t step = 0; step < 500; ++step) {
      for (std::size_t lane = 0; lane < sizes.size(); ++lane) {
        if (step >= sizes[lane]) continue;
        for (std::size_t order = 0; order < kOrders; ++order) {
          ASSERT_EQ(feed.found(lane, order), feed.searched(lane, order, collisions))
              << "alphabet " << alphabet << ", lane " << lane << ", step " << step << ", order " << order;
        }
        feed.add(lane, static_cast<std::uint32_t>(random() % alphabet * 2654435761));
      }
    }
    EXPECT_GE(collisions, alphabet > 2 ? 100u : 0u) << alphabet;
  }
}

TEST(History, ContextsDoNotReachOverTheStartOfAStrip) {
  Feed feed({70, 50});
  feed.add(0, Symbols(70, 1));
  for (std::uint32_t step = 0; step < 15; ++step) {
    const History::Buckets buckets = feed.buckets(1);
    for (std::size_t order = 0; order < kOrders; ++order) {
      const bool is_long_enough = History::kOrders[order] <= step;
      EXPECT_EQ(buckets[order] != History::kNoPosition, is_long_enough) << step << ", order " << order;
      EXPECT_EQ(feed.found(1, order).size(), is_long_enough ? History::kDepths[order] : 0) << step;
    }
    EXPECT_EQ(buckets[kOrders] != History::kNoPosition, step >= History::kMatchMin) << step;
    EXPECT_EQ(feed.match(1) != History::kNoPosition, step >= History::kMatchMin) << step;
    feed.add(1, 1);
  }
}

TEST(History, AMatchIsTheNewestPlaceThatEnoughSymbolsPrecede) {
  Symbols enough;
  for (std::uint32_t i = 0; i < History::kMatchMin; ++i) enough.push_back(10 + i);
  Feed feed({60, 60});
  feed.add(0, enough);
  feed.add(0, Symbols{1});
  feed.add(1, Symbols(enough.begin() + 1, enough.end()));
  EXPECT_EQ(feed.match(1), History::kNoPosition) << "one symbol short";
  feed.add(1, Symbols{2, 2});
  feed.add(1, Symbols(enough.begin(), enough.end() - 1));
  EXPECT_EQ(feed.match(1), History::kNoPosition) << "one symbol short";
  feed.add(1, Symbols{3});
  EXPECT_EQ(feed.match(1), History::kNoPosition) << "one symbol short, and another";
  feed.add(0, Symbols(enough.begin(), enough.end() - 1));
  EXPECT_EQ(feed.match(0), History::kNoPosition);
  feed.add(1, enough);
  EXPECT_EQ(feed.match(1), History::kMatchMin) << "of the other lane";
  feed.add(1, Symbols{5});
  feed.add(0, Symbols{6});
  feed.add(0, enough);
  ASSERT_NE(feed.match(0), History::kNoPosition);
  EXPECT_EQ(feed.history().symbol_at(feed.match(0)), 5u) << "the newest";
}

// The positions of a context with the model's tokens.
Symbols found_by_model(const History& history, std::size_t context, std::size_t lane, std::uint64_t step,
                       std::uint32_t first, std::uint32_t second) {
  Symbols symbols;
  const History::ModelKeys keys = history.model_keys_of(lane, step, first, second);
  History::Occurrences occurrences;
  history.find(history.buckets_of(lane, step), keys, occurrences);
  history.for_each_model_occurrence(context, occurrences, keys[context],
                                    [&](std::uint32_t symbol) { symbols.push_back(symbol); });
  return symbols;
}

TEST(History, ContextsWithTheModelsTokensAreThoseTokensAndSomeSymbols) {
  History history(std::vector<std::uint64_t>{50, 50});
  std::uint64_t step = 0;
  const auto add = [&](std::uint32_t symbol, std::uint32_t first, std::uint32_t second) {
    const History::ModelKeys keys = history.model_keys_of(0, step, first, second);
    history.enter(history.buckets_of(0, step), keys, history.position_of(0, step));
    history.set(0, step++, symbol);
  };
  const auto found = [&](std::size_t context, std::uint32_t first, std::uint32_t second) {
    return found_by_model(history, context, 0, step, first, second);
  };
  for (const std::uint32_t symbol : {1, 2, 3}) add(symbol, 90, 91);
  add(40, 7, 8);
  for (const std::uint32_t symbol : {1, 2, 5}) add(symbol, 90, 91);
  // Context 0 is the first token and the symbols before the last one; the second token is not in it.
  EXPECT_EQ(found(0, 7, 9), Symbols{40});
  EXPECT_EQ(found(0, 6, 8), Symbols{});
  add(41, 7, 9);
  for (const std::uint32_t symbol : {1, 2, 3}) add(symbol, 90, 91);
  EXPECT_EQ(found(0, 7, 8), (Symbols{41, 40})) << "newest first";
  // Context 1 is both tokens and the last symbol.
  EXPECT_EQ(found(1, 7, 8), Symbols{40});
  EXPECT_EQ(found(1, 7, 9), Symbols{}) << "3 stands where 5 stood";
  EXPECT_EQ(found(1, 8, 7), Symbols{}) << "the order of the tokens counts";
  EXPECT_EQ(found_by_model(history, 1, 1, 0, 90, 91), Symbols{1}) << "at the start of a strip, as of the other";
}

TEST(History, NoMoreThanTheNewestPlacesOfAModelContextAreLookedAt) {
  History history(std::vector<std::uint64_t>{400});
  for (std::uint64_t step = 0; step < 300; ++step) {
    const History::ModelKeys keys = history.model_keys_of(0, step, 1, 2);
    history.enter(history.buckets_of(0, step), keys, history.position_of(0, step));
    history.set(0, step, 9);
  }
  for (std::size_t context = 0; context < History::kModelContexts; ++context) {
    EXPECT_EQ(found_by_model(history, context, 0, 300, 1, 2), Symbols(History::kModelDepth, 9));
  }
}

// Of many symbols whose buckets collide: a match that is found is one, and one whose bucket nothing took is found.
TEST(History, MatchesAreTrueAlthoughBucketsCollide) {
  Random random(5);
  Symbols text;
  for (int i = 0; i < 450; ++i) text.push_back(static_cast<std::uint32_t>(random() % 1000));
  const History::Buckets none = [] {
    History::Buckets buckets;
    buckets.fill(History::kNoPosition);
    return buckets;
  }();
  History history(std::vector<std::uint64_t>{900});
  std::size_t found = 0;
  std::size_t refused = 0;
  for (std::uint32_t step = 0; step < 900; ++step) {
    const History::Buckets buckets = history.buckets_of(0, step);
    EXPECT_EQ(buckets == none, step == 0);
    const std::uint32_t match = history.find_match(buckets[kOrders], step);
    if (match != History::kNoPosition) {
      EXPECT_EQ(match + 450, step);
      ++found;
    } else if (step >= 450 + History::kMatchMin) {
      ++refused;  // its bucket was taken by another context
    }
    history.enter_match(buckets[kOrders], step);
    history.set(0, step, text[step % 450]);
  }
  EXPECT_EQ(found + refused, 450 - History::kMatchMin);
  EXPECT_GT(found, 150u);
  EXPECT_GT(refused, 20u);
}

}  // namespace
}  // namespace tacit
