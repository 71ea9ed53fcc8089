// SPDX-License-Identifier: MIT
// Parsing and matching. Expressions come from our own table, so that one that makes no sense is a bug, not an error.
#include "tokenizer/pattern.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>
#include <string>

namespace tacit {
namespace {

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

// What llama.cpp's splitter of kimi-k2 takes for Han.
constexpr CharacterSet::Range kHan[] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},
                                        {0x20000, 0x2a6df}, {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f},
                                        {0x2b820, 0x2ceaf}, {0x2ceb0, 0x2ebef}, {0x2f800, 0x2fa1f}};

}  // namespace

void CharacterSet::add(std::uint32_t first, std::uint32_t last) {
  const auto end = static_cast<std::uint32_t>(ascii.size());
  for (std::uint32_t c = first; c <= last && c < end; ++c) ascii.set(c);
  if (last >= end) ranges.push_back({std::max(first, end), last});
}

void CharacterSet::add(CharacterKind kind) {
  for (std::uint32_t c = 0; c < ascii.size(); ++c) {
    if (kind_of(c) == kind && c != '~') ascii.set(c);
  }
  kinds |= static_cast<std::uint8_t>(1u << static_cast<int>(kind));
}

bool CharacterSet::contains(std::uint32_t code_point, CharacterKind kind) const {
  if (code_point < ascii.size()) return ascii[code_point] != inverted;
  if (kind == CharacterKind::kWhiteSpace) return ascii['\v'] != inverted;
  const bool listed =
      (kinds >> static_cast<int>(kind) & 1) != 0 || std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
        return range.first <= code_point && code_point <= range.last;
      });
  return listed != inverted;
}

CharacterClass::CharacterClass(std::vector<CharacterSet> sets) {
  const auto in_all = [&](std::uint32_t code_point, CharacterKind kind) {
    return std::all_of(sets.begin(), sets.end(),
                       [&](const CharacterSet& set) { return set.contains(code_point, kind); });
  };
  for (std::uint32_t c = 0; c < kAsciiEnd; ++c) ascii_[c] = in_all(c, kind_of(c));
  const bool has_ranges =
      std::any_of(sets.begin(), sets.end(), [](const CharacterSet& set) { return !set.ranges.empty(); });
  constexpr std::uint32_t kNoCharacter = ~std::uint32_t{0};  // in no range
  for (int i = 0; i < 8; ++i) {
    const auto kind = static_cast<CharacterKind>(i);
    const bool is_white = kind == CharacterKind::kWhiteSpace;
    if (is_white ? ascii_['\v'] : has_ranges || in_all(kNoCharacter, kind)) kinds_ |= static_cast<std::uint8_t>(1 << i);
  }
  if (has_ranges) sets_ = std::move(sets);
}

bool CharacterClass::all_contain(Character character) const {
  return std::all_of(sets_.begin(), sets_.end(),
                     [&](const CharacterSet& set) { return set.contains(character.code_point(), character.kind()); });
}

class Pattern::Parser {
 public:
  explicit Parser(std::string_view expression) : rest_(expression) {}

  std::vector<Sequence> parse_alternatives() {
    std::vector<Sequence> alternatives(1);
    while (!rest_.empty() && rest_[0] != ')') {
      if (skip("|")) {
        alternatives.emplace_back();
      } else {
        alternatives.back().push_back(parse_item());
      }
    }
    return alternatives;
  }

