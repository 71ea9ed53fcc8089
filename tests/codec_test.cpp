// SPDX-License-Identifier: MIT
// Compression as a whole, with the built-in model: whatever goes in comes out; the same input gives the same archive on
// every kernel set and thread count; damage is seen; nothing grows much, nor is it much larger than zstd makes it; and
// the model's segments have the length that their probabilities ask for.
#include <gtest/gtest.h>
#include <tacit/tacit.h>
#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "archive/reader.h"
#include "archive/writer.h"
#include "codec/block_codec.h"
#include "codec/fallback.h"
#include "codec/levels.h"
#include "codec/streams.h"
#include "coding/strip_coder.h"
#include "engine/cpu/forward.h"
#include "generate/generate.h"
#include "sampling/sampler.h"
#include "store/builtin_model.h"
#include "store/engines.h"
#include "support/byte_vocabulary.h"
#include "support/cpu_model.h"
#include "support/gguf_writer.h"
#include "support/shared_data.h"
#include "support/tiny_model.h"

namespace tacit {
namespace {

using Random = std::mt19937_64;

// ---- The library, with strings ----

// One thread, so that tests may run side by side; no verification, since every test decodes by itself.
tacit_options plain_options() {
  tacit_options options;
  tacit_options_init(&options);
  options.threads = 1;
  options.skip_verification = 1;
  return options;
}

std::string take(void* data, std::size_t size) {
  std::string text(static_cast<const char*>(data), size);
  tacit_free(data);
  return text;
}

std::string compress(std::string_view text, const tacit_options& options = plain_options()) {
  void* data = nullptr;
  std::size_t size = 0;
  const tacit_status status = tacit_compress_buffer(&options, text.data(), text.size(), &data, &size);
  EXPECT_EQ(status, TACIT_OK) << tacit_last_error();
  return status == TACIT_OK ? take(data, size) : std::string();
}

struct Decompressed {
  tacit_status status = TACIT_OK;
  std::string text;   // "" unless status is TACIT_OK
  std::string error;
};

Decompressed decompress(std::string_view archive, const tacit_options& options = plain_options()) {
  void* data = nullptr;
  std::size_t size = 0;
  Decompressed result;
  result.status = tacit_decompress_buffer(&options, archive.data(), archive.size(), &data, &size);
  result.error = tacit_last_error();
  if (result.status == TACIT_OK) result.text = take(data, size);
  return result;
}

::testing::AssertionResult gives(std::string_view archive, std::string_view text,
                                 const tacit_options& options = plain_options()) {
  const Decompressed result = decompress(archive, options);
  if (result.status != TACIT_OK)
    return ::testing::AssertionFailure() << "status " << result.status << ": " << result.error;
  if (result.text == text) return ::testing::AssertionSuccess();
  const auto differs = std::ranges::mismatch(result.text, text).in2 - text.begin();
  return ::testing::AssertionFailure() << result.text.size() << " bytes for " << text.size() << ", first difference at "
                                       << differs;
}

tacit_archive_info info_of(std::string_view archive) {
  tacit_archive_info info;
  tacit_archive_info_init(&info);
  EXPECT_EQ(tacit_info_buffer(archive.data(), archive.size(), &info), TACIT_OK) << tacit_last_error();
  return info;
}

// ---- Texts ----

// What the built-in model writes when left alone: the text on which it is sure to beat zstd.
std::string model_text(std::size_t token_count, std::uint64_t seed) {
  tacit_sampler sampler;
  tacit_sampler_init(&sampler);
  sampler.seed = seed;
  const tacit_options options = plain_options();
  std::string text;
  const auto receive = [](void* context, const char* piece, std::size_t size) {
    static_cast<std::string*>(context)->append(piece, size);
    return 0;
  };
  EXPECT_EQ(tacit_generate(&options, &sampler, nullptr, 0, token_count, 0, receive, &text), TACIT_OK);
  return text;
}

std::string random_bytes(Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

template <std::size_t kCount>
std::string random_pieces(Random& random, std::size_t size, const std::string_view (&pieces)[kCount]) {
  std::string text;
  while (text.size() < size) text += pieces[random() % kCount];
  text.resize(size);
  return text;
}

std::string random_words(Random& random, std::size_t size) {
  static constexpr std::string_view kWords[] = {"the ",
                                                "model ",
                                                "is ",
                                                "a ",
                                                "of ",
                                                "and ",
                                                "to ",
                                                "that ",
                                                "answer",
                                                "\n",
                                                ". ",
                                                ", ",
                                                "I ",
                                                "you ",
                                                "Sure! ",
                                                "token",
                                                "s ",
                                                "first ",
                                                "2024",
                                                "-",
                                                "12",
                                                "\"",
                                                ": ",
                                                "{",
                                                "}",
                                                "caf\xc3\xa9 ",
                                                "\xe4\xbd\xa0\xe5\xa5\xbd",
                                                "* ",
                                                "# ",
                                                "\xf0\x9f\x98\x80",
                                                "def ",
                                                "return ",
                                                "(",
                                                ")",
                                                "    ",
                                                "\t",
                                                "Therefore ",
                                                "we ",
                                                "have ",
                                                "probability "};
  return random_pieces(random, size, kWords);
}

// What tokenizers trip over: blanks at both ends, their own blank sign, names of tokens, control characters.
std::string random_oddities(Random& random, std::size_t size) {
  static constexpr std::string_view kOddities[] = {" ",
                                                   "  ",
                                                   "   ",
                                                   "\xe2\x96\x81",
                                                   "\xe2\x96\x81\xe2\x96\x81",
                                                   "<s>",
                                                   "</s>",
                                                   "<unk>",
                                                   "<0x0A>",
                                                   "<0x",
                                                   "\r\n",
                                                   "\n",
                                                   "\t",
                                                   std::string_view("\0", 1),
                                                   std::string_view("\0\0\0", 3),
                                                   "\xef\xbb\xbf",
                                                   "a",
                                                   " a",
                                                   "\x7f",
                                                   "\xc2\xa0",
                                                   "\xe2\x96"};
  return random_pieces(random, size, kOddities);
}

std::string invalid_utf8(Random& random, std::size_t size) {
  static constexpr std::string_view kPieces[] = {"\x80",     "\xbf\xbf",         "\xc0\x80",
                                                 "\xc3",     "\xe2\x82",         "\xed\xa0\x80",
                                                 "\xf0\x9f", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
                                                 "\xff",     "\xfe\xff",         "word ",
                                                 " and ",    "\xc3\xa9",         "\xe4\xbd\xa0",
                                                 ".\n"};
  return random_pieces(random, size, kPieces);
}

std::string long_runs(Random& random, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    const std::string piece =
        random() % 2 == 0 ? random_bytes(random, 1 + random() % 4) : random_words(random, 1 + random() % 9);
    for (std::size_t count = random() % 300; count > 0; --count) text += piece;
  }
  text.resize(size);
  return text;
}

std::string mixture(Random& random, std::size_t size) {
  using Generator = std::string (*)(Random&, std::size_t);
  static constexpr Generator kGenerators[] = {random_bytes, random_words, random_oddities, invalid_utf8, long_runs};
  std::string text;
  while (text.size() < size) text += kGenerators[random() % std::size(kGenerators)](random, 1 + random() % 100);
  text.resize(size);
  return text;
}

// A random transformer over bytes: far faster than the built-in model, and at home in what it writes itself.
class SmallModel {
 public:
  explicit SmallModel(bool add_space_prefix = false) : SmallModel(test::TinyShape(), add_space_prefix) {}
  explicit SmallModel(test::TinyShape shape, bool add_space_prefix = false) {
    shape.vocabulary_size = 3 + 256;
    weights_bytes_ = test::TinyModelBuilder(shape).build();
    tokenizer_bytes_ = byte_tokenizer(add_space_prefix);
    auto model = Model::load(gguf::File::parse(weights_bytes_, "small model").value());
    EXPECT_TRUE(model.ok()) << model.error().message;
    loaded_.model = std::move(model).value();
    auto tokenizer = Tokenizer::load(gguf::File::parse(tokenizer_bytes_, "small model").value());
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    loaded_.tokenizer = std::move(tokenizer).value();
    loaded_.name = "small model";
  }
  const LoadedModel& operator*() const { return loaded_; }

