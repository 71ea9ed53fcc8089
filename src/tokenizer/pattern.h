// SPDX-License-Identifier: MIT
// The regular expressions of pre-tokenizers, matched as llama.cpp has std::regex match them: the first alternative
// that matches counts, greedy. A matcher of our own, because symbols must be the same on every machine, because time
// must be linear, and because llama.cpp's classes are no Unicode classes: all white space but ASCII is "\v" to it, and
// "~" is no symbol. Knows characters, not tokens.
//
// Accepted: characters, \r \n \t \s \S \d \p{L N P M S Han} (and Lu Ll Lt Lm Lo, which mean L), other escaped
// characters, [classes] and their && intersection, (?: ) and ( ), (?!x) for a class x, ? * + {n} {n,m}, |. A group
// gives nothing back once it has matched; a class does. No pattern may match nothing.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/unicode.h"

namespace tacit {

// A character with its kind and the bytes that it takes, as packed as texts are long.
class Character {
 public:
  Character(DecodedCharacter decoded)
      : bits_(decoded.code_point | static_cast<std::uint32_t>(kind_of(decoded.code_point)) << 21 | decoded.size << 24) {
  }
  [[nodiscard]] std::uint32_t code_point() const { return bits_ & 0x1fffff; }
  [[nodiscard]] CharacterKind kind() const { return static_cast<CharacterKind>(bits_ >> 21 & 7); }
  [[nodiscard]] std::uint32_t size() const { return bits_ >> 24; }

 private:
  std::uint32_t bits_;
};

// A class as written between brackets: characters, kinds, or all others.
struct CharacterSet {
  struct Range {
    std::uint32_t first, last;
  };

  void add(std::uint32_t first, std::uint32_t last);
  void add(CharacterKind kind);
  [[nodiscard]] bool contains(std::uint32_t code_point, CharacterKind kind) const;

  std::bitset<128> ascii;
  std::uint8_t kinds = 0;     // by kind, of the characters that are not ASCII
  std::vector<Range> ranges;  // of characters that are not ASCII
  bool inverted = false;
};

// What several sets have in common, ready to be looked up.
class CharacterClass {
 public:
  CharacterClass() = default;
  explicit CharacterClass(std::vector<CharacterSet> sets);

  [[nodiscard]] bool contains(Character character) const {
    const std::uint32_t code_point = character.code_point();
    if (code_point < kAsciiEnd) return ascii_[code_point];
    if (!may_contain(character.kind())) return false;
    return sets_.empty() || character.kind() == CharacterKind::kWhiteSpace || all_contain(character);
  }
  [[nodiscard]] bool contains_ascii(std::uint32_t code_point) const { return ascii_[code_point]; }
  // Whether it may contain a character of this kind that is not ASCII.
  [[nodiscard]] bool may_contain(CharacterKind kind) const { return (kinds_ >> static_cast<int>(kind) & 1) != 0; }

 private:
  static constexpr std::uint32_t kAsciiEnd = 128;

  [[nodiscard]] bool all_contain(Character character) const;

  std::bitset<kAsciiEnd> ascii_;
  std::uint8_t kinds_ = 0;
  std::vector<CharacterSet> sets_;  // where kinds do not tell: all sets, if some have ranges
};

class Pattern {
 public:
  explicit Pattern(std::string_view expression);

  // Replaces each of `pieces`, sizes that add up to text.size(), by the sizes of its matches and of what is between
  // them.
  void split(std::span<const Character> text, std::vector<std::uint32_t>& pieces) const;

 private:
  class Parser;

  static constexpr std::size_t kNoMatch = ~std::size_t{0};

  enum class ItemType { kClass, kGroup, kNotFollowedBy };
  struct Item;
  using Sequence = std::vector<Item>;
  struct Item {
    ItemType type = ItemType::kClass;
    CharacterClass set;                  // not for groups
    std::vector<Sequence> alternatives;  // of a group
    std::size_t minimum = 1, maximum = 1;
  };

  void index_first_characters(std::span<const Item> items, std::uint32_t bit);
  // By alternative: it matches nowhere before this place. One that starts with a run of a class and fails at the run's
  // first character fails at all of them, which keeps time linear.
  using Failures = std::array<std::size_t, 32>;

  // The end of the match at `begin` < text.size(), or kNoMatch.
  std::size_t match(std::span<const Character> text, std::size_t begin, Failures& failures) const;
  static std::size_t end_of_run(const Item& item, std::span<const Character> text, std::size_t begin);
  static std::size_t match(std::span<const Item> items, std::span<const Character> text, std::size_t begin);
  static std::size_t match_giving_back(std::span<const Item> items, std::span<const Character> text, std::size_t begin,
                                       std::size_t count);
  static std::size_t match_group(const Item& group, std::span<const Character> text, std::size_t begin);

  std::vector<Sequence> alternatives_;
  // Bit i: alternative i may start with this ASCII character, or with another of this kind.
  std::array<std::uint32_t, 128> by_ascii_{};
  std::array<std::uint32_t, 8> by_kind_{};
};

}  // namespace tacit
