// SPDX-License-Identifier: MIT
// Vocabularies made of the input: either they are refused, or every text, here the rest of the input, comes back from
// them unchanged. The input is not a GGUF file itself (gguf_fuzzer is for those), so that most of it means something.
#include <string>
#include <vector>

#include "../tests/support/byte_vocabulary.h"
#include "../tests/support/gguf_writer.h"
#include "encode_check.h"

namespace {

struct Input {
  std::vector<std::string> pieces;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  bool add_space_prefix = false;
  tacit::ByteSpan text;
};

// A byte of flags, then tokens, of two bytes and a short piece each, up to one that has type 15; then the text.
Input read_input(tacit::ByteReader reader) {
  Input input;
  std::uint8_t flags = 0, head = 0, score = 0;
  (void)reader.read(flags);
  input.add_space_prefix = (flags & 1) != 0;
  if ((flags & 2) != 0) tacit::test::append_byte_tokens(input.pieces, input.types);
  input.scores.resize(input.pieces.size());
  while (reader.read(head) && (head & 15) != 15 && reader.read(score)) {
    tacit::ByteSpan piece;
    if (!reader.read_span(head >> 4, piece)) break;
    input.pieces.emplace_back(tacit::as_text(piece));
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
  writer.add("tokenizer.ggml.model", "llama").add_array("tokenizer.ggml.tokens", input.pieces);
  writer.add_array("tokenizer.ggml.scores", input.scores).add_array("tokenizer.ggml.token_type", input.types);
  writer.add("tokenizer.ggml.add_space_prefix", input.add_space_prefix);
  const tacit::ByteVector bytes = writer.add("tokenizer.ggml.add_bos_token", false).bytes();
  const auto file = tacit::gguf::File::parse(bytes, "fuzz");
  if (!file.ok()) return 0;
  const auto tokenizer = tacit::Tokenizer::load(file.value());
  if (tokenizer.ok()) tacit::fuzz::check_encode(*tokenizer.value(), input.text);
  return 0;
}