  // One long text, which no end of text interrupts.
  [[nodiscard]] std::string text(std::size_t token_count, std::uint64_t seed) const {
    constexpr std::uint32_t kWindow = 64;
    const Model& model = loaded_.model;
    const kernels::Kernels& kernels = *kernels::find_kernels("");
    LaneCache cache(model.config, kWindow, 1);
    const PackedWeights weights = test::pack(model);
    Forward forward(model, weights, kernels, kWindow, nullptr);
    std::vector<bool> excluded(model.config.vocabulary_size);
    std::fill_n(excluded.begin(), kFirstByteToken, true);
    Sampler sampler = Sampler::create({}, seed, excluded, kernels).value();
    std::vector<float> logits(kernels::round_up(model.config.vocabulary_size, kernels::kTile));
    TokenId token = loaded_.tokenizer->context_start_token();
    std::string out;
    for (std::uint32_t i = 0; i < token_count; ++i) {
      const std::vector<Row> rows{{0, i, token}};
      const std::uint32_t row = 0;
      forward.run({&cache, 1}, rows);
      forward.logits({&row, 1}, logits.data(), logits.size());
      token = sampler.draw(logits.data()).value();
      out += static_cast<char>(token - kFirstByteToken);
    }
    return out;
  }

 private:
  static constexpr TokenId kFirstByteToken = 3;

  static ByteVector byte_tokenizer(bool add_space_prefix) {
    std::vector<std::string> pieces = {"<unk>", "<s>", "</s>"};
    std::vector<std::int32_t> types = {2, 3, 3};
    test::append_byte_tokens(pieces, types);
    test::GgufWriter writer;
    writer.add("tokenizer.ggml.model", "llama").add_array("tokenizer.ggml.tokens", pieces);
    writer.add_array("tokenizer.ggml.scores", std::vector<float>(pieces.size(), 0.0f));
    writer.add_array("tokenizer.ggml.token_type", types).add("tokenizer.ggml.add_space_prefix", add_space_prefix);
    return writer.bytes();
  }

  ByteVector weights_bytes_;
  ByteVector tokenizer_bytes_;
  LoadedModel loaded_;
};

// Compression with a model that is no file.
struct Setting {
  std::uint32_t lane_max = 1;
  std::uint32_t thread_count = 1;
  const char* kernel_set = "";
  bool adaptive = true;
};

CodecOptions codec_options(const Setting& setting, ThreadPool& pool) {
  CodecOptions options;
  options.engine = {setting.kernel_set, &pool};
  options.window = 64;
  options.lane_max = setting.lane_max;
  options.adaptive = setting.adaptive;
  options.verify = false;
  return options;
}

ByteSource string_source(std::string_view text) {
  return [text](std::span<std::uint8_t> buffer) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(buffer.size(), text.size());
    std::copy_n(text.begin(), count, buffer.begin());
    text.remove_prefix(count);
    return count;
  };
}

ByteSink string_sink(std::string& out) {
  return [&out](ByteSpan bytes) -> Status {
    out += as_text(bytes);
    return {};
  };
}

std::string compress_with(const LoadedModel& model, const Setting& setting, std::string_view text) {
  ThreadPool pool(setting.thread_count);
  std::string archive;
  const auto result = compress_stream(model, codec_options(setting, pool), string_source(text), string_sink(archive));
  EXPECT_TRUE(result.ok()) << result.error().message;
  return archive;
}

std::string decompress_with(const LoadedModel& model, const Setting& setting, std::string_view archive) {
  ThreadPool pool(setting.thread_count);
  const ModelFinder finder = [&](const archive::Header&) -> Result<const LoadedModel*> { return &model; };
  std::string text;
  const auto reader = archive::Reader::open(as_bytes(archive));
  EXPECT_TRUE(reader.ok());
  if (!reader.ok()) return {};
  const auto result = decompress_archive(reader.value(), finder, codec_options(setting, pool), string_sink(text));
  EXPECT_TRUE(result.ok()) << result.error().message;
  return text;
}

struct Kind {
  const char* name;
  std::string (*make)(Random&, std::size_t);
};

constexpr Kind kKinds[] = {{"Words", random_words},         {"Binary", random_bytes}, {"Oddities", random_oddities},
                           {"InvalidUtf8", invalid_utf8},   {"LongRuns", long_runs},  {"Mixture", mixture}};

// ---- Round trips ----

class EveryKindOfInput : public ::testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKindOfInput, ::testing::ValuesIn(kKinds),
                         [](const auto& test) { return std::string(test.param.name); });

// 170 inputs of each of six kinds; every size of tens of bytes is met, and once the largest.
TEST_P(EveryKindOfInput, RoundTripsAtSizesUpTo64Kilobytes) {
  std::uniform_real_distribution<double> exponent(0, 10);
  for (std::uint64_t seed = 0; seed < 170; ++seed) {
    Random random(seed);
    const std::size_t size = seed < 40    ? seed
                             : seed == 40 ? 65536
                                          : static_cast<std::size_t>(std::exp2(exponent(random)));
    const std::string text = GetParam().make(random, size);
    ASSERT_EQ(text.size(), size);
    ASSERT_TRUE(gives(compress(text), text)) << "seed " << seed << ", size " << size;
  }
}

TEST_P(EveryKindOfInput, RoundTripsWithVerification) {
  tacit_options options = plain_options();
  options.skip_verification = 0;
  for (std::uint64_t seed = 1000; seed < 1010; ++seed) {
    Random random(seed);
    const std::string text = GetParam().make(random, random() % 400);
    const std::string archive = compress(text, options);
    EXPECT_EQ(archive, compress(text)) << "verification must not change the archive";
    EXPECT_TRUE(gives(archive, text));
  }
}

std::string file_start(const std::filesystem::path& path, std::size_t size) {
  std::ifstream file(path, std::ios::binary);
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(file.gcount()));
  EXPECT_FALSE(text.empty()) << path;
  return text;
}

TEST(Codec, RoundTripsTheFirst40KilobytesOfEveryLog) {
  TACIT_NEEDS_SHARED("data/eval/logs");
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::shared_data_path("data/eval/logs"))) {
    const std::string text = file_start(entry.path(), 40 * 1024);
    EXPECT_TRUE(gives(compress(text), text)) << entry.path();
    ++count;
  }
  EXPECT_GT(count, 0u);
}

TEST(Codec, RoundTripsTheFirst3KilobytesOfEveryEvaluationText) {
  TACIT_NEEDS_SHARED("data/eval");
  for (const auto& path : test::shared_files("data/eval", ".jsonl")) {
    const std::string text = file_start(path, 3 * 1024);
    const std::string archive = compress(text);
    EXPECT_TRUE(gives(archive, text)) << path;
    EXPECT_LT(archive.size(), text.size()) << path;
  }
}

