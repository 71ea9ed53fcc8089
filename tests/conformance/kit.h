// SPDX-License-Identifier: MIT
// A folder of the conformance kit, part by part: each prints a line for every model, tensor type or vocabulary and says
// whether all of them passed. Files are read as the kit's README describes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/token.h"

namespace tacit::conformance {

namespace fs = std::filesystem;

// What an engine in 32-bit floats may differ from the references, largest logit; and what a careful one reaches.
inline constexpr double kTolerance = 1e-3;
inline constexpr double kCareful = 2e-4;

// Misses of a folder; nothing where it has no such part.
std::optional<std::uint32_t> check_models(const fs::path& folder);        // manifest.json with "arch"
std::optional<std::uint32_t> check_types(const fs::path& folder);         // manifest.json with "type"
std::optional<std::uint32_t> check_vocabularies(const fs::path& folder);  // *.jsonl

// Throw std::runtime_error, or what nlohmann::json throws, where a file is missing or no such thing.
nlohmann::json read_json(const fs::path& path);
std::vector<float> read_floats(const fs::path& path);
std::vector<TokenId> read_tokens(const fs::path& path);
// The manifest's entries, empty where there is none or its entries have no `key`.
std::vector<nlohmann::json> manifest(const fs::path& folder, const char* key);

// Prints "ok" or "MISS", the name and the rest; returns the number of misses, 0 or 1.
std::uint32_t report(bool passed, const std::string& name, const std::string& rest);

}  // namespace tacit::conformance
