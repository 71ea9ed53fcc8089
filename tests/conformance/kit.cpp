// SPDX-License-Identifier: MIT
#include "conformance/kit.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace tacit::conformance {

nlohmann::json read_json(const fs::path& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  return nlohmann::json::parse(in);
}

std::vector<float> read_floats(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
  return floats;
}

std::vector<TokenId> read_tokens(const fs::path& path) {
  return read_json(path).at("tokens").get<std::vector<TokenId>>();
}

std::vector<nlohmann::json> manifest(const fs::path& folder, const char* key) {
  if (!fs::exists(folder / "manifest.json")) return {};
  std::vector<nlohmann::json> entries;
  for (const nlohmann::json& entry : read_json(folder / "manifest.json")) {
    if (entry.contains(key)) entries.push_back(entry);
  }
  return entries;
}

std::uint32_t report(bool passed, const std::string& name, const std::string& rest) {
  std::printf("%-5s %-26s %s\n", passed ? "ok" : "MISS", name.c_str(), rest.c_str());
  std::fflush(stdout);
  return passed ? 0 : 1;
}

}  // namespace tacit::conformance