TEST(Codec, RoundTripsTextLongerThanTheWindow) {
  const std::string text = model_text(2000, 1);
  std::vector<std::size_t> sizes;
  for (const std::uint32_t window : {16u, 64u, 256u}) {
    tacit_options options = plain_options();
    options.window = window;
    const std::string archive = compress(text, options);
    EXPECT_EQ(info_of(archive).window, window);
    EXPECT_EQ(info_of(archive).model_segment_count, 1u);
    EXPECT_GT(info_of(archive).token_count, 1800u);
    EXPECT_TRUE(gives(archive, text)) << window;
    sizes.push_back(archive.size());
  }
  EXPECT_GT(sizes[0], sizes[2]) << "more context, fewer bytes";
}

TEST(Codec, AStreamReadInAnyPiecesGivesTheArchiveOfTheBuffer) {
  struct Stream {
    std::string text;
    std::size_t offset = 0;
    std::string written;
    Random random{4};
  };
  const auto read = [](void* context, void* buffer, std::size_t capacity) -> std::int64_t {
    auto& stream = *static_cast<Stream*>(context);
    const std::size_t count = std::min({capacity, stream.text.size() - stream.offset, 1 + stream.random() % 700});
    std::copy_n(stream.text.data() + stream.offset, count, static_cast<char*>(buffer));
    stream.offset += count;
    return static_cast<std::int64_t>(count);
  };
  const auto write = [](void* context, const void* data, std::size_t size) {
    static_cast<Stream*>(context)->written.append(static_cast<const char*>(data), size);
    return 0;
  };
  const tacit_options options = plain_options();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{900}, std::size_t{200000}}) {
    Stream stream;
    stream.text = size > 1000 ? random_bytes(stream.random, size) : random_words(stream.random, size);
    tacit_result result;
    tacit_result_init(&result);
    ASSERT_EQ(tacit_compress_stream(&options, read, &stream, write, &stream, &result), TACIT_OK) << tacit_last_error();
    EXPECT_EQ(stream.written, compress(stream.text));
    EXPECT_EQ(result.original_bytes, size);
    EXPECT_EQ(result.archive_bytes, stream.written.size());
    Stream back;
    back.text = stream.written;
    ASSERT_EQ(tacit_decompress_stream(&options, read, &back, write, &back, nullptr), TACIT_OK) << tacit_last_error();
    EXPECT_EQ(back.written, stream.text);
  }
}

// ---- The same bytes everywhere ----

