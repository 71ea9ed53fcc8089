// SPDX-License-Identifier: MIT
// Any bytes, encoded with a real vocabulary, decode to themselves, by symbols of which each has a part in them. The
// vocabulary is that of the built-in model, or of the file that the environment variable TACIT_FUZZ_MODEL names.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/file.h"
#include "encode_check.h"

#ifndef TACIT_SOURCE_DIR
#define TACIT_SOURCE_DIR "."
#endif

namespace {

std::unique_ptr<tacit::Tokenizer> load_tokenizer() {
  const char* chosen = std::getenv("TACIT_FUZZ_MODEL");
  const std::string path = chosen != nullptr ? chosen : TACIT_SOURCE_DIR "/models/tacit-small-q8_0.gguf";
  const auto give_up = [](const tacit::Error& error) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    std::exit(2);
  };
  const auto bytes = tacit::MappedFile::open(path);
  if (!bytes.ok()) give_up(bytes.error());
  const auto file = tacit::gguf::File::parse(bytes.value().bytes(), path);
  if (!file.ok()) give_up(file.error());
  auto tokenizer = tacit::Tokenizer::load(file.value());
  if (!tokenizer.ok()) give_up(tokenizer.error());
  return std::move(tokenizer).value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tokenizer = load_tokenizer();
  tacit::fuzz::check_encode(*tokenizer, {data, size});
  return 0;
}
