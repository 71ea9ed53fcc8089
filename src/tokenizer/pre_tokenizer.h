// SPDX-License-Identifier: MIT
// Pre-tokenizers: where a text is cut into words before byte-pair encoding merges inside of each, by the name that a
// model file has in tokenizer.ggml.pre. All of them are one table of regular expressions and flags, as llama.cpp has
// them; knows nothing of vocabularies.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/pattern.h"

namespace tacit {

class PreTokenizer {
 public:
  // Where the file says nothing of BOS, the flags do.
  struct Flags {
    bool ignores_merges = false;     // a word that is a token is that token, whatever the merges say
    bool keeps_blank_lines = false;  // the same for words of line feeds only
    bool adds_bos = false;
    bool always_adds_bos = false;  // even where the file says no
    bool has_bos = true;
    bool needs_merges = true;
    bool is_byte_level = true;  // pieces spell bytes by characters; else they are text with U+2581 for the space
  };

  struct Rule {
    std::string_view names;  // separated by spaces
    // Each cuts what the one before has left in one piece.
    std::array<std::string_view, 6> expressions;
    Flags flags = {};
  };

  // nullptr for a name that is not known.
  static const Rule* find(std::string_view name);
  // All names, for a message.
  static std::string names();

  explicit PreTokenizer(const Rule& rule);

  // The sizes in bytes of the words of `text`, none of them 0. Differs from llama.cpp in one thing: a text of more
  // than 64 MiB is cut after as many, which bounds memory (at some 600 MB).
  [[nodiscard]] std::vector<std::uint32_t> split(std::string_view text) const;

 private:
  // `pieces`, sizes in characters, become smaller ones.
  using SplitFunction = void (*)(std::span<const Character> text, std::vector<std::uint32_t>& pieces);

  static SplitFunction find_function(std::string_view expression);
  void split_slice(std::string_view text, std::vector<std::uint32_t>& sizes) const;

  std::vector<std::variant<Pattern, SplitFunction>> steps_;
};

}  // namespace tacit