std::vector<std::string> kernel_set_names() {
  std::vector<std::string> names;
  std::istringstream list(tacit_kernel_sets());
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

void expect_same_archives(const std::string& text, const std::vector<std::string>& sets) {
  const std::string expected = compress(text);
  EXPECT_EQ(info_of(expected).model_segment_count, 1u);
  for (const std::string& set : sets) {
    for (const std::uint32_t threads : {1u, 2u, 5u}) {
      tacit_options options = plain_options();
      options.kernel_set = set.c_str();
      options.threads = threads;
      EXPECT_EQ(compress(text, options), expected) << set << ", threads " << threads;
    }
  }
}

TEST(Codec, EveryFastKernelSetAndThreadCountGivesTheSameArchive) {
  std::vector<std::string> sets = kernel_set_names();
  sets.pop_back();  // the reference set, below
  expect_same_archives(model_text(900, 5), sets);
}

TEST(Codec, TheReferenceSetGivesTheSameArchiveOnEveryThreadCount) {
  expect_same_archives(model_text(60, 6), {"reference"});
}

TEST(Codec, EveryKernelSetAndThreadCountDecodesTheSameArchive) {
  const std::string text = model_text(60, 7);
  const std::string archive = compress(text);
  EXPECT_EQ(info_of(archive).model_segment_count, 1u);
  for (const std::string& set : kernel_set_names()) {
    for (const std::uint32_t threads : {1u, 2u, 5u}) {
      tacit_options options = plain_options();
      options.kernel_set = set.c_str();
      options.threads = threads;
      EXPECT_TRUE(gives(archive, text, options)) << set << ", threads " << threads;
    }
  }
}

TEST(Codec, AnyNumberOfStripsRoundTripsAndNoThreadOrKernelSetChangesThem) {
  const SmallModel model;
  const std::string text = model.text(60000, 8);
  for (const std::uint32_t lane_max : {1u, 2u, 5u, 32u}) {
    const std::string archive = compress_with(*model, {.lane_max = lane_max}, text);
    const tacit_archive_info info = info_of(archive);
    EXPECT_EQ(info.token_count, 60000u);
    EXPECT_EQ(info.model_segment_count, info.segment_count);
    EXPECT_TRUE(lane_max < 6 ? info.segment_count == lane_max : info.segment_count > 5) << info.segment_count;
    for (const Setting& setting : {Setting{lane_max, 2, ""}, Setting{lane_max, 5, ""}, Setting{lane_max, 8, "avx2"},
                                   Setting{lane_max, 8, "neon"}}) {
      if (kernels::find_kernels(setting.kernel_set) == nullptr) continue;
      EXPECT_EQ(compress_with(*model, setting, text), archive)
          << lane_max << " lanes, threads " << setting.thread_count;
    }
    EXPECT_EQ(decompress_with(*model, {1, 1 + lane_max % 3, ""}, archive), text) << lane_max;
  }
}

std::uint16_t contract_of(const std::string& archive) {
  return archive::Reader::open(as_bytes(archive)).value().header().contract;
}

// Lanes that learn from each other, over text that repeats itself within and between them.
TEST(Codec, NoThreadOrKernelSetChangesWhatExpertsLearn) {
  const SmallModel model;
  const std::string part = model.text(4500, 21);
  const std::string text = part + model.text(1000, 22) + part + part.substr(0, 4000) + model.text(3000, 23);
  const std::string archive = compress_with(*model, {.lane_max = 2}, text);
  EXPECT_EQ(contract_of(archive), archive::kContractAdaptive);
  EXPECT_EQ(info_of(archive).model_segment_count, 2u);
  const std::string plain = compress_with(*model, {.lane_max = 2, .adaptive = false}, text);
  EXPECT_LT(archive.size() * 4, plain.size() * 3);
  for (const char* set : {"reference", "avx2", "avx512", "neon", "dotprod"}) {
    if (kernels::find_kernels(set) == nullptr) continue;
    for (const std::uint32_t threads : {1u, 2u, 5u}) {
      if (std::string_view(set) == "reference" && threads != 2) continue;  // slow; below with short lanes
      const Setting setting{2, threads, set};
      EXPECT_EQ(compress_with(*model, setting, text), archive) << set << ", threads " << threads;
      EXPECT_EQ(decompress_with(*model, setting, archive), text) << set << ", threads " << threads;
    }
  }
}

// The same with short lanes of unequal length, more of them than threads.
TEST(Codec, LanesThatLearnFromEachOtherAreTheSameOnEveryThreadCountAndKernelSet) {
  const SmallModel model;
  const Tokenizer& tokenizer = *(*model).tokenizer;
  const std::string text = model.text(200, 25);
  const std::vector<std::vector<TokenId>> lanes = {
      tokenizer.encode(as_bytes(text)),      tokenizer.encode(as_bytes(text.substr(0, 90))), {},
      tokenizer.encode(as_bytes(text + text)), tokenizer.encode(as_bytes("x")),
      tokenizer.encode(as_bytes(text.substr(50))), tokenizer.encode(as_bytes(std::string(150, 'y')))};
  const std::vector<std::span<const TokenId>> strips(lanes.begin(), lanes.end());
  std::vector<ByteVector> expected;
  for (const char* set : {"", "reference", "avx2", "avx512", "neon", "dotprod"}) {
    if (kernels::find_kernels(set) == nullptr) continue;
    for (const std::uint32_t threads : {1u, 2u, 5u, 9u}) {
      ThreadPool pool(threads);
      const auto engine = make_engine(*model, {set, &pool}).value();
      StripCoder coder({*engine, tokenizer, pool, 64, true, std::nullopt}, Schedule::lockstep());
      const auto encoded = coder.encode(strips, test::ignore_progress);
      ASSERT_TRUE(encoded.ok());
      if (expected.empty()) expected = encoded.value().codes;
      EXPECT_EQ(encoded.value().codes, expected) << set << ", threads " << threads;
      std::vector<CodedStrip> coded;
      for (std::size_t i = 0; i < lanes.size(); ++i) coded.push_back({expected[i], lanes[i].size()});
      const auto decoded = coder.decode(coded, test::ignore_progress);
      ASSERT_TRUE(decoded.ok()) << decoded.error().message;
      EXPECT_EQ(decoded.value(), lanes) << set << ", threads " << threads;
    }
  }
}

TEST(Codec, AnArchiveOfTheSoftmaxContractDecodesWhateverTheOptionsSay) {
  const SmallModel model;
  const std::string text = model.text(20000, 24);
  for (const bool adaptive : {false, true}) {
    const std::string archive = compress_with(*model, {.lane_max = 2, .adaptive = adaptive}, text);
    EXPECT_EQ(contract_of(archive), adaptive ? archive::kContractAdaptive : archive::kContractSoftmax);
    EXPECT_EQ(info_of(archive).model_segment_count, 2u);
    EXPECT_EQ(decompress_with(*model, {.adaptive = true}, archive), text);
    EXPECT_EQ(decompress_with(*model, {.adaptive = false}, archive), text);
  }
}

TEST(Codec, AStripThatTheModelDoesNotShrinkIsStoredWithoutIt) {
  const SmallModel model;
  Random random(3);
  const std::string start = model.text(27000, 3);
  for (const std::string& end : {random_bytes(random, 9000), std::string(9000, 'e')}) {
    const std::string text = start + end;
    const std::string archive = compress_with(*model, {.lane_max = 4, .adaptive = false}, text);
    const tacit_archive_info info = info_of(archive);
    EXPECT_EQ(info.segment_count, 4u);
    EXPECT_EQ(info.model_segment_count, 3u);
    EXPECT_EQ(decompress_with(*model, {}, archive), text);
  }
}

TEST(Codec, StripsAreCutWhereTheirSymbolsAreAlsoWithASpacePrefix) {
  const SmallModel model(true);
  // The last strip begins among spaces that are no prefix, and is not for the model.
  Random random(16);
  const std::string text = model.text(26985, 16) + std::string(30, ' ') + random_bytes(random, 8985);
  const std::string archive = compress_with(*model, {.lane_max = 4, .adaptive = false}, text);
  EXPECT_EQ(info_of(archive).segment_count, 4u);
  EXPECT_EQ(info_of(archive).model_segment_count, 3u);
  EXPECT_EQ(decompress_with(*model, {}, archive), text);
}

// ---- Sizes ----

TEST(Codec, RandomBytesGrowByLessThanHalfAPercentAnd200Bytes) {
  Random random(9);
  for (const std::size_t size : {0u, 1u, 100u, 10000u, 3000000u}) {
    const std::string bytes = random_bytes(random, size);
    const std::string archive = compress(bytes);
    EXPECT_LT(static_cast<double>(archive.size()), static_cast<double>(size) * 1.005 + 200) << size;
    EXPECT_TRUE(gives(archive, bytes)) << size;
  }
}

// Noise is stored without asking the model, but its repeats are still found, and so is text between it.
TEST(Codec, NoiseIsNotModelledButItsRepeatsAndTextBesideItAre) {
  Random random(17);
  const std::string noise = random_bytes(random, 300'000);
  EXPECT_EQ(info_of(compress(noise)).model_segment_count, 0u);
  const std::string twice = compress(noise + noise);
  EXPECT_LT(twice.size(), noise.size() + 2000);
  EXPECT_TRUE(gives(twice, noise + noise));
  const std::string text = random_bytes(random, 1 << 20) + model_text(300, 1);
  const std::string mixed = compress(text);
  EXPECT_EQ(info_of(mixed).model_segment_count, 1u);
  EXPECT_TRUE(gives(mixed, text));
}

std::string repeated(const std::string& text, std::size_t size) {
  std::string out;
  while (out.size() < size) out += text;
  out.resize(size);
  return out;
}

// Records that each tell the whole story so far, as agents' logs do.
std::string growing_log(Random& random, std::size_t size) {
  std::string history;
  std::string log;
  while (log.size() < size) {
    history += random_words(random, 400);
    log += "{\"messages\": \"" + history + "\"}\n";
  }
  log.resize(size);
  return log;
}

std::size_t zstd_size(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  return ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 22);
}

TEST(Codec, RepetitiveTextIsNeverLargerThanZstd22And200Bytes) {
  Random random(10);
  const std::string far = random_bytes(random, 1100000);  // repeats beyond the end of a block
  for (const std::string& text :
       {repeated(random_words(random, 3000), 300000), repeated(random_bytes(random, 50000), 300000),
        growing_log(random, 300000), std::string(300000, 'x'), far + far}) {
    const std::string archive = compress(text);
    EXPECT_LE(archive.size(), zstd_size(text) + 200) << text.substr(0, 40);
    EXPECT_TRUE(gives(archive, text));
  }
}

TEST(Codec, EveryLevelDecodesWhatItEncodesWithAndWithoutASampler) {
  const std::string text = model_text(60, 5);
  tacit_sampler sampler;
  tacit_sampler_init(&sampler);
  sampler.temperature = 0.7;
  sampler.top_p = 0.9;
  const std::string sets = tacit_kernel_sets();
  for (std::uint32_t level = 0; level <= 9; ++level) {
    for (const bool stated : {false, true}) {
      tacit_options options = plain_options();
      options.skip_verification = 0;
      options.level = level;
      options.sampler = stated ? &sampler : nullptr;
      const std::string archive = compress(text, options);
      EXPECT_TRUE(gives(archive, text, options)) << "level " << level;
      if (level != 1 && level != 5) continue;  // one of either contract
      for (const char* set : {"reference", "avx2", "avx512", "neon", "dotprod"}) {
        if (sets.find(set) == std::string::npos) continue;
        options.kernel_set = set;
        EXPECT_EQ(compress(text, options), archive) << "level " << level << ", " << set;
        EXPECT_TRUE(gives(archive, text, options)) << "level " << level << ", " << set;
      }
    }
  }
}

// Lanes learn from each other, but a decoder has no lane for what a fallback stores.
TEST(Codec, TextBesideStripsThatAFallbackStoresComesBack) {
  const SmallModel model;
  Random random(77);
  const std::string text = model.text(30000, 16);
  for (const std::string& other : {random_bytes(random, 30000), std::string(60000, 'x')}) {
    for (const std::string& whole : {text + other, other + text, text + other + text}) {
      const std::string archive = compress_with(*model, {.lane_max = 8}, whole);
      EXPECT_EQ(decompress_with(*model, {}, archive), whole);
    }
  }
}

TEST(Codec, TextThatSeveralStripsRepeatIsNeverLargerThanZstd22And200Bytes) {
  const SmallModel model;
  const std::string text = repeated(model.text(17000, 15), 3 * 17000);  // no strip alone sees the repetition
  const std::string archive = compress_with(*model, {.lane_max = 3}, text);
  EXPECT_LE(archive.size(), zstd_size(text) + 200);
  EXPECT_EQ(decompress_with(*model, {}, archive), text);
}

TEST(Codec, TheModelsOwnTextIsHalfOfWhatZstdMakesOfIt) {
  const std::string text = model_text(2000, 11);
  EXPECT_LT(2 * compress(text).size(), zstd_size(text));
}

// ---- Code length ----

ByteSpan span_of(std::string_view text) { return as_bytes(text); }

// Bits that `symbols`, coded one after the other from an empty context, ask for: -log2 of their probabilities.
double ideal_bits(const LoadedModel& model, std::uint32_t window, std::span<const TokenId> symbols) {
  constexpr std::uint32_t kChunk = 32;
  const kernels::Kernels& kernels = *kernels::find_kernels("");
  const Tokenizer& tokenizer = *model.tokenizer;
  LaneCache cache(model.model.config, window, kChunk);
  Forward forward(model.model, model.weights(), kernels, window, nullptr);
  Frequencies frequencies(kernels, tokenizer.vocabulary_size(), tokenizer.symbol_count());
  std::vector<float> logits(kernels::round_up(model.model.config.vocabulary_size, kernels::kTile));
  double bits = 0;
  for (std::size_t begin = 0; begin < symbols.size(); begin += kChunk) {
    std::vector<Row> rows;
    for (std::size_t i = begin; i < std::min(begin + kChunk, symbols.size()); ++i) {
      const TokenId input = i == 0 ? tokenizer.context_start_token() : tokenizer.model_token(symbols[i - 1]);
      rows.push_back({0, static_cast<std::uint32_t>(i), input});
    }
    forward.run({&cache, 1}, rows);
    for (std::uint32_t row = 0; row < rows.size(); ++row) {
      forward.logits({&row, 1}, logits.data(), logits.size());
      EXPECT_TRUE(frequencies.set_softmax(logits.data()).ok());
      const auto symbol = static_cast<std::uint32_t>(symbols[begin + row]);
      bits += std::log2(static_cast<double>(frequencies.total()) / frequencies[symbol]);
    }
  }
  return bits;
}

// Judges an archive of one block, all of it the model's. Returns the number of segments.
std::size_t expect_ideal_lengths(const LoadedModel& model, const std::string& archive, const std::string& text) {
  const auto reader = archive::Reader::open(span_of(archive));
  EXPECT_TRUE(reader.ok() && reader.value().blocks().size() == 1);
  const auto block = reader.value().read_block(0);
  EXPECT_TRUE(block.ok());
  const std::vector<TokenId> symbols = model.tokenizer->encode(span_of(text));
  std::size_t begin = 0;
  for (const archive::Segment& segment : block.value().segments) {
    EXPECT_EQ(segment.method, archive::Method::kModel);
    const std::size_t size = std::min<std::size_t>(segment.token_count, symbols.size() - begin);
    const double ideal = ideal_bits(model, reader.value().header().window, std::span(symbols).subspan(begin, size));
    const double bits = 8.0 * static_cast<double>(segment.payload.size());
    EXPECT_LE(bits, ideal * 1.001 + 16);
    EXPECT_GE(bits, ideal * 0.999 - 16);
    begin += segment.token_count;
  }
  EXPECT_EQ(begin, symbols.size());
  return block.value().segments.size();
}

TEST(Codec, EveryPlainModelSegmentHasTheLengthThatItsProbabilitiesAskFor) {
  const auto model = builtin_model();
  ASSERT_TRUE(model.ok());
  for (const std::string& text : {model_text(1500, 12), model_text(200, 13), model_text(80, 14), model_text(50, 15)}) {
    EXPECT_EQ(expect_ideal_lengths(*model.value(), compress_with(*model.value(), {.adaptive = false}, text), text), 1u);
  }
  const SmallModel small;
  const std::string text = small.text(40000, 14);
  const std::string archive = compress_with(*small, {.lane_max = 32, .adaptive = false}, text);
  EXPECT_GE(expect_ideal_lengths(*small, archive, text), 2u);
}

// ---- Archives put together by hand ----

std::string text_of(const ByteVector& bytes) { return std::string(as_text(bytes)); }

// The bytes with their hash made right again.
void reseal(ByteVector& bytes) {
  bytes.resize(bytes.size() - sizeof(std::uint64_t));
  append_value(bytes, xxh3_64(bytes));
}

// Of the contract under which segments made one by one can stand side by side.
archive::Header header_of_builtin(std::uint16_t contract = archive::kContractSoftmax) {
  archive::Header header;
  header.contract = contract;
  header.has_model = true;
  header.window = 256;
  header.model_fingerprint = builtin_model_fingerprint();
  header.model_name = "built-in";
  return header;
}

std::string archive_of(const archive::Header& header, const std::vector<ByteVector>& blocks,
                       const std::vector<std::uint64_t>& original_bytes) {
  ByteVector archive = archive::serialize_header(header);
  std::vector<archive::BlockEntry> entries;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    entries.push_back({archive.size(), blocks[i].size(), original_bytes[i]});
    append_bytes(archive, blocks[i]);
  }
  append_bytes(archive, archive::serialize_index_and_footer(entries));
  return text_of(archive);
}

