// SPDX-License-Identifier: MIT
// Models of every architecture, changed as the input says: metadata, tensors, and bytes of the file. Either such a
// model is refused, or it runs, and the best kernel set of this machine then gives the frequencies of the reference.
// Changes are made to a small random model and not to bytes (gguf_fuzzer is for those), so that most of them get as far
// as the model.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/cpu/forward.h"
#include "support/family_models.h"

namespace {

using tacit::test::ModelParts;

// Metadata and tensors that a model may have and the smallest one has not.
constexpr std::array kMoreSettings = {"attention.sliding_window",
                                      "attention.sliding_window_pattern",
                                      "attention.scale",
                                      "attention.clamp_kqv",
                                      "attention.max_alibi_bias",
                                      "attn_logit_softcapping",
                                      "final_logit_softcapping",
                                      "embedding_scale",
                                      "residual_scale",
                                      "logit_scale",
                                      "rope.freq_base",
                                      "rope.freq_base_swa",
                                      "rope.scale_linear",
                                      "rope.scaling.factor",
                                      "rope.scaling.type",
                                      "rope.scaling.original_context_length",
                                      "rope.scaling.attn_factor",
                                      "rope.scaling.finetuned",
                                      "use_parallel_residual",
                                      "expert_count",
                                      "expert_weights_scale",
                                      "rescale_every_n_layers",
                                      "ssm.dt_b_c_rms"};
constexpr std::array kMoreTensors = {"output.weight",
                                     "rope_freqs.weight",
                                     "rope_factors_long.weight",
                                     "rope_factors_short.weight",
                                     "blk.0.attn_qkv.weight",
                                     "blk.0.attn_q.bias",
                                     "blk.0.attn_q_norm.weight",
                                     "blk.1.attn_k_norm.weight",
                                     "blk.0.attn_sinks.weight",
                                     "blk.0.attn_norm_2.weight",
                                     "blk.0.ffn_gate_inp.weight",
                                     "blk.0.ffn_gate_shexp.weight",
                                     "blk.0.ffn_up_shexp.weight",
                                     "blk.0.ffn_down_shexp.weight",
                                     "blk.0.ffn_gate_inp_shexp.weight"};
constexpr std::array<const char*, 5> kTexts = {"none", "linear", "yarn", "longrope", "other"};

constexpr std::uint64_t kElementsMax = 1 << 14;  // of a changed tensor; more would cost the fuzzer its speed
constexpr std::uint64_t kCacheBytesMax = 1 << 22;
constexpr std::uint64_t kMultiplyAddsMax = 1 << 20;
constexpr std::uint32_t kWindow = 16, kChunk = 10, kPositions = 20;

class Mutator {
 public:
  explicit Mutator(tacit::ByteSpan input) : reader_(input) {}

  tacit::ByteVector file() {
    ModelParts parts = unchanged(number<std::uint8_t>());
    while (reader_.remaining() != 0 && !parts.settings.empty() && !parts.tensors.empty()) change(parts);
    tacit::ByteVector bytes = parts.bytes();
    for (const auto& [tensor, type] : types_) set_type(bytes, tensor, type);
    return bytes;
  }

 private:
  static const ModelParts& unchanged(std::uint8_t number) {
    static std::map<std::uint8_t, ModelParts> made;
    const auto [place, is_new] = made.try_emplace(number);
    const auto families = tacit::families();
    if (is_new) place->second = tacit::test::FamilyModel::make(families[number % families.size()], number >= 128);
    return place->second;
  }

  template <class T>
  T number() {
    T value{};
    (void)reader_.read(value);
    return value;
  }

  template <class Map>
  auto any_of(Map& map) {
    return std::next(map.begin(), number<std::uint8_t>() % static_cast<int>(map.size()));
  }

  void change(ModelParts& parts) {
    switch (const auto kind = number<std::uint8_t>(); kind % 8) {
      case 0:
        any_of(parts.settings)->second = setting();
        break;
      case 1:
        parts.settings[kMoreSettings[number<std::uint8_t>() % kMoreSettings.size()]] = setting();
        break;
      case 2:
        parts.settings.erase(any_of(parts.settings));
        break;
      case 3:
        parts.tensors.erase(any_of(parts.tensors));
        break;
      case 4:
        reshape(parts, any_of(parts.tensors)->first);
        break;
      case 5:
        reshape(parts, kMoreTensors[number<std::uint8_t>() % kMoreTensors.size()]);
        break;
      case 6: {
        auto& values = any_of(parts.tensors)->second.values;
        values[number<std::uint16_t>() % values.size()] = number<float>();
        break;
      }
      default:
        types_.emplace_back(any_of(parts.tensors)->first, number<std::uint8_t>());
        break;
    }
  }