 private:
  bool skip(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  std::uint32_t take_character() {
    assert(!rest_.empty());
    const DecodedCharacter character = decode_character(rest_, 0);
    rest_.remove_prefix(character.size);
    return character.code_point;
  }

  std::size_t take_number() {
    std::size_t number = 0;
    while (rest_[0] >= '0' && rest_[0] <= '9') number = number * 10 + (take_character() - '0');
    return number;
  }

  Item parse_item() {
    Item item;
    if (skip("(?!")) {
      item.type = ItemType::kNotFollowedBy;
      item.set = parse_class();
      expect(")");
    } else if (skip("(?:") || skip("(")) {
      item.type = ItemType::kGroup;
      item.alternatives = parse_alternatives();
      expect(")");
    } else {
      item.set = parse_class();
    }
    parse_quantifier(item);
    return item;
  }

  void expect([[maybe_unused]] std::string_view text) {
    [[maybe_unused]] const bool found = skip(text);
    assert(found);
  }

  void parse_quantifier(Item& item) {
    if (skip("?")) {
      item.minimum = 0;
    } else if (skip("*")) {
      item.minimum = 0;
      item.maximum = kUnlimited;
    } else if (skip("+")) {
      item.maximum = kUnlimited;
    } else if (skip("{")) {
      item.minimum = item.maximum = take_number();
      if (skip(",")) item.maximum = take_number();
      expect("}");
    }
  }

  // One character, an escape or a class.
  CharacterClass parse_class() {
    std::vector<CharacterSet> sets;
    if (skip("[")) {
      parse_sets(sets);
    } else {
      sets.emplace_back();
      parse_member(sets.back());
    }
    return CharacterClass(std::move(sets));
  }

  // What is behind "[": members, then perhaps && and another class.
  void parse_sets(std::vector<CharacterSet>& sets) {
    CharacterSet set;
    set.inverted = skip("^");
    while (!rest_.starts_with("]") && !rest_.starts_with("&&")) parse_member(set);
    sets.push_back(std::move(set));
    if (skip("&&")) {
      expect("[");
      parse_sets(sets);
    }
    expect("]");
  }

  void parse_member(CharacterSet& set) {
    if (rest_[0] == '\\' && parse_named(set)) return;
    const std::uint32_t first = parse_character();
    std::uint32_t last = first;
    if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
      rest_.remove_prefix(1);
      last = parse_character();
    }
    set.add(first, last);
  }

  std::uint32_t parse_character() {
    if (!skip("\\")) return take_character();
    const std::uint32_t escaped = take_character();
    return escaped == 'r' ? '\r' : escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
  }

  // An escape that names a class.
  bool parse_named(CharacterSet& set) {
    if (skip("\\s")) return set.add(CharacterKind::kWhiteSpace), true;
    if (skip("\\d")) return set.add('0', '9'), true;
    if (skip("\\S")) {
      set.add(CharacterKind::kWhiteSpace);
      set.inverted = true;  // alone in its class, everywhere
      return true;
    }
    if (skip("\\p{Han}")) {
      for (const CharacterSet::Range& range : kHan) set.add(range.first, range.last);
      return true;
    }
    if (!skip("\\p{")) return false;
    set.add(parse_kind());
    while (!skip("}")) take_character();
    return true;
  }

  CharacterKind parse_kind() {
    constexpr std::string_view kLetters = "NLPMS";
    constexpr std::array kKinds = {CharacterKind::kNumber, CharacterKind::kLetter, CharacterKind::kPunctuation,
                                   CharacterKind::kMark, CharacterKind::kSymbol};
    const std::size_t index = kLetters.find(static_cast<char>(take_character()));
    assert(index < kKinds.size());
    return kKinds[index];
  }

  std::string_view rest_;
};

Pattern::Pattern(std::string_view expression) : alternatives_(Parser(expression).parse_alternatives()) {
  assert(alternatives_.size() <= std::tuple_size_v<Failures>);
  for (std::size_t i = 0; i < alternatives_.size(); ++i) index_first_characters(alternatives_[i], 1u << i);
}

// Marks `bit` for all characters that `items` may start with.
void Pattern::index_first_characters(std::span<const Item> items, std::uint32_t bit) {
  for (const Item& item : items) {
    for (const Sequence& alternative : item.alternatives) index_first_characters(alternative, bit);
    if (item.type == ItemType::kClass) {
      for (std::uint32_t c = 0; c < by_ascii_.size(); ++c) by_ascii_[c] |= item.set.contains_ascii(c) ? bit : 0;
      for (std::size_t kind = 0; kind < by_kind_.size(); ++kind) {
        by_kind_[kind] |= item.set.may_contain(static_cast<CharacterKind>(kind)) ? bit : 0;
      }
    }
    if (item.minimum > 0) return;
  }
}