// A block of segments with the payloads and the text that they stand for.
class BlockBuilder {
 public:
  BlockBuilder() : BlockBuilder(*builtin_model().value()) {}
  explicit BlockBuilder(const LoadedModel& model) : model_(&model) {}

  BlockBuilder& add(archive::Method method, ByteVector payload, std::string_view text, std::uint64_t count) {
    payloads_.push_back(std::move(payload));
    archive::Segment segment;
    segment.method = method;
    (method == archive::Method::kModel ? segment.token_count : segment.original_bytes) = count;
    segments_.push_back(segment);
    text_ += text;
    return *this;
  }
  BlockBuilder& add_raw(std::string_view text) {
    return add(archive::Method::kRaw, {text.begin(), text.end()}, text, text.size());
  }
  BlockBuilder& add_zstd(std::string_view text) {
    ByteVector frame(ZSTD_compressBound(text.size()));
    frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), 3));
    return add(archive::Method::kZstd, frame, text, text.size());
  }
  // By brotli, which is the best at short texts.
  BlockBuilder& add_brotli(std::string_view text) {
    Fallback fallback = FallbackSearch(span_of(text)).smallest();
    EXPECT_EQ(fallback.method, archive::Method::kBrotli);
    return add(archive::Method::kBrotli, std::move(fallback.payload), text, text.size());
  }
  // `adaptive`: as the block's only model segment, since those learn from each other.
  BlockBuilder& add_model(std::string_view text, bool adaptive = false) {
    ThreadPool pool(1);
    const auto engine = make_engine(*model_, {"", &pool}).value();
    StripCoder coder({*engine, *model_->tokenizer, pool, 256, adaptive, std::nullopt}, Schedule::lockstep());
    const std::vector<TokenId> symbols = model_->tokenizer->encode(span_of(text));
    const std::span<const TokenId> strip = symbols;
    const auto encoded = coder.encode({&strip, 1}, test::ignore_progress);
    EXPECT_TRUE(encoded.ok());
    const auto decoded = model_->tokenizer->decode(symbols, segments_.empty());
    return add(archive::Method::kModel, encoded.value().codes[0], as_text(decoded.value()), symbols.size());
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  // `claimed` and `hash` replace what is true.
  [[nodiscard]] ByteVector bytes(std::optional<std::uint64_t> claimed = {},
                                 std::optional<std::uint64_t> hash = {}) const {
    archive::Block block;
    block.original_bytes = claimed.value_or(text_.size());
    block.content_hash = hash.value_or(xxh3_64(span_of(text_)));
    block.segments = segments_;
    for (std::size_t i = 0; i < payloads_.size(); ++i) block.segments[i].payload = payloads_[i];
    return archive::serialize_block(block);
  }

 private:
  const LoadedModel* model_;
  std::vector<ByteVector> payloads_;
  std::vector<archive::Segment> segments_;
  std::string text_;
};

