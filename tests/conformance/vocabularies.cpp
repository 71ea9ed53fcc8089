// SPDX-License-Identifier: MIT
// Vocabularies: the ids of every line of the kit, those of llama.cpp's own pairs of texts and ids, and that every text
// comes back from its symbols.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "base/file.h"
#include "conformance/kit.h"
#include "tokenizer/tokenizer.h"

namespace tacit::conformance {
namespace {

struct Line {
  ByteVector text;
  std::vector<TokenId> ids;
  bool add_special = false;
  bool parse_special = false;
};

ByteVector bytes_of_hex(const std::string& hex) {
  ByteVector bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::vector<Line> read_lines(const fs::path& path) {
  std::vector<Line> lines;
  std::ifstream in(path);
  for (std::string text; std::getline(in, text);) {
    const nlohmann::json entry = nlohmann::json::parse(text);
    lines.push_back({bytes_of_hex(entry.at("text_hex").get<std::string>()), entry.at("ids").get<std::vector<TokenId>>(),
                     entry.value("add_special", false), entry.value("parse_special", false)});
  }
  return lines;
}

// llama.cpp's own pairs: texts in VOCABULARY.inp behind separators, a line of ids each in VOCABULARY.out.
std::vector<Line> read_pairs(const fs::path& vocabulary) {
  std::ifstream texts(vocabulary.string() + ".inp", std::ios::binary);
  std::ifstream ids(vocabulary.string() + ".out");
  if (!texts || !ids) return {};
  const std::string all{std::istreambuf_iterator<char>(texts), {}};
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<Line> lines;
  std::string row;
  for (std::size_t begin = 0; begin < all.size() && std::getline(ids, row);) {
    const std::size_t end = std::min(all.find(separator, begin), all.size());
    Line line;
    line.text.assign(all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end));
    std::istringstream numbers(row);
    for (TokenId id; numbers >> id;) line.ids.push_back(id);
    lines.push_back(std::move(line));
    begin = end + separator.size();
  }
  return lines;
}

struct Score {
  std::size_t equal = 0;
  std::size_t kept = 0;
  std::size_t count = 0;
};

Score score(const Tokenizer& tokenizer, const std::vector<Line>& lines) {
  Score result;
  result.count = lines.size();
  for (const Line& line : lines) {
    result.equal += tokenizer.tokenize(line.text, line.add_special, line.parse_special) == line.ids ? 1 : 0;
    const auto decoded = tokenizer.decode(tokenizer.encode(line.text), true);
    result.kept += decoded.ok() && decoded.value() == line.text ? 1 : 0;
  }
  return result;
}

std::uint32_t check_vocabulary(const fs::path& folder, const fs::path& vocabulary, const std::string& name) {
  const auto mapping = MappedFile::open(vocabulary.string());
  if (!mapping.ok()) return report(false, name, mapping.error().message);
  const auto file = gguf::File::parse(mapping.value().bytes(), vocabulary.filename().string());
  if (!file.ok()) return report(false, name, file.error().message);
  const auto tokenizer = Tokenizer::load(file.value());
  if (!tokenizer.ok()) return report(false, name, tokenizer.error().message);
  bool passed = true;
  std::string rest;
  const auto add = [&](const char* what, const std::vector<Line>& lines) {
    if (lines.empty()) return;
    const Score s = score(*tokenizer.value(), lines);
    passed = passed && s.equal == s.count && s.kept == s.count;
    rest += (rest.empty() ? "" : ", ") + std::string(what) + " " + std::to_string(s.equal) + " of " +
            std::to_string(s.count) + (s.kept == s.count ? "" : " (" + std::to_string(s.count - s.kept) + " not kept)");
  };
  add("plain", read_lines(folder / (name + ".jsonl")));
  add("special", read_lines(folder / (name + ".special.jsonl")));
  add("llama.cpp's pairs", read_pairs(vocabulary));
  return report(passed, name, rest);
}

}  // namespace

std::optional<std::uint32_t> check_vocabularies(const fs::path& folder) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (file.ends_with(".jsonl") && !file.ends_with(".special.jsonl")) names.insert(entry.path().stem().string());
  }
  if (names.empty()) return std::nullopt;
  std::uint32_t misses = 0;
  for (const std::string& name : names) {
    // Beside the folder of the lines, or, where there are several sets of those, beside the set.
    const std::string file = "ggml-vocab-" + name + ".gguf";
    fs::path vocabulary = folder / ".." / "vocab" / file;
    if (!fs::exists(vocabulary)) vocabulary = folder / ".." / ".." / "vocab" / file;
    misses += check_vocabulary(folder, vocabulary, name);
  }
  return misses;
}

}  // namespace tacit::conformance
