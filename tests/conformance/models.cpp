// SPDX-License-Identifier: MIT
// Models and tensor types: the float64 oracle against the kit's logits; the contract engine's distributions against
// them; the same bits however it runs; and the kit's token sequences coded, several lanes side by side, and decoded.
#include <cmath>
#include <cstring>
#include <memory>

#include "base/file.h"
#include "coding/strip_coder.h"
#include "conformance/kit.h"
#include "oracle/oracle.h"
#include "quants/dequantize.h"
#include "support/bare_ids.h"
#include "support/cpu_model.h"
#include "support/lanes.h"

namespace tacit::conformance {
namespace {

constexpr std::uint32_t kSlidingWindow = 40;  // shorter than the kit's sequences
constexpr std::size_t kStrips = 5;
const test::Combinations kCombinations = {{1, 2}, {1, 3}, {1, 7, 64}};

std::string format(const char* pattern, auto... values) {
  char text[256];
  std::snprintf(text, sizeof(text), pattern, values...);
  return text;
}

// A model of the kit with the file it lives in.
struct KitModel {
  std::optional<MappedFile> mapping;
  gguf::File file;
  Model model;

  static Result<std::unique_ptr<KitModel>> load(const fs::path& path) {
    auto kit = std::make_unique<KitModel>();
    TACIT_ASSIGN(kit->mapping, MappedFile::open(path.string()));
    TACIT_ASSIGN(kit->file, gguf::File::parse(kit->mapping->bytes(), path.filename().string()));
    TACIT_ASSIGN(kit->model, Model::load(kit->file));
    return kit;
  }
};

double largest_difference(std::span<const double> a, std::span<const float> b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - static_cast<double>(b[i]));
    if (!(difference <= largest)) largest = difference;  // a NaN is kept
  }
  return largest;
}

struct Closeness {
  double mean = 0;
  double worst = 0;
};
Closeness closeness(const std::vector<float>& found, const std::vector<float>& reference, std::size_t vocabulary) {
  Closeness result;
  const std::vector<double> expected(reference.begin(), reference.end());
  for (std::size_t begin = 0; begin < expected.size(); begin += vocabulary) {
    const double kl = test::divergence(std::span(expected).subspan(begin, vocabulary),
                                       std::span(found).subspan(begin, vocabulary));
    result.mean += kl * static_cast<double>(vocabulary) / static_cast<double>(expected.size());
    if (!(kl <= result.worst)) result.worst = kl;
  }
  return result;
}

// Codes the tokens as strips, reading ahead, and decodes them step by step. Returns the bytes of code, or why not.
Result<std::size_t> code_and_decode(const Model& model, std::span<const TokenId> tokens) {
  const test::BareIds alphabet(model.config.vocabulary_size);
  test::CpuModel cpu(model, 2);
  const std::uint32_t window = std::min(model.config.default_window(), kSlidingWindow);
  const CodingContext context = cpu.context(alphabet, window, true);
  std::vector<std::span<const TokenId>> strips;
  for (std::size_t i = 0; i < kStrips; ++i) {
    const std::size_t begin = tokens.size() * i / kStrips;
    strips.push_back(tokens.subspan(begin, tokens.size() * (i + 1) / kStrips - begin));
  }
  StripCoder encoder(context, Schedule::lockstep());
  TACIT_ASSIGN(const EncodedStrips encoded, encoder.encode(strips, test::ignore_progress));
  const std::vector<ByteVector>& codes = encoded.codes;
  std::vector<CodedStrip> coded;
  std::size_t size = 0;
  for (std::size_t i = 0; i < kStrips; ++i) {
    coded.push_back({codes[i], strips[i].size()});
    size += codes[i].size();
  }
  StripCoder decoder(context, Schedule::lockstep());
  TACIT_ASSIGN(const std::vector<std::vector<TokenId>> decoded, decoder.decode(coded, test::ignore_progress));
  for (std::size_t i = 0; i < kStrips; ++i) {
    if (!std::ranges::equal(decoded[i], strips[i])) return damaged("strip " + std::to_string(i) + " came back changed");
  }
  return size;
}

