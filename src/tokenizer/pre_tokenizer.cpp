// SPDX-License-Identifier: MIT
// The table of pre-tokenizers, and the few expressions of it that are no patterns. The expressions are those that the
// models' authors published, in the form in which llama.cpp has them (src/llama-vocab.cpp and src/unicode.cpp), but for
// look-aheads that restrict a class, which are written as intersections.
#include "tokenizer/pre_tokenizer.h"

#include <algorithm>

namespace tacit {
namespace {

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))";

constexpr std::string_view kLlama3 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kQwen2 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kQwen35 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kUfakZeka =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kJais2 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S))"
    R"(|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";

constexpr std::string_view kDeepseekLlmLetters =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-)"
    R"(ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ)"
    R"(-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";

constexpr std::string_view kDeepseekLlmPunctuation = R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)";

constexpr std::string_view kDeepseekCjk = R"([一-龥ࠀ-一가-퟿]+)";

constexpr std::string_view kDeepseek3Cjk = R"([一-龥぀-ゟ゠-ヿ]+)";

constexpr std::string_view kDeepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kSpark =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)";

constexpr std::string_view kYoutuCjk =
    "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f"
    "\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";

constexpr std::string_view kYoutu = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
                                    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
                                    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kTinyAya = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
                                      R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                      R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
                                      R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                      R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kFalconPunctuation = R"([\p{P}\$\+<=>\^~\|`]+)";

constexpr std::string_view kDefaultPunctuation = R"([\p{P}\$\+<=>\^~\|]+)";

constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";

constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kGpt4o = R"([^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+)"
                                    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                    R"(|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*)"
                                    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kGraniteEmbedding = R"([^\r\n\p{L}\p{N}]?[\p{L}\p{M}&&[^a-z]]*[\p{L}\p{M}&&[^A-Z]]+)"
                                               R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                               R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}&&[^a-z]]+[\p{L}\p{M}&&[^A-Z]]*)"
                                               R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                               R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// llama.cpp splits these by hand; this is what its code does.
constexpr std::string_view kKimiK2 = R"(\p{Han}+|[^\r\n\p{L}\p{N}]?[\p{L}&&[^\p{Han}]]+)"
                                     R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)"
                                     R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kBailingMoe = R"('(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";

constexpr std::string_view kSeedCoder =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1})"
    R"(| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kMiniCpm5 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+)"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kExaoneMoe = R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]))"
                                        R"(|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N})"
                                        R"(| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";

constexpr std::string_view kAfmoeScripts =
    "[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f"
    "\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+";

// These are no patterns: find_function.
constexpr std::string_view kTrailingWhiteSpace = R"(\s+$)";
constexpr std::string_view kAfmoeDigits = R"(\p{AFMoE_digits})";
constexpr std::string_view kSuperbpeDigits = R"((?=(\d{3})+(?!\d)))";
constexpr std::string_view kTinyAyaDigits = R"(\d{1,3}(?=(?:\d{3})*\b))";

using Rule = PreTokenizer::Rule;