  tacit::test::Setting setting() {
    switch (const auto kind = number<std::uint8_t>(); kind % 8) {
      case 0:
      case 1:
        return std::uint32_t{number<std::uint8_t>()};
      case 2:
        return number<std::uint32_t>();
      case 3:
        return std::uint32_t{1} << number<std::uint8_t>() % 32;
      case 4:
        return number<float>();
      case 5:
        return kind >= 128;
      case 6:
        return std::string(kTexts[(kind >> 3) % kTexts.size()]);
      default:
        break;
    }
    std::vector<std::uint32_t> array(number<std::uint8_t>() % 4);
    for (std::uint32_t& element : array) element = number<std::uint8_t>();
    return array;
  }

  void reshape(ModelParts& parts, const std::string& name) {
    std::vector<std::uint64_t> shape(1 + number<std::uint8_t>() % 4);
    std::uint64_t elements = 1;
    for (std::uint64_t& dimension : shape) elements *= dimension = 1u + number<std::uint8_t>();
    if (elements <= kElementsMax) parts.add_random(name, shape);
  }

  // Behind a name come the dimension count, the dimensions and the type.
  static void set_type(tacit::ByteVector& bytes, const std::string& tensor, std::uint32_t type) {
    const auto found = std::search(bytes.begin(), bytes.end(), tensor.begin(), tensor.end());
    if (found == bytes.end()) return;
    std::uint8_t* field = &*found + tensor.size();
    field += sizeof(std::uint32_t) + sizeof(std::uint64_t) * tacit::load_unaligned<std::uint32_t>(field);
    std::memcpy(field, &type, sizeof(type));
  }

  tacit::ByteReader reader_;
  std::vector<std::pair<std::string, std::uint32_t>> types_;
};

bool is_small(const tacit::Model& model) {
  return tacit::LaneCache::excess(model.config, kWindow, kChunk, 1).empty() &&
         tacit::LaneCache::bytes_needed(model.config, kWindow, kChunk) <= kCacheBytesMax &&
         model.multiply_adds_per_token() <= kMultiplyAddsMax;
}

// The frequencies of every position, and in front of them their sum: 0 where a logit is not finite.
std::vector<std::uint64_t> run(const tacit::Model& model, const tacit::PackedWeights& weights,
                               const tacit::kernels::Kernels& kernels) {
  tacit::LaneCache cache(model.config, kWindow, kChunk);
  tacit::Forward forward(model, weights, kernels, kWindow, nullptr);
  const std::uint32_t vocabulary = model.config.vocabulary_size;
  std::vector<float> logits(tacit::kernels::round_up(vocabulary, tacit::kernels::kTile));
  std::vector<std::uint32_t> frequencies(logits.size());
  std::vector<std::uint64_t> result;
  for (std::uint32_t first = 0; first < kPositions; first += kChunk) {
    std::vector<tacit::Row> rows;
    for (std::uint32_t p = first; p < first + kChunk; ++p) {
      rows.push_back({0, p, static_cast<tacit::TokenId>(p * 7 % vocabulary)});
    }
    forward.run({&cache, 1}, rows);
    for (std::uint32_t r = 0; r < kChunk; ++r) {
      forward.logits({&r, 1}, logits.data(), logits.size());
      result.push_back(kernels.frequencies(logits.data(), vocabulary, 1.0f, frequencies.data()));
      if (result.back() != 0) result.insert(result.end(), frequencies.begin(), frequencies.begin() + vocabulary);
    }
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tacit::ByteVector bytes = Mutator({data, size}).file();
  const auto file = tacit::gguf::File::parse(bytes, "fuzz");
  if (!file.ok()) return 0;
  const auto model = tacit::Model::load(file.value());
  if (!model.ok()) {
    if (!model.error().message.starts_with("fuzz: ")) std::abort();
    return 0;
  }
  if (!is_small(model.value())) return 0;
  tacit::ThreadPool caller(1);
  const auto weights = tacit::PackedWeights::pack(model.value().weights, caller, {});
  if (!weights.ok()) {
    if (!weights.error().message.starts_with("fuzz: ")) std::abort();
    return 0;
  }
  const tacit::kernels::KernelList sets = tacit::kernels::available_kernels();
  const auto frequencies = run(model.value(), weights.value(), *sets.sets[0]);
  // The reference set is slow, and other tests compare it as well.
  if (size % 8 == 0 && run(model.value(), weights.value(), *sets.sets[sets.count - 1]) != frequencies) std::abort();
  return 0;
}