void Pattern::split(std::span<const Character> text, std::vector<std::uint32_t>& pieces) const {
  std::vector<std::uint32_t> parts;
  parts.reserve(pieces.size());
  const auto append = [&parts](std::size_t size) {
    if (size > 0) parts.push_back(static_cast<std::uint32_t>(size));
  };
  for (const std::uint32_t piece : pieces) {
    const std::span<const Character> within = text.first(piece);
    std::size_t done = 0;
    Failures failures{};
    for (std::size_t begin = 0; begin < piece;) {
      const std::size_t end = match(within, begin, failures);
      if (end == kNoMatch) {
        ++begin;
        continue;
      }
      append(begin - done);
      append(end - begin);
      begin = done = end;
    }
    append(piece - done);
    text = text.subspan(piece);
  }
  pieces.swap(parts);
}

std::size_t Pattern::match(std::span<const Character> text, std::size_t begin, Failures& failures) const {
  const Character first = text[begin];
  std::uint32_t candidates = first.code_point() < by_ascii_.size() ? by_ascii_[first.code_point()]
                                                                   : by_kind_[static_cast<std::size_t>(first.kind())];
  for (; candidates != 0; candidates &= candidates - 1) {
    const auto index = static_cast<std::size_t>(std::countr_zero(candidates));
    if (begin < failures[index]) continue;
    const std::size_t end = match(alternatives_[index], text, begin);
    if (end != kNoMatch) return end;
    failures[index] = end_of_run(alternatives_[index][0], text, begin);
  }
  return kNoMatch;
}

// Up to where the characters are of an unlimited class; `begin` for any other item.
std::size_t Pattern::end_of_run(const Item& item, std::span<const Character> text, std::size_t begin) {
  if (item.type != ItemType::kClass || item.maximum != kUnlimited) return begin;
  while (begin < text.size() && item.set.contains(text[begin])) ++begin;
  return begin;
}

std::size_t Pattern::match(std::span<const Item> items, std::span<const Character> text, std::size_t begin) {
  for (; !items.empty(); items = items.subspan(1)) {
    const Item& item = items[0];
    if (item.type == ItemType::kNotFollowedBy) {
      if (begin < text.size() && item.set.contains(text[begin])) return kNoMatch;
    } else if (item.type == ItemType::kGroup) {
      begin = match_group(item, text, begin);
      if (begin == kNoMatch) return kNoMatch;
    } else {
      std::size_t count = 0;
      while (count < item.maximum && begin + count < text.size() && item.set.contains(text[begin + count])) ++count;
      if (count < item.minimum) return kNoMatch;
      if (items.size() > 1 && count > item.minimum) return match_giving_back(items, text, begin, count);
      begin += count;
    }
  }
  return begin;
}

// The class items[0] has matched `count` characters; as many of them count as what follows leaves it.
std::size_t Pattern::match_giving_back(std::span<const Item> items, std::span<const Character> text, std::size_t begin,
                                       std::size_t count) {
  for (;; --count) {
    const std::size_t end = match(items.subspan(1), text, begin + count);
    if (end != kNoMatch || count == items[0].minimum) return end;
  }
}

std::size_t Pattern::match_group(const Item& group, std::span<const Character> text, std::size_t begin) {
  for (std::size_t count = 0; count < group.maximum; ++count) {
    std::size_t end = kNoMatch;
    for (std::size_t i = 0; i < group.alternatives.size() && end == kNoMatch; ++i) {
      end = match(group.alternatives[i], text, begin);
    }
    if (end == kNoMatch) return count < group.minimum ? kNoMatch : begin;
    begin = end;
  }
  return begin;
}

}  // namespace tacit