// One model file against its reference. `context_length` is what the reference ran with.
std::uint32_t check_model(const std::string& name, const fs::path& path, std::span<const TokenId> tokens,
                          const std::vector<float>& reference, std::size_t context_length, std::string rest) {
  const auto kit = KitModel::load(path);
  if (!kit.ok()) return report(false, name, kit.error().message);
  const Model& model = kit.value()->model;
  const auto oracle_model = oracle::load(kit.value()->file, context_length);
  if (!oracle_model.ok()) return report(false, name, oracle_model.error().message);
  const double difference =
      largest_difference(oracle::logits(oracle_model.value(), tokens).values, reference);
  rest += format("float %.1e%s", difference, difference <= kCareful ? "" : " (above 2e-4)");
  bool passed = difference <= kTolerance;

  const std::vector<TokenId> sequence(tokens.begin(), tokens.end());
  const auto window = static_cast<std::uint32_t>(std::min<std::size_t>(context_length, model.config.window_max()));
  const test::RunSetting setting{kernels::find_kernels(""), 1, 1, 64, window};
  const std::vector<float> found = test::run_lanes(model, setting, {sequence})[0];
  const Closeness kl = closeness(found, reference, model.config.vocabulary_size);
  rest += format(", contract KL %.6f (worst %.4f)", kl.mean, kl.worst);
  passed = passed && std::isfinite(kl.mean);

  const std::string other =
      test::first_difference(model, std::min(window, kSlidingWindow), kSlidingWindow + 16, kCombinations);
  rest += other.empty() ? ", same bits" : ", other bits: " + other;
  passed = passed && other.empty();

  const auto code = code_and_decode(model, tokens);
  rest += code.ok() ? ", coded in " + std::to_string(code.value()) + " bytes and decoded" : ", " + code.error().message;
  return report(passed && code.ok(), name, rest);
}

// Rows of the kit that are not dequantised to the bit, of how many; or what is wrong with the file.
Result<std::string> wrong_rows(const fs::path& stem, std::uint32_t& wrong) {
  TACIT_ASSIGN(const MappedFile mapping, MappedFile::open(stem.string() + ".gguf"));
  TACIT_ASSIGN(const gguf::File file, gguf::File::parse(mapping.bytes(), stem.filename().string() + ".gguf"));
  const std::vector<float> expected = read_floats(stem.string() + ".rows.f32");
  std::size_t count = 0;
  const nlohmann::json description = read_json(stem.string() + ".rows.json");
  for (const nlohmann::json& entry : description.at("tensors")) {
    const gguf::Tensor* tensor = file.find_tensor(entry.at("tensor").get<std::string>());
    if (tensor == nullptr || !is_dequantizable(tensor->type->type)) {
      return model_error(entry.at("tensor").get<std::string>() + " cannot be dequantised");
    }
    std::vector<float> row(tensor->shape[0]);
    const std::size_t row_bytes = row.size() / tensor->type->block_elements * tensor->type->block_bytes;
    const auto offset = entry.at("offset_floats").get<std::size_t>();
    for (std::size_t r = 0; r < entry.at("rows").get<std::size_t>(); ++r, ++count) {
      dequantize(tensor->type->type, tensor->data.data() + r * row_bytes, row.size(), row.data());
      const bool same = offset + (r + 1) * row.size() <= expected.size() &&
                        std::memcmp(row.data(), expected.data() + offset + r * row.size(), row.size() * 4) == 0;
      wrong += same ? 0 : 1;
    }
  }
  if (count == 0) return model_error("found no rows, expected some");
  return std::to_string(count - wrong) + " of " + std::to_string(count) + " rows to the bit, ";
}

}  // namespace

std::optional<std::uint32_t> check_models(const fs::path& folder) {
  const std::vector<nlohmann::json> entries = manifest(folder, "arch");
  if (entries.empty()) return std::nullopt;
  std::uint32_t misses = 0;
  for (const nlohmann::json& entry : entries) {
    const auto name = entry.at("name").get<std::string>();
    const std::string stem = (folder / name).string();
    misses += check_model(name, folder / entry.at("file").get<std::string>(), read_tokens(stem + ".tokens.json"),
                          read_floats(stem + ".logits.f32"), entry.value("n_ctx", std::size_t{0}),
                          entry.at("arch").get<std::string>() + ": ");
  }
  return misses;
}

std::optional<std::uint32_t> check_types(const fs::path& folder) {
  const std::vector<nlohmann::json> entries = manifest(folder, "type");
  if (entries.empty()) return std::nullopt;
  std::uint32_t misses = 0;
  const std::vector<TokenId> tokens = read_tokens(folder / "tokens.json");
  for (const nlohmann::json& entry : entries) {
    const auto name = entry.at("type").get<std::string>();
    std::uint32_t wrong = 0;
    const Result<std::string> rows = wrong_rows(folder / name, wrong);
    if (!rows.ok() || wrong > 0) {
      misses += report(false, name, rows.ok() ? rows.value() : rows.error().message);
      continue;
    }
    misses += check_model(name, folder / entry.at("file").get<std::string>(), tokens,
                          read_floats((folder / name).string() + ".logits_dequant.f32"),
                          entry.value("n_ctx", std::size_t{0}), rows.value());
  }
  return misses;
}

}  // namespace tacit::conformance