std::string archive_of(const BlockBuilder& block, std::uint16_t contract = archive::kContractSoftmax) {
  return archive_of(header_of_builtin(contract), {block.bytes()}, {block.text().size()});
}

TEST(Codec, DecodesSegmentsOfAllMethodsInAnyOrder) {
  const std::string bytes = "raw \xff\xfe bytes";
  const std::string many(1000, 'z');
  const std::string words = "Once upon a time, there was a model that knew what comes next, and what comes after that.";
  for (const BlockBuilder& block :
       {BlockBuilder().add_model("Once upon a time").add_raw(bytes).add_zstd(many).add_model("there was a model."),
        BlockBuilder().add_raw(bytes).add_model("Once upon").add_model("a time, a time"),
        BlockBuilder().add_brotli(words).add_model(words).add_brotli(words).add_zstd(words),
        BlockBuilder().add_zstd(many).add_zstd(many).add_raw(""),
        BlockBuilder().add_model("").add_model("x").add_raw("")}) {
    EXPECT_TRUE(gives(archive_of(block), block.text()));
  }
}

// Where the model does not pay the archive would not use it; its decoder must be right there too.
TEST_P(EveryKindOfInput, RoundTripsThroughTheModelEvenWhereItDoesNotPay) {
  for (std::uint64_t seed = 2000; seed < 2020; ++seed) {
    Random random(seed);
    const std::string text = GetParam().make(random, seed < 2010 ? seed - 2000 : random() % 300);
    for (const bool adaptive : {false, true}) {
      const BlockBuilder block = BlockBuilder().add_model(text, adaptive);
      const std::uint16_t contract = adaptive ? archive::kContractAdaptive : archive::kContractSoftmax;
      ASSERT_EQ(block.text(), text);
      ASSERT_TRUE(gives(archive_of(block, contract), text)) << "seed " << seed << ", contract " << contract;
    }
  }
}

TEST(Codec, DecodesManyBlocksInTheirOrder) {
  const BlockBuilder blocks[] = {BlockBuilder().add_model("First, a text."), BlockBuilder().add_raw("second"),
                                 BlockBuilder(), BlockBuilder().add_zstd(std::string(500, '3')),
                                 BlockBuilder().add_model("And the last.")};
  std::vector<ByteVector> serialized;
  std::vector<std::uint64_t> sizes;
  std::string text;
  for (const BlockBuilder& block : blocks) {
    serialized.push_back(block.bytes());
    sizes.push_back(block.text().size());
    text += block.text();
  }
  EXPECT_TRUE(gives(archive_of(header_of_builtin(), serialized, sizes), text));
}

TEST(Codec, OnlyTheFirstSegmentOfABlockDropsASpacePrefix) {
  const SmallModel model(true);
  for (const BlockBuilder& block : {BlockBuilder(*model).add_model("One").add_model("two").add_model(" three"),
                                    BlockBuilder(*model).add_raw("raw").add_model("One").add_model("two"),
                                    BlockBuilder(*model).add_model(" One")}) {
    EXPECT_EQ(decompress_with(*model, {}, archive_of(block)), block.text());
  }
  EXPECT_EQ(BlockBuilder(*model).add_model("One").add_model("two").text(), "One two");
}

TEST(Codec, DecodesHundredsOfThousandsOfBlocks) {
  archive::Block nothing;
  nothing.content_hash = xxh3_64({});
  const std::size_t count = 200000;
  EXPECT_TRUE(gives(archive_of(archive::Header{}, std::vector<ByteVector>(count, archive::serialize_block(nothing)),
                               std::vector<std::uint64_t>(count, 0)),
                    ""));
}

TEST(Codec, ArchivesWithoutModelSegmentsNeedNoModel) {
  archive::Header header = header_of_builtin();
  header.model_fingerprint.fill(0x5a);  // nobody has that one
  const BlockBuilder plain = BlockBuilder().add_raw("raw").add_zstd(std::string(300, 'z'));
  const std::string archive = archive_of(header, {plain.bytes()}, {plain.text().size()});
  EXPECT_TRUE(gives(archive, plain.text()));

  ThreadPool pool(1);
  CodecOptions options;
  options.engine = {"", &pool};
  std::size_t asked = 0;
  const ModelFinder finder = [&](const archive::Header&) -> Result<const LoadedModel*> {
    ++asked;
    return model_error("not here");
  };
  std::string found;
  const ByteSink sink = [&](ByteSpan bytes) -> Status {
    found += as_text(bytes);
    return {};
  };
  ASSERT_TRUE(decompress_archive(archive::Reader::open(span_of(archive)).value(), finder, options, sink).ok());
  EXPECT_EQ(found, plain.text());
  EXPECT_EQ(asked, 0u);

  const BlockBuilder coded = BlockBuilder().add_model("text");
  const std::string other = archive_of(header, {coded.bytes()}, {coded.text().size()});
  const auto refused = decompress_archive(archive::Reader::open(span_of(other)).value(), finder, options, sink);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kModel);
  EXPECT_EQ(asked, 1u);
}

TEST(Codec, AnArchiveThatNeedsNoModelNamesNone) {
  Random random(13);
  const std::string noise = random_bytes(random, 600);
  for (const std::string& text : {std::string(), random_bytes(random, 5000), noise + noise + noise + noise}) {
    const tacit_archive_info info = info_of(compress(text));
    EXPECT_EQ(info.model_segment_count, 0u);
    EXPECT_STREQ(info.model_name, "");
    EXPECT_STREQ(info.model_fingerprint, "");
  }
  const tacit_archive_info info = info_of(compress(model_text(100, 3)));
  EXPECT_EQ(info.model_segment_count, 1u);
  EXPECT_EQ(info.model_fingerprint, to_hex(builtin_model_fingerprint()));
}

TEST(Codec, RefusesAModelSegmentInAnArchiveThatNamesNoModel) {
  const BlockBuilder block = BlockBuilder().add_model("text");
  const Decompressed result = decompress(archive_of(archive::Header{}, {block.bytes()}, {block.text().size()}));
  EXPECT_EQ(result.status, TACIT_DAMAGED) << result.error;
}

// ---- Damage ----

void expect_damaged(const std::string& archive, const char* what) {
  const Decompressed result = decompress(archive);
  EXPECT_EQ(result.status, TACIT_DAMAGED) << what << ": " << result.error;
  EXPECT_NE(result.error, "") << what;
  EXPECT_EQ(result.error.find('\n'), std::string::npos) << what;
}

TEST(Codec, EveryFlippedBitOfAnArchiveIsSeen) {
  std::string archive = compress(model_text(100, 2));
  ASSERT_EQ(info_of(archive).model_segment_count, 1u);
  for (std::size_t bit = 0; bit < 8 * archive.size(); ++bit) {
    archive[bit / 8] = static_cast<char>(archive[bit / 8] ^ (1 << bit % 8));
    expect_damaged(archive, ("bit " + std::to_string(bit)).c_str());
    archive[bit / 8] = static_cast<char>(archive[bit / 8] ^ (1 << bit % 8));
  }
}

TEST(Codec, EveryByteReplacedInAnArchiveIsSeen) {
  Random random(14);
  std::string archive = compress(model_text(100, 2));
  for (std::size_t i = 0; i < archive.size(); ++i) {
    for (const int change : {0x20, 0xff, 1 + static_cast<int>(random() % 255)}) {
      archive[i] = static_cast<char>(archive[i] ^ change);
      expect_damaged(archive, ("byte " + std::to_string(i)).c_str());
      archive[i] = static_cast<char>(archive[i] ^ change);
    }
  }
}