constexpr Rule kRules[] = {
    {"default", {kDefaultPunctuation, kGpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
    {"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     {kLlama3},
     {.ignores_merges = true, .adds_bos = true}},
    {"dbrx smaug-bpe", {kLlama3}},
    {"chatglm-bpe glm4", {kLlama3}, {.has_bos = false}},
    {"jais-2", {kJais2}},
    {"deepseek-llm",
     {R"([\r\n])", kDeepseekLlmLetters, kDeepseekLlmPunctuation, kTrailingWhiteSpace, kDeepseekCjk, R"(\p{N}+)"}},
    {"deepseek-coder", {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepseekCjk, R"(\p{N})"}},
    {"deepseek-v3 hunyuan-dense hy_v4 joyai-llm", {R"(\p{N}{1,3})", kDeepseek3Cjk, kDeepseek3}},
    {"spark2_5", {R"(\p{N}{1,3})", kDeepseek3Cjk, kSpark, R"(\p{N})"}},
    {"youtu", {kYoutuCjk, kYoutu}, {.ignores_merges = true}},
    {"falcon", {kFalconPunctuation, kGpt2, "[0-9][0-9][0-9]"}},
    {"gpt-2 phi-2 jina-es jina-de jina-v1-en jina-v2-code jina-v2-es jina-v2-de roberta-bpe gigachat a.x-4.0 mellum "
     "modern-bert exaone4 mpt olmo jais trillion granite-docling",
     {kGpt2}},
    {"starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", {R"(\p{N})", kGpt2}},
    {"qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2", {kQwen2}},
    {"qwen35", {kQwen35}},
    {"ufakzeka", {kUfakZeka}},
    {"laguna", {R"([^\n]+|[\n]+)", kQwen2}},
    {"poro-chat bloom gpt3-finnish", {kBloom}},
    {"viking", {kBloom, R"(\p{N})"}},
    {"tekken", {kTekken}, {.ignores_merges = true, .adds_bos = true}},
    {"chameleon",
     {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", R"(([\t\n]|    |  ))", R"(\p{N})",
      R"([\p{P}!-/:-@\[-`{-~])", kGpt2},
     {.adds_bos = true}},
    {"gpt-4o llama4 kanana2 talkie minimax-m2", {kGpt4o}},
    {"granite-embed-multi-97m", {kGraniteEmbedding}, {.ignores_merges = true}},
    {"tiny_aya cohere2moe", {kTinyAyaDigits, kTinyAya}},
    {"kimi-k2", {kKimiK2}, {.needs_merges = false}},
    {"superbpe", {R"(\p{N}+)", kSuperbpeDigits}},
    {"bailingmoe bailingmoe2 llada-moe", {kBailingMoe}},
    {"seed-coder", {kSeedCoder}},
    {"afmoe", {kAfmoeDigits, kAfmoeScripts, kDeepseek3}},
    {"exaone-moe", {kExaoneMoe}},
    {"minicpm5", {R"(\p{N}{1,3})", kMiniCpm5}, {.ignores_merges = true}},
    {"gemma4 granite-embed-multi-311m",
     {R"([^\n]+|[\n]+)"},
     {.keeps_blank_lines = true, .always_adds_bos = true, .is_byte_level = false}},
    {"sarvam-moe", {R"([^\n]+|[\n]+)"}, {.is_byte_level = false}},
};

bool is_ascii_digit(Character c) { return c.code_point() >= '0' && c.code_point() <= '9'; }

bool is_ascii_word(Character c) {
  const std::uint32_t lower = c.code_point() | 0x20;
  return is_ascii_digit(c) || c.code_point() == '_' || (lower >= 'a' && lower <= 'z');
}

// Cuts each of `pieces` where `mark_cuts(piece, cut)` calls cut(offset), in ascending order.
template <class MarkCuts>
void cut_pieces(std::span<const Character> text, std::vector<std::uint32_t>& pieces, const MarkCuts& mark_cuts) {
  std::vector<std::uint32_t> parts;
  parts.reserve(pieces.size());
  for (const std::uint32_t size : pieces) {
    std::size_t done = 0;
    const auto cut = [&](std::size_t offset) {
      if (offset > done) parts.push_back(static_cast<std::uint32_t>(offset - done));
      done = offset;
    };
    mark_cuts(text.first(size), cut);
    cut(size);
    text = text.subspan(size);
  }
  pieces.swap(parts);
}

void split_trailing_white_space(std::span<const Character> text, std::vector<std::uint32_t>& pieces) {
  cut_pieces(text, pieces, [](std::span<const Character> piece, const auto& cut) {
    std::size_t end = piece.size();
    while (end > 0 && piece[end - 1].kind() == CharacterKind::kWhiteSpace) --end;
    cut(end);
  });
}

struct DigitRule {
  bool ascii_only;
  bool isolated;         // from what is around them
  bool not_before_word;  // such digits stay as they are
};

// Digits in groups of three, the first of which may be shorter.
template <DigitRule kRule>
void split_digits(std::span<const Character> text, std::vector<std::uint32_t>& pieces) {
  const auto is_digit = [](Character c) {
    return kRule.ascii_only ? is_ascii_digit(c) : c.kind() == CharacterKind::kNumber;
  };
  cut_pieces(text, pieces, [&](std::span<const Character> piece, const auto& cut) {
    for (std::size_t begin = 0; begin < piece.size();) {
      std::size_t end = begin;
      while (end < piece.size() && is_digit(piece[end])) ++end;
      const bool is_left = kRule.not_before_word && end < piece.size() && is_ascii_word(piece[end]);
      if (end > begin && !is_left) {
        if (kRule.isolated) cut(begin);
        for (std::size_t i = begin + (end - begin) % 3; i < end; i += 3) cut(i);
        if (kRule.isolated) cut(end);
      }
      begin = std::max(end, begin + 1);
    }
  });
}

}  // namespace

const Rule* PreTokenizer::find(std::string_view name) {
  for (const Rule& rule : kRules) {
    for (std::string_view names = rule.names; !names.empty();) {
      const std::size_t end = std::min(names.find(' '), names.size());
      if (names.substr(0, end) == name) return &rule;
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  }
  return nullptr;
}

std::string PreTokenizer::names() {
  std::string all;
  for (const Rule& rule : kRules) all.append(all.empty() ? "" : " ").append(rule.names);
  return all;
}

PreTokenizer::PreTokenizer(const Rule& rule) {
  for (const std::string_view expression : rule.expressions) {
    if (expression.empty()) break;
    if (const SplitFunction function = find_function(expression); function != nullptr) {
      steps_.emplace_back(function);
    } else {
      steps_.emplace_back(Pattern(expression));
    }
  }
}

PreTokenizer::SplitFunction PreTokenizer::find_function(std::string_view expression) {
  if (expression == kTrailingWhiteSpace) return split_trailing_white_space;
  if (expression == kAfmoeDigits) return split_digits<DigitRule{false, true, false}>;
  if (expression == kSuperbpeDigits) return split_digits<DigitRule{true, false, false}>;
  if (expression == kTinyAyaDigits) return split_digits<DigitRule{true, true, true}>;
  return nullptr;
}

std::vector<std::uint32_t> PreTokenizer::split(std::string_view text) const {
  constexpr std::size_t kSliceBytesMax = std::size_t{1} << 26;
  std::vector<std::uint32_t> sizes;
  for (std::size_t begin = 0; begin < text.size(); begin += kSliceBytesMax) {
    split_slice(text.substr(begin, kSliceBytesMax), sizes);
  }
  return sizes;
}

// Appends to `sizes`.
void PreTokenizer::split_slice(std::string_view text, std::vector<std::uint32_t>& sizes) const {
  std::vector<Character> characters;
  characters.reserve(text.size());
  for (std::size_t offset = 0; offset < text.size(); offset += characters.back().size()) {
    characters.emplace_back(decode_character(text, offset));
  }
  std::vector<std::uint32_t> pieces = {static_cast<std::uint32_t>(characters.size())};
  for (const auto& step : steps_) {
    if (const auto* const pattern = std::get_if<Pattern>(&step)) {
      pattern->split(characters, pieces);
    } else {
      std::get<SplitFunction>(step)(characters, pieces);
    }
  }
  std::size_t index = 0;
  for (const std::uint32_t piece : pieces) {
    std::uint32_t size = 0;
    for (const std::size_t end = index + piece; index < end; ++index) size += characters[index].size();
    sizes.push_back(size);
  }
}

}  // namespace tacit
