// SPDX-License-Identifier: MIT
// Vocabularies of every tokenizer model, made of the input: either they are refused, or every text, here the rest of
// the input, comes back from them unchanged. The input is not a GGUF file itself (gguf_fuzzer is for those), so that
// most of it means something.
#include <array>
#include <string>
#include <vector>

#include "../tests/support/byte_vocabulary.h"
#include "../tests/support/gguf_writer.h"
#include "encode_check.h"

namespace {

// Pre-tokenizers that differ in more than their expressions, or have some that others lack.
constexpr std::array<const char*, 8> kPreTokenizers = {"default", "gpt-2",      "llama-bpe", "deepseek-llm",
                                                       "kimi-k2", "sarvam-moe", "tiny_aya",  "exaone-moe"};

struct Input {
  std::string model, pre_tokenizer;
  std::vector<std::string> pieces, merges;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  bool add_space_prefix = false;
  tacit::ByteSpan text;
};

// A byte of flags, then tokens, of two bytes and a short piece each, up to one that has type 15; one of type 14 is a
// merge. Then the text.
Input read_input(tacit::ByteReader reader) {
  constexpr std::array<const char*, 4> kModels = {"llama", "gpt2", "gemma4", "bert"};
  constexpr std::uint8_t kRwkv = 8 | 128;  // gemma4, which has no use for the last flag
  Input input;
  std::uint8_t flags = 0, head = 0, score = 0;
  (void)reader.read(flags);
  input.add_space_prefix = (flags & 1) != 0;
  input.model = (flags & 0x8c) == kRwkv ? "rwkv" : kModels[flags >> 2 & 3];
  input.pre_tokenizer = kPreTokenizers[flags >> 4 & 7];
  if ((flags & 2) != 0) tacit::test::append_byte_tokens(input.pieces, input.types);
  input.scores.resize(input.pieces.size());
  while (reader.read(head) && (head & 15) != 15 && reader.read(score)) {
    tacit::ByteSpan bytes;
    if (!reader.read_span(head >> 4, bytes)) break;
    std::string piece(tacit::as_text(bytes));
    // As vocabularies of the models spell it, or not at all.
    if (input.model == "gpt2" && (flags & 128) == 0) piece = tacit::test::spelled(piece);
    if ((head & 15) == 14) {
      input.merges.push_back(piece.insert(score % (piece.size() + 1), " "));
      continue;
    }
    input.pieces.push_back(piece);
    input.scores.push_back(static_cast<float>(score));
    input.types.push_back(head & 15);
  }
  (void)reader.read_span(reader.remaining(), input.text);
  return input;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input = read_input(tacit::ByteReader({data, size}));
  tacit::test::GgufWriter writer;
  writer.add("tokenizer.ggml.model", input.model).add("tokenizer.ggml.pre", input.pre_tokenizer);
  writer.add_array("tokenizer.ggml.tokens", input.pieces).add_array("tokenizer.ggml.merges", input.merges);
  writer.add_array("tokenizer.ggml.scores", input.scores).add_array("tokenizer.ggml.token_type", input.types);
  writer.add("tokenizer.ggml.add_space_prefix", input.add_space_prefix);
  writer.add("tokenizer.ggml.bos_token_id", std::uint32_t{0}).add("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
  writer.add("tokenizer.ggml.seperator_token_id", std::uint32_t{0});
  const tacit::ByteVector bytes = writer.add("tokenizer.ggml.add_bos_token", false).bytes();
  const auto file = tacit::gguf::File::parse(bytes, "fuzz");
  if (!file.ok()) return 0;
  const auto tokenizer = tacit::Tokenizer::load(file.value());
  if (tokenizer.ok()) tacit::fuzz::check_encode(*tokenizer.value(), input.text);
  return 0;
}