TEST(Codec, EveryTruncationOfAnArchiveIsSeen) {
  const std::string archive = compress(model_text(100, 2));
  for (std::size_t size = 0; size < archive.size(); ++size) {
    expect_damaged(archive.substr(0, size), ("size " + std::to_string(size)).c_str());
  }
}

// Not chance but malice: hashes fit. What comes out is then the right text or an error, never another text.
void expect_no_other_text(bool adaptive) {
  const std::uint16_t contract = adaptive ? archive::kContractAdaptive : archive::kContractSoftmax;
  const BlockBuilder block =
      BlockBuilder()
          .add_model("The lazy dog.", adaptive)
          .add_raw("raw")
          .add_zstd(std::string(64, 'z'))
          .add_brotli("Once upon a time, there was a model that knew what comes next, and what comes after that.");
  const ByteVector bytes = block.bytes();
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * (bytes.size() - 8); ++bit) {
    ByteVector changed = bytes;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    reseal(changed);
    const Decompressed result = decompress(archive_of(header_of_builtin(contract), {changed}, {block.text().size()}));
    if (result.status == TACIT_OK) {
      EXPECT_EQ(result.text, block.text()) << bit;
    } else {
      EXPECT_EQ(result.status, TACIT_DAMAGED) << bit << ": " << result.error;
      ++refused;
    }
  }
  EXPECT_GT(refused, 8 * bytes.size() * 3 / 4) << "only the last bits of a code may mean nothing";
}

TEST(Codec, AChangedBlockWithTheRightHashNeverDecodesToAnotherText) {
  expect_no_other_text(false);
  expect_no_other_text(true);
}

void expect_damaged_block(const BlockBuilder& block, const char* what) { expect_damaged(archive_of(block), what); }

TEST(Codec, RefusesSegmentsThatAreNotWhatTheySay) {
  using archive::Method;
  const ByteVector frame = [] {
    ByteVector out(200);
    out.resize(ZSTD_compress(out.data(), out.size(), "aaaaaaaaaaaaaaaaaaaa", 20, 3));
    return out;
  }();
  const std::string text(20, 'a');
  EXPECT_TRUE(gives(archive_of(BlockBuilder().add(Method::kZstd, frame, text, 20)), text));
  ByteVector longer = frame;
  longer.push_back(0);
  const ByteVector shorter(frame.begin(), frame.end() - 1);
  expect_damaged_block(BlockBuilder().add(Method::kZstd, longer, text, 20), "bytes behind a zstd frame");
  expect_damaged_block(BlockBuilder().add(Method::kZstd, shorter, text, 20), "a zstd frame cut off");
  expect_damaged_block(BlockBuilder().add(Method::kZstd, {}, text, 20), "no zstd frame");
  expect_damaged_block(BlockBuilder().add(Method::kZstd, frame, text, 19), "a zstd frame of more bytes");
  expect_damaged_block(BlockBuilder().add(Method::kZstd, frame, text + "a", 21), "a zstd frame of fewer bytes");
  ByteVector two = frame;
  append_bytes(two, ByteVector{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7});  // a skippable frame: zstd takes it
  expect_damaged_block(BlockBuilder().add(Method::kZstd, two, text, 20), "two zstd frames");
  const std::string words = "Once upon a time, there was a model that knew what comes next, and what comes after that.";
  const ByteVector stream = FallbackSearch(span_of(words)).smallest().payload;
  longer = stream;
  longer.push_back(0);
  expect_damaged_block(BlockBuilder().add(Method::kBrotli, longer, words, words.size()),
                       "bytes behind a brotli stream");
  const std::string fewer = words.substr(0, words.size() - 1);
  EXPECT_TRUE(gives(archive_of(BlockBuilder().add(Method::kBrotli, stream, words, words.size())), words));
  expect_damaged_block(BlockBuilder().add(Method::kBrotli, {stream.begin(), stream.end() - 1}, words, words.size()),
                       "a brotli stream cut off");
  expect_damaged_block(BlockBuilder().add(Method::kBrotli, {}, words, words.size()), "no brotli stream");
  expect_damaged_block(BlockBuilder().add(Method::kBrotli, stream, fewer, fewer.size()),
                       "a brotli stream of more bytes");
  expect_damaged_block(BlockBuilder().add(Method::kBrotli, stream, words + ".", words.size() + 1),
                       "a brotli stream of fewer bytes");
  expect_damaged_block(BlockBuilder().add(Method::kRaw, {'a', 'a'}, "aaa", 3), "a raw segment of fewer bytes");
  expect_damaged_block(BlockBuilder().add(Method::kRaw, {'a', 'a'}, "a", 1), "a raw segment of more bytes");
}

TEST(Codec, RefusesABlockThatWouldDecodeToAThousandTimesItsSize) {
  const std::string zeros(64 << 20, '\0');
  const ByteVector one = BlockBuilder().add_zstd(zeros).bytes();
  archive::Block block = archive::parse_block(one).value();
  block.segments.assign(1000, block.segments[0]);
  const std::string archive = archive_of(archive::Header{}, {archive::serialize_block(block)}, {block.original_bytes});
  EXPECT_LT(archive.size(), 4u << 20);
  expect_damaged(archive, "a bomb");
}

// A lane of the largest window would take gigabytes; a short text needs none of them.
TEST(Codec, ATinyArchiveTakesLittleMemoryWhateverItsWindow) {
  archive::Header header = header_of_builtin();
  header.window = limits::kWindowMax;
  const BlockBuilder block = BlockBuilder().add_model("text");
  EXPECT_TRUE(gives(archive_of(header, {block.bytes()}, {block.text().size()}), block.text()));
  const ByteVector one = block.bytes();
  archive::Block many = archive::parse_block(one).value();
  many.segments.assign(64, many.segments[0]);
  expect_damaged(archive_of(header, {archive::serialize_block(many)}, {many.original_bytes}), "64 lanes");
}

// What an archive claims is compared with the limit before anything is allocated for it.
TEST(Codec, AnArchiveThatAsksForTooMuchMemoryIsRefused) {
  archive::Header header = header_of_builtin();
  header.window = limits::kWindowMax;
  const std::string long_claim(limits::kBlockBytesMax, ' ');
  const ByteVector code(8, 0);
  BlockBuilder block;
  block.add(archive::Method::kModel, code, long_claim, limits::kWindowMax);
  for (int i = 0; i < 11; ++i) block.add(archive::Method::kModel, code, "", 1);
  const Decompressed result = decompress(archive_of(header, {block.bytes()}, {long_claim.size()}));
  EXPECT_EQ(result.status, TACIT_DAMAGED);
  EXPECT_TRUE(result.error.starts_with("block 0 (offset 66): window: found 12 lanes of 1048576 tokens, which need "))
      << result.error;
  EXPECT_TRUE(result.error.ends_with("bytes of keys and values each, expected at most 4294967296 in all"))
      << result.error;
}

// Experts remember every symbol of a block: that is the first thing looked at, before the lanes' caches.
TEST(Codec, ABlockOfMoreSymbolsThanExpertsRememberIsRefused) {
  const std::string long_claim(limits::kBlockBytesMax, ' ');
  const ByteVector code(8, 0);
  for (const std::uint32_t window : {256u, limits::kWindowMax}) {
    archive::Header header = header_of_builtin(archive::kContractAdaptive);
    header.window = window;
    BlockBuilder block;
    block.add(archive::Method::kModel, code, long_claim, limits::kHistorySymbolsMax - 2);
    for (int i = 0; i < 3; ++i) block.add(archive::Method::kModel, code, "", 1);
    const Decompressed result = decompress(archive_of(header, {block.bytes()}, {long_claim.size()}));
    EXPECT_EQ(result.status, TACIT_DAMAGED);
    EXPECT_EQ(result.error, "block 0 (offset 66): block: found 8389633 symbols, expected at most 8389632");
  }
}

TEST(Codec, OptionsThatAskForTooMuchMemoryAreRefused) {
  test::TinyShape shape;
  shape.head_count = shape.kv_head_count = 16;
  shape.head_dim = 256;
  const SmallModel model(shape);
  ThreadPool pool(1);
  const auto expect_refused = [](const auto& result, const std::string& start) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kUsage);
    EXPECT_TRUE(result.error().message.starts_with("window: found " + start)) << result.error().message;
    EXPECT_TRUE(result.error().message.ends_with(", expected at most 4294967296 in all")) << result.error().message;
  };

  Random random(3);
  std::string text = random_bytes(random, 512 * 1024);
  for (char& byte : text) byte &= 0x7f;  // noise does not reach the model
  CodecOptions options = codec_options({}, pool);
  options.window = limits::kWindowMax;
  options.lane_max = 32;
  std::string archive;
  expect_refused(compress_stream(*model, options, string_source(text), string_sink(archive)),
                 "32 lanes of 16384 tokens");
  EXPECT_EQ(archive, "");
  EXPECT_EQ(default_lane_count(*model, limits::kWindowMax), 1u);
  EXPECT_EQ(default_lane_count(*model, 64), 8u);

  const auto engine = make_engine(*model, {"", &pool}).value();
  GenerateOptions generation;
  generation.window = limits::kWindowMax;
  generation.token_count = 1;
  expect_refused(generate(*model, *engine, generation, {}, [](ByteSpan) { return true; }),
                 "1 lane of 1048576 tokens");
  const TokenId id = 1;
  expect_refused(sequence_logits(*model, *engine, limits::kWindowMax, {&id, 1},
                                 [](std::size_t, const float*) { return true; }),
                 "1 lane of 1048576 tokens");
}

TEST(Codec, RefusesCodeStreamsOfAnotherLength) {
  const std::string text = "A code stream says nothing behind its end.";
  const LoadedModel& model = *builtin_model().value();
  const std::size_t count = model.tokenizer->encode(span_of(text)).size();
  const std::string archive = archive_of(BlockBuilder().add_model(text));
  const auto reader = archive::Reader::open(span_of(archive));
  const ByteSpan code = reader.value().read_block(0).value().segments[0].payload;
  const auto with = [&](ByteVector payload, std::size_t symbols) {
    return BlockBuilder().add(archive::Method::kModel, std::move(payload), text, symbols);
  };
  ByteVector longer(code.begin(), code.end());
  EXPECT_TRUE(gives(archive_of(with(longer, count)), text));
  expect_damaged_block(with(longer, count - 1), "a symbol fewer");
  expect_damaged_block(with(longer, 0), "no symbol");
  expect_damaged_block(with({code.begin(), code.end() - 2}, count), "a shorter code");
  longer.resize(code.size() + 9, 0);
  expect_damaged_block(with(longer, count), "zeros behind a code");
  longer.back() = 7;
  expect_damaged_block(with(longer, count), "bytes behind a code");
}

TEST(Codec, RefusesSizesAndHashesThatAreNotTheTexts) {
  for (const BlockBuilder& block : {BlockBuilder().add_raw("some text"), BlockBuilder().add_model("some text"),
                                    BlockBuilder().add_raw("so").add_model("me text")}) {
    const std::uint64_t size = block.text().size();
    for (const std::uint64_t claimed : {size - 1, size + 1, size + 1000}) {
      const ByteVector bytes = block.bytes(claimed);
      if (!archive::parse_block(bytes).ok()) continue;  // the frame's own check, tested with the frame
      expect_damaged(archive_of(header_of_builtin(), {bytes}, {claimed}), "another size");
    }
    expect_damaged(archive_of(header_of_builtin(), {block.bytes({}, 0)}, {size}), "another hash");
  }
}

TEST(Codec, AnArchiveOfAnotherModelIsRefusedByName) {
  archive::Header header = header_of_builtin();
  header.model_fingerprint[31] ^= 1;
  header.model_name = "someone's model";
  const BlockBuilder block = BlockBuilder().add_model("text");
  const Decompressed result = decompress(archive_of(header, {block.bytes()}, {block.text().size()}));
  EXPECT_EQ(result.status, TACIT_MODEL);
  EXPECT_NE(result.error.find("someone's model"), std::string::npos) << result.error;
  EXPECT_NE(result.error.find(to_hex(header.model_fingerprint)), std::string::npos) << result.error;
}

struct DamagedArchive {
  std::string archive;
  std::string first_text;  // of the blocks before the first damaged one
};

// Six blocks of which numbers 2 and 4 have a flipped bit.
DamagedArchive six_blocks_two_damaged() {
  std::vector<ByteVector> blocks;
  std::vector<std::uint64_t> sizes;
  DamagedArchive result;
  for (int i = 0; i < 6; ++i) {
    const BlockBuilder block = BlockBuilder().add_raw(std::string(50, static_cast<char>('a' + i)));
    blocks.push_back(block.bytes());
    sizes.push_back(block.text().size());
    if (i < 2) result.first_text += block.text();
    if (i == 2 || i == 4) blocks.back()[30] ^= 1;
  }
  result.archive = archive_of(header_of_builtin(), blocks, sizes);
  return result;
}

std::int64_t read_string(void* context, void* buffer, std::size_t capacity) {
  auto& rest = *static_cast<std::string_view*>(context);
  const std::size_t count = std::min(capacity, rest.size());
  std::copy_n(rest.data(), count, static_cast<char*>(buffer));
  rest.remove_prefix(count);
  return static_cast<std::int64_t>(count);
}

int append_to_string(void* context, const void* data, std::size_t size) {
  static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
  return 0;
}

TEST(Codec, ACheckNamesEveryDamagedBlock) {
  const DamagedArchive damaged_archive = six_blocks_two_damaged();
  std::string_view rest = damaged_archive.archive;
  const tacit_options options = plain_options();
  EXPECT_EQ(tacit_decompress_stream(&options, read_string, &rest, nullptr, nullptr, nullptr), TACIT_DAMAGED);
  const std::string error = tacit_last_error();
  EXPECT_NE(error.find("2 of 6 blocks"), std::string::npos) << error;
  for (const char* part : {"block 2 (", "original bytes 100 to 150", "block 4 (", "original bytes 200 to 250"}) {
    EXPECT_NE(error.find(part), std::string::npos) << part << " in " << error;
  }
  EXPECT_EQ(error.find("block 3 ("), std::string::npos) << error;
}

TEST(Codec, WhatWasWrittenBeforeAnErrorIsAPrefixOfTheText) {
  const DamagedArchive damaged_archive = six_blocks_two_damaged();
  std::string_view rest = damaged_archive.archive;
  std::string written;
  const tacit_options options = plain_options();
  EXPECT_EQ(tacit_decompress_stream(&options, read_string, &rest, append_to_string, &written, nullptr), TACIT_DAMAGED);
  EXPECT_EQ(written, damaged_archive.first_text);
}

TEST(Codec, NoBytesGiveAnArchiveOfNoBytes) {
  const std::string archive = compress("");
  EXPECT_EQ(info_of(archive).block_count, 0u);
  EXPECT_TRUE(gives(archive, ""));
}

}  // namespace
}  // namespace tacit
