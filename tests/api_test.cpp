// SPDX-License-Identifier: MIT
// The contract of include/tacit/tacit.h, as a client sees it: arguments that make no sense are refused, errors are told
// per thread, work can be watched and stopped, files appear whole or not at all, and a missing model is named.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <tacit/tacit.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <new>
#include <random>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/api_buffer.h"
#include "support/echo_model.h"
#include "support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using tacit::as_text;
using tacit::ByteVector;
using tacit::test::echo_model;
using tacit::test::kEchoVocabulary;
using tacit::test::kEchoWidth;
using tacit::test::read_file;
using tacit::test::write_file;
using Buffer = tacit::test::ApiBuffer;

// Long enough for several progress reports, and prose, so that the model codes it.
const std::string kText =
    "The keeper of the lighthouse had two duties: to keep the lamp burning, and to write in the book what he saw. For "
    "thirty years he did both. He wrote of storms and of ships, of the birds that lost their way and struck the glass, "
    "of "
    "the one morning when the sea was so still that he could see the stars in it. Nobody ever read the book. When the "
    "lamp "
    "was replaced by a machine that needed no keeper, a young woman came to take the furniture away, and she found the "
    "book "
    "under the stairs. She sat down on the lowest step and began to read, and she did not notice that the tide came "
    "in.\n";

// ---- Helpers ----

tacit_options options_of_one_thread() {
  tacit_options options;
  tacit_options_init(&options);
  options.threads = 1;
  return options;
}

std::string last_error() { return tacit_last_error(); }

std::string compress(const std::string& text, const tacit_options& options = options_of_one_thread()) {
  Buffer out;
  EXPECT_EQ(tacit_compress_buffer(&options, text.data(), text.size(), &out.data, &out.size), TACIT_OK) << last_error();
  return out.data == nullptr ? std::string() : out.text();
}

struct Model {
  tacit_model* handle = nullptr;
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model() { tacit_model_close(handle); }
};

void expect_usage(tacit_status status, const std::string& part) {
  EXPECT_EQ(status, TACIT_USAGE);
  EXPECT_NE(last_error().find(part), std::string::npos) << last_error();
  EXPECT_EQ(last_error().find('\n'), std::string::npos);
}

// A stream over strings; `chunk` bytes at most are read at a time.
struct Stream {
  std::string input;
  std::string output;
  std::size_t offset = 0;

  static std::int64_t read(void* context, void* buffer, std::size_t capacity) {
    auto& stream = *static_cast<Stream*>(context);
    const std::size_t count = std::min(capacity, stream.input.size() - stream.offset);
    std::copy_n(stream.input.data() + stream.offset, count, static_cast<char*>(buffer));
    stream.offset += count;
    return static_cast<std::int64_t>(count);
  }
  static int write(void* context, const void* data, std::size_t size) {
    static_cast<Stream*>(context)->output.append(static_cast<const char*>(data), size);
    return 0;
  }
};

int ignore_logits(void*, std::size_t, const float*) { return 0; }
int ignore_text(void*, const char*, std::size_t) { return 0; }

// ---- Files ----

class ApiFiles : public tacit::test::TemporaryFolder {
 protected:
  std::string text_file(const std::string& name = "text") {
    write_file(path(name), kText);
    return path(name);
  }
  std::string archive_file(const std::string& name = "archive") {
    write_file(path(name), compress(kText));
    return path(name);
  }
  std::string model_file(const std::string& name, std::uint32_t seed) {
    write_file(path(name), as_text(echo_model(name, seed)));
    return path(name);
  }
};

using Names = std::set<std::string>;

// ---- Arguments ----

TEST(Api, StatusNumbersNeverChange) {
  EXPECT_EQ(TACIT_OK, 0);
  EXPECT_EQ(TACIT_DAMAGED, 1);
  EXPECT_EQ(TACIT_USAGE, 2);
  EXPECT_EQ(TACIT_MODEL, 3);
  EXPECT_EQ(TACIT_IO, 4);
  EXPECT_EQ(TACIT_CANCELLED, 5);
  EXPECT_EQ(TACIT_OUT_OF_MEMORY, 6);
  EXPECT_EQ(TACIT_INTERNAL, 7);
}

TEST(Api, VersionIsThreeNumbers) {
  const std::string version = tacit_version();
  EXPECT_TRUE(std::regex_match(version, std::regex("[0-9]+[.][0-9]+[.][0-9]+"))) << version;
}

TEST(Api, KernelSetsEndWithTheReference) {
  const std::string sets = tacit_kernel_sets();
  EXPECT_TRUE(sets == "reference" || sets.ends_with(",reference")) << sets;
}

TEST(Api, FreeAndCloseTakeNull) {
  tacit_free(nullptr);
  tacit_model_close(nullptr);
}

TEST(Api, NullForARequiredArgumentIsRefused) {
  Model model;
  ASSERT_EQ(tacit_model_open_builtin(&model.handle), TACIT_OK);
  Buffer out;
  Stream stream;
  tacit_model_info model_info;
  tacit_model_info_init(&model_info);
  tacit_archive_info archive_info;
  tacit_archive_info_init(&archive_info);
  std::int32_t* ids = nullptr;
  std::size_t id_count = 0;
  const std::function<tacit_status()> calls[] = {
      [] { return tacit_model_open_builtin(nullptr); },
      [] { return tacit_model_open("x", nullptr); },
      [&] { return tacit_model_open(nullptr, &model.handle); },
      [&] { return tacit_model_get_info(nullptr, &model_info); },
      [&] { return tacit_model_get_info(model.handle, nullptr); },
      [&] { return tacit_model_tokenize(nullptr, "x", 1, 0, &ids, &id_count); },
      [&] { return tacit_model_tokenize(model.handle, nullptr, 1, 0, &ids, &id_count); },
      [&] { return tacit_model_tokenize(model.handle, "x", 1, 0, nullptr, &id_count); },
      [&] { return tacit_model_tokenize(model.handle, "x", 1, 0, &ids, nullptr); },
      [] { return tacit_compress_file(nullptr, nullptr, "x", nullptr); },
      [] { return tacit_compress_file(nullptr, "x", nullptr, nullptr); },
      [] { return tacit_decompress_file(nullptr, nullptr, "x", nullptr); },
      [] { return tacit_decompress_file(nullptr, "x", nullptr, nullptr); },
      [&] { return tacit_compress_buffer(nullptr, nullptr, 1, &out.data, &out.size); },
      [&] { return tacit_compress_buffer(nullptr, "x", 1, nullptr, &out.size); },
      [&] { return tacit_compress_buffer(nullptr, "x", 1, &out.data, nullptr); },
      [&] { return tacit_decompress_buffer(nullptr, nullptr, 1, &out.data, &out.size); },
      [&] { return tacit_decompress_buffer(nullptr, "x", 1, nullptr, &out.size); },
      [&] { return tacit_decompress_buffer(nullptr, "x", 1, &out.data, nullptr); },
      [&] { return tacit_compress_stream(nullptr, nullptr, &stream, Stream::write, &stream, nullptr); },
      [&] { return tacit_compress_stream(nullptr, Stream::read, &stream, nullptr, &stream, nullptr); },
      [&] { return tacit_decompress_stream(nullptr, nullptr, &stream, Stream::write, &stream, nullptr); },
      [&] { return tacit_info_file(nullptr, &archive_info); },
      [] { return tacit_info_file("x", nullptr); },
      [&] { return tacit_info_buffer(nullptr, 1, &archive_info); },
      [] { return tacit_info_buffer("x", 1, nullptr); },
      [] { return tacit_logits(nullptr, nullptr, 1, ignore_logits, nullptr); },
      [&] { return tacit_logits(nullptr, &ids[0], 0, nullptr, nullptr); },
      [] { return tacit_generate(nullptr, nullptr, nullptr, 1, 1, 0, ignore_text, nullptr); },
      [] { return tacit_generate(nullptr, nullptr, "x", 1, 1, 0, nullptr, nullptr); },
  };
  for (std::size_t i = 0; i < std::size(calls); ++i) {
    SCOPED_TRACE("call " + std::to_string(i));
    expect_usage(calls[i](), "must not be NULL");
  }
  EXPECT_EQ(out.data, nullptr);
  EXPECT_EQ(ids, nullptr);
}

TEST(Api, NullWithNoBytesIsAnEmptyInput) {
  const tacit_options options = options_of_one_thread();
  Buffer archive;
  ASSERT_EQ(tacit_compress_buffer(&options, nullptr, 0, &archive.data, &archive.size), TACIT_OK);
  Buffer back;
  ASSERT_EQ(tacit_decompress_buffer(&options, archive.data, archive.size, &back.data, &back.size), TACIT_OK);
  EXPECT_EQ(back.size, 0u);
  EXPECT_NE(back.data, nullptr) << "which would look like a failure";
  EXPECT_EQ(tacit_decompress_buffer(&options, nullptr, 0, &back.data, &back.size), TACIT_DAMAGED);
}

TEST(Api, OptionsMayBeNull) {
  Buffer archive;
  ASSERT_EQ(tacit_compress_buffer(nullptr, kText.data(), kText.size(), &archive.data, &archive.size), TACIT_OK);
  EXPECT_EQ(archive.text(), compress(kText));
  Buffer back;
  ASSERT_EQ(tacit_decompress_buffer(nullptr, archive.data, archive.size, &back.data, &back.size), TACIT_OK);
  EXPECT_EQ(back.text(), kText);
}

TEST(Api, AWrongStructSizeIsRefused) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, sizeof(tacit_options) + 1, ~std::size_t{0}}) {
    tacit_options options = options_of_one_thread();
    options.struct_bytes = size;
    Buffer out;
    expect_usage(tacit_compress_buffer(&options, "x", 1, &out.data, &out.size), "tacit_options.struct_bytes");
    expect_usage(tacit_decompress_buffer(&options, "x", 1, &out.data, &out.size), "tacit_options.struct_bytes");
    expect_usage(tacit_logits(&options, nullptr, 0, ignore_logits, nullptr), "tacit_options.struct_bytes");
    EXPECT_EQ(out.data, nullptr);
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, sizeof(tacit_sampler) + 1}) {
    tacit_sampler sampler;
    tacit_sampler_init(&sampler);
    sampler.struct_bytes = size;
    expect_usage(tacit_generate(nullptr, &sampler, nullptr, 0, 1, 0, ignore_text, nullptr),
                 "tacit_sampler.struct_bytes");
  }
}

// A client of an older version knows fewer fields; what lies behind its struct is not looked at.
TEST(Api, AShorterStructIsReadUpToItsEnd) {
  tacit_options options = options_of_one_thread();
  options.struct_bytes = offsetof(tacit_options, window);
  options.window = 3;          // no window
  options.lane_count = 77777;  // too many
  Buffer out;
  ASSERT_EQ(tacit_compress_buffer(&options, kText.data(), kText.size(), &out.data, &out.size), TACIT_OK)
      << last_error();
  EXPECT_EQ(out.text(), compress(kText));
  options.struct_bytes = offsetof(tacit_options, lane_count);
  Buffer refused;
  expect_usage(tacit_compress_buffer(&options, kText.data(), kText.size(), &refused.data, &refused.size), "window");
}

TEST(Api, AShorterStructIsWrittenUpToItsEnd) {
  const std::string archive = compress(kText);
  tacit_archive_info info;
  std::memset(&info, 0x55, sizeof(info));
  info.struct_bytes = offsetof(tacit_archive_info, original_bytes);
  ASSERT_EQ(tacit_info_buffer(archive.data(), archive.size(), &info), TACIT_OK);
  EXPECT_EQ(info.struct_bytes, offsetof(tacit_archive_info, original_bytes));
  EXPECT_EQ(info.contract, 2u);
  EXPECT_EQ(info.archive_bytes, 0x5555555555555555u);
  EXPECT_EQ(info.token_count, 0x5555555555555555u);
}

TEST(Api, AnOutputStructTooSmallToHoldItsSizeIsRefused) {
  const std::string archive = compress(kText);
  Model model;
  ASSERT_EQ(tacit_model_open_builtin(&model.handle), TACIT_OK);
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}}) {
    tacit_archive_info info;
    tacit_archive_info_init(&info);
    info.struct_bytes = size;
    expect_usage(tacit_info_buffer(archive.data(), archive.size(), &info), "struct_bytes");
    tacit_model_info model_info;
    tacit_model_info_init(&model_info);
    model_info.struct_bytes = size;
    expect_usage(tacit_model_get_info(model.handle, &model_info), "struct_bytes");
    Stream stream;
    tacit_result result;
    tacit_result_init(&result);
    result.struct_bytes = size;
    const tacit_options options = options_of_one_thread();
    expect_usage(tacit_compress_stream(&options, Stream::read, &stream, Stream::write, &stream, &result),
                 "struct_bytes");
  }
}

TEST(Api, OptionsOutsideTheirLimitsAreRefused) {
  struct Case {
    const char* part;
    std::function<void(tacit_options&)> change;
  };
  const Case cases[] = {
      {"window: found 15, expected 16 to 1048576", [](tacit_options& o) { o.window = 15; }},
      {"window: found 1048577", [](tacit_options& o) { o.window = 1048577; }},
      {"lane count: found 257", [](tacit_options& o) { o.lane_count = 257; }},
      {"threads: found 1025", [](tacit_options& o) { o.threads = 1025; }},
      {"kernel set: found \"sse9\"", [](tacit_options& o) { o.kernel_set = "sse9"; }},
      {"kernel set: found \"AVX2\"", [](tacit_options& o) { o.kernel_set = "AVX2"; }},
  };
  for (const Case& wrong : cases) {
    tacit_options options = options_of_one_thread();
    wrong.change(options);
    Buffer out;
    Stream stream;
    expect_usage(tacit_compress_buffer(&options, "x", 1, &out.data, &out.size), wrong.part);
    expect_usage(tacit_decompress_buffer(&options, "x", 1, &out.data, &out.size), wrong.part);
    expect_usage(tacit_compress_stream(&options, Stream::read, &stream, Stream::write, &stream, nullptr), wrong.part);
    EXPECT_EQ(stream.output, "");
  }
}

TEST(Api, SamplerSettingsOutsideTheirLimitsAreRefused) {
  const tacit_options options = options_of_one_thread();
  const auto refused = [&](const char* part, const std::function<void(tacit_sampler&)>& change) {
    tacit_sampler sampler;
    tacit_sampler_init(&sampler);
    change(sampler);
    expect_usage(tacit_generate(&options, &sampler, nullptr, 0, 1, 0, ignore_text, nullptr), part);
  };
  refused("temperature", [](tacit_sampler& s) { s.temperature = -1; });
  refused("temperature", [](tacit_sampler& s) { s.temperature = std::nan(""); });
  refused("top_p", [](tacit_sampler& s) { s.top_p = 1.5; });
  refused("min_p", [](tacit_sampler& s) { s.min_p = -0.1; });
}

// ---- Errors ----

TEST(Api, LastErrorIsClearedByTheNextCall) {
  EXPECT_EQ(tacit_model_open("/nowhere/at/all.gguf", nullptr), TACIT_USAGE);
  EXPECT_NE(last_error(), "");
  Model model;
  EXPECT_EQ(tacit_model_open_builtin(&model.handle), TACIT_OK);
  EXPECT_EQ(last_error(), "");
}

TEST(Api, LastErrorIsThatOfItsThread) {
  EXPECT_EQ(tacit_model_open_builtin(nullptr), TACIT_USAGE);
  const std::string mine = last_error();
  std::string at_start = "not read";
  std::string after_failure;
  std::thread([&] {
    at_start = last_error();
    Model model;
    EXPECT_EQ(tacit_model_open("/nowhere/at/all.gguf", &model.handle), TACIT_IO);
    after_failure = last_error();
  }).join();
  EXPECT_EQ(at_start, "");
  EXPECT_NE(after_failure.find("/nowhere/at/all.gguf"), std::string::npos) << after_failure;
  EXPECT_EQ(last_error(), mine);
}

TEST(Api, AFailedReadOrWriteIsAnInputOutputError) {
  const tacit_options options = options_of_one_thread();
  Stream stream;
  stream.input = compress(kText);
  const auto failing_read = [](void*, void*, std::size_t) -> std::int64_t { return -1; };
  const auto lying_read = [](void*, void*, std::size_t capacity) { return static_cast<std::int64_t>(capacity) + 1; };
  const auto failing_write = [](void*, const void*, std::size_t) { return 1; };
  EXPECT_EQ(tacit_compress_stream(&options, failing_read, nullptr, Stream::write, &stream, nullptr), TACIT_IO);
  EXPECT_EQ(tacit_compress_stream(&options, lying_read, nullptr, Stream::write, &stream, nullptr), TACIT_IO);
  EXPECT_EQ(tacit_decompress_stream(&options, failing_read, nullptr, Stream::write, &stream, nullptr), TACIT_IO);
  EXPECT_EQ(stream.output, "");
  EXPECT_EQ(tacit_decompress_stream(&options, Stream::read, &stream, failing_write, nullptr, nullptr), TACIT_IO);
  EXPECT_NE(last_error(), "");
  stream.offset = 0;
  EXPECT_EQ(tacit_compress_stream(&options, Stream::read, &stream, failing_write, nullptr, nullptr), TACIT_IO);
}

// ---- Progress ----

// What a progress function was told, and when it says stop.
struct Watcher {
  std::vector<tacit_progress> reports;
  std::size_t stop_at = ~std::size_t{0};
  std::thread::id thread;
  bool other_thread = false;
  std::function<void()> act;

  static int report(void* context, const tacit_progress* progress) {
    auto& watcher = *static_cast<Watcher*>(context);
    watcher.other_thread |= std::this_thread::get_id() != watcher.thread;
    watcher.reports.push_back(*progress);
    if (watcher.act) watcher.act();
    return watcher.reports.size() > watcher.stop_at ? 1 : 0;
  }
  [[nodiscard]] tacit_options options() {
    thread = std::this_thread::get_id();
    tacit_options result = options_of_one_thread();
    result.threads = 2;
    result.progress = report;
    result.progress_context = this;
    return result;
  }
};

TEST(Api, ProgressIsReportedInOrderByTheCallingThread) {
  Watcher watcher;
  const std::string archive = compress(kText, watcher.options());
  ASSERT_GE(watcher.reports.size(), 4u);
  EXPECT_FALSE(watcher.other_thread);
  const tacit_progress* before = nullptr;
  for (const tacit_progress& report : watcher.reports) {
    EXPECT_EQ(report.original_bytes_total, kText.size());
    EXPECT_LE(report.original_bytes_done, kText.size());
    if (before != nullptr) {
      EXPECT_GE(report.verifying, before->verifying);
      EXPECT_GE(report.tokens_done, before->tokens_done);
      EXPECT_TRUE(report.original_bytes_done >= before->original_bytes_done || report.verifying > before->verifying);
    }
    before = &report;
  }
  EXPECT_EQ(watcher.reports.front().verifying, 0);
  EXPECT_EQ(watcher.reports.back().verifying, 1);
  EXPECT_EQ(watcher.reports.back().original_bytes_done, kText.size());

  Watcher decoding;
  const tacit_options options = decoding.options();
  Buffer back;
  ASSERT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &back.data, &back.size), TACIT_OK);
  ASSERT_GE(decoding.reports.size(), 2u);
  EXPECT_FALSE(decoding.other_thread);
  EXPECT_EQ(decoding.reports.back().original_bytes_total, kText.size());
  EXPECT_EQ(decoding.reports.back().original_bytes_done, kText.size());
  EXPECT_EQ(decoding.reports.back().verifying, 0);
}

TEST(Api, SkippedVerificationIsNotReported) {
  Watcher watcher;
  tacit_options options = watcher.options();
  options.skip_verification = 1;
  compress(kText, options);
  ASSERT_FALSE(watcher.reports.empty());
  EXPECT_TRUE(std::ranges::all_of(watcher.reports, [](const tacit_progress& report) { return report.verifying == 0; }));
}

TEST(Api, AStreamsTotalIsNotKnown) {
  Watcher watcher;
  const tacit_options options = watcher.options();
  Stream stream;
  stream.input = kText;
  tacit_result result;
  tacit_result_init(&result);
  ASSERT_EQ(tacit_compress_stream(&options, Stream::read, &stream, Stream::write, &stream, &result), TACIT_OK);
  ASSERT_FALSE(watcher.reports.empty());
  EXPECT_EQ(watcher.reports.front().original_bytes_total, 0u);
  EXPECT_EQ(result.original_bytes, kText.size());
  EXPECT_EQ(result.archive_bytes, stream.output.size());
  EXPECT_GT(result.token_count, 10u);
}

TEST(Api, EveryReportCanStopTheWork) {
  Watcher all;
  const std::string archive = compress(kText, all.options());
  ASSERT_GE(all.reports.size(), 4u);
  for (std::size_t stop_at = 0; stop_at < all.reports.size(); ++stop_at) {
    Watcher watcher;
    watcher.stop_at = stop_at;
    const tacit_options options = watcher.options();
    Buffer out;
    EXPECT_EQ(tacit_compress_buffer(&options, kText.data(), kText.size(), &out.data, &out.size), TACIT_CANCELLED);
    EXPECT_EQ(watcher.reports.size(), stop_at + 1) << "not called again after it said stop";
    EXPECT_EQ(out.data, nullptr);
    EXPECT_NE(last_error(), "");
  }
  Watcher watcher;
  watcher.stop_at = 1;
  const tacit_options options = watcher.options();
  Buffer back;
  EXPECT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &back.data, &back.size), TACIT_CANCELLED);
  EXPECT_EQ(back.data, nullptr);
}

// ---- Files ----

// Callbacks are the only code of a client's that can throw where the library sees it.
TEST(Api, NoExceptionLeavesAndOnlyLackOfMemoryIsCalledSo) {
  const auto status_of = [](std::function<void()> act) {
    Watcher watcher;
    watcher.act = std::move(act);
    const tacit_options options = watcher.options();
    Buffer out;
    return tacit_compress_buffer(&options, kText.data(), kText.size(), &out.data, &out.size);
  };
  EXPECT_EQ(status_of([] { throw std::bad_alloc(); }), TACIT_OUT_OF_MEMORY);
  EXPECT_EQ(last_error(), "out of memory");
  EXPECT_EQ(status_of([] { throw std::length_error("too long"); }), TACIT_OUT_OF_MEMORY);
  EXPECT_EQ(status_of([] { throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again)); }),
            TACIT_OUT_OF_MEMORY);
  EXPECT_EQ(status_of([] { throw std::system_error(std::make_error_code(std::errc::invalid_argument)); }),
            TACIT_INTERNAL);
  EXPECT_EQ(status_of([] { throw std::out_of_range("an index"); }), TACIT_INTERNAL);
  EXPECT_NE(last_error().find("an index"), std::string::npos) << last_error();
  EXPECT_EQ(status_of([] { throw 7; }), TACIT_INTERNAL);
  EXPECT_NE(last_error(), "");
}

TEST_F(ApiFiles, RoundTripAndReportTheirSizes) {
  const tacit_options options = options_of_one_thread();
  tacit_result result;
  tacit_result_init(&result);
  ASSERT_EQ(tacit_compress_file(&options, text_file().c_str(), path("archive").c_str(), &result), TACIT_OK)
      << last_error();
  EXPECT_EQ(read_file(path("archive")), compress(kText));
  EXPECT_EQ(result.original_bytes, kText.size());
  EXPECT_EQ(result.archive_bytes, fs::file_size(path("archive")));
  EXPECT_GT(result.token_count, 10u);
  tacit_result back;
  tacit_result_init(&back);
  ASSERT_EQ(tacit_decompress_file(&options, path("archive").c_str(), path("back").c_str(), &back), TACIT_OK)
      << last_error();
  EXPECT_EQ(read_file(path("back")), kText);
  EXPECT_EQ(std::memcmp(&back, &result, sizeof(result)), 0);
  EXPECT_EQ(names(), (Names{"text", "archive", "back"}));
}

TEST_F(ApiFiles, AnOutputAppearsOnlyWhenItIsComplete) {
  const std::string input = text_file();
  Watcher watcher;
  std::size_t seen = 0;
  watcher.act = [&] { seen += fs::exists(path("archive")) ? 1 : 0; };
  const tacit_options options = watcher.options();
  ASSERT_EQ(tacit_compress_file(&options, input.c_str(), path("archive").c_str(), nullptr), TACIT_OK);
  EXPECT_GT(watcher.reports.size(), 0u);
  EXPECT_EQ(seen, 0u);
  EXPECT_EQ(names(), (Names{"text", "archive"}));

  Watcher decoding;
  decoding.act = [&] { seen += fs::exists(path("back")) ? 1 : 0; };
  const tacit_options decode_options = decoding.options();
  ASSERT_EQ(tacit_decompress_file(&decode_options, path("archive").c_str(), path("back").c_str(), nullptr), TACIT_OK);
  EXPECT_GT(decoding.reports.size(), 0u);
  EXPECT_EQ(seen, 0u);
}

TEST_F(ApiFiles, AReplacedOutputKeepsItsOldBytesUntilTheNewOnesAreComplete) {
  const std::string input = text_file();
  write_file(path("archive"), "old");
  Watcher watcher;
  std::set<std::string> contents;
  watcher.act = [&] { contents.insert(read_file(path("archive"))); };
  tacit_options options = watcher.options();
  options.overwrite = 1;
  ASSERT_EQ(tacit_compress_file(&options, input.c_str(), path("archive").c_str(), nullptr), TACIT_OK) << last_error();
  EXPECT_EQ(contents, (Names{"old"}));
  EXPECT_EQ(read_file(path("archive")), compress(kText));
  EXPECT_EQ(names(), (Names{"text", "archive"}));
}

TEST_F(ApiFiles, AnExistingOutputIsNotOverwrittenUnlessAskedFor) {
  const tacit_options options = options_of_one_thread();
  const std::string text = text_file();
  const std::string archive = archive_file();
  write_file(path("there"), "precious");
  EXPECT_EQ(tacit_compress_file(&options, text.c_str(), path("there").c_str(), nullptr), TACIT_IO);
  EXPECT_NE(last_error().find("already exists"), std::string::npos) << last_error();
  EXPECT_EQ(tacit_decompress_file(&options, archive.c_str(), path("there").c_str(), nullptr), TACIT_IO);
  EXPECT_EQ(read_file(path("there")), "precious");
  EXPECT_EQ(names(), (Names{"text", "archive", "there"}));
}

TEST_F(ApiFiles, AnOutputThatAppearsMeanwhileIsNotOverwritten) {
  const std::string input = text_file();
  Watcher watcher;
  watcher.act = [&] { write_file(path("archive"), "precious"); };
  const tacit_options options = watcher.options();
  EXPECT_EQ(tacit_compress_file(&options, input.c_str(), path("archive").c_str(), nullptr), TACIT_IO);
  EXPECT_EQ(read_file(path("archive")), "precious");
  EXPECT_EQ(names(), (Names{"text", "archive"}));
}

TEST(Api, ProgressCanStopWhereNoModelIsUsed) {
  std::string text(3 << 20, 'x');
  std::mt19937 random(1);
  for (char& byte : text) byte = static_cast<char>(random());
  const std::string archive = compress(text);
  Watcher watcher;
  watcher.stop_at = 0;
  const tacit_options options = watcher.options();
  Buffer out;
  EXPECT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &out.data, &out.size), TACIT_CANCELLED);
}

TEST_F(ApiFiles, CancelledWorkLeavesNothingBehind) {
  const std::string text = text_file();
  const std::string archive = archive_file();
  for (const std::size_t stop_at : {0u, 1u, 2u}) {
    Watcher watcher;
    watcher.stop_at = stop_at;
    const tacit_options options = watcher.options();
    EXPECT_EQ(tacit_compress_file(&options, text.c_str(), path("out").c_str(), nullptr), TACIT_CANCELLED);
    EXPECT_EQ(names(), (Names{"text", "archive"}));
  }
  Watcher watcher;
  watcher.stop_at = 0;
  tacit_options options = watcher.options();
  EXPECT_EQ(tacit_decompress_file(&options, archive.c_str(), path("out").c_str(), nullptr), TACIT_CANCELLED);
  EXPECT_EQ(names(), (Names{"text", "archive"}));
  write_file(path("out"), "old");
  options.overwrite = 1;
  EXPECT_EQ(tacit_compress_file(&options, text.c_str(), path("out").c_str(), nullptr), TACIT_CANCELLED);
  EXPECT_EQ(read_file(path("out")), "old");
  EXPECT_EQ(names(), (Names{"text", "archive", "out"}));
}

TEST_F(ApiFiles, EveryFailureLeavesTheFolderAsItWas) {
  const tacit_options options = options_of_one_thread();
  const std::string text = text_file();
  std::string bytes = compress(kText);
  bytes[bytes.size() / 2] ^= 1;
  write_file(path("damaged"), bytes);
  write_file(path("empty"), "");
  fs::create_directory(path("folder"));
  const Names before = names();
  const auto out = path("out");
  const auto fails = [&](tacit_status expected, auto function, const std::string& input, const std::string& output) {
    EXPECT_EQ(function(&options, input.c_str(), output.c_str(), nullptr), expected) << input << " to " << output;
    EXPECT_NE(last_error(), "");
    EXPECT_EQ(names(), before) << input << " to " << output;
  };
  fails(TACIT_DAMAGED, tacit_decompress_file, path("damaged"), out);
  EXPECT_NE(last_error().find(path("damaged")), std::string::npos) << last_error();
  fails(TACIT_DAMAGED, tacit_decompress_file, path("empty"), out);
  fails(TACIT_DAMAGED, tacit_decompress_file, text, out);
  fails(TACIT_IO, tacit_decompress_file, path("missing"), out);
  fails(TACIT_IO, tacit_compress_file, path("missing"), out);
  fails(TACIT_IO, tacit_compress_file, path("folder"), out);
  fails(TACIT_IO, tacit_decompress_file, path("folder"), out);
  fails(TACIT_IO, tacit_compress_file, text, path("folder"));
  fails(TACIT_IO, tacit_compress_file, text, path("no/such/folder"));
  fails(TACIT_IO, tacit_compress_file, text, "");
}

TEST_F(ApiFiles, TheSameFileInAndOutIsRefused) {
  tacit_options options = options_of_one_thread();
  options.overwrite = 1;
  const std::string text = text_file();
  const std::string archive = archive_file();
  const std::string before = read_file(archive);
  fs::create_hard_link(text, path("hard"));
  fs::create_symlink(text, path("soft"));
  for (const std::string& output : {text, path("./text"), path("hard"), path("soft")}) {
    expect_usage(tacit_compress_file(&options, text.c_str(), output.c_str(), nullptr), "same file");
  }
  expect_usage(tacit_decompress_file(&options, archive.c_str(), archive.c_str(), nullptr), "same file");
  EXPECT_EQ(read_file(text), kText);
  EXPECT_EQ(read_file(archive), before);
  EXPECT_TRUE(fs::is_symlink(path("soft")));
  EXPECT_EQ(names(), (Names{"text", "archive", "hard", "soft"}));
}

TEST_F(ApiFiles, PermissionsAreCopied) {
  tacit_options options = options_of_one_thread();
  options.overwrite = 1;
  const std::string text = text_file();
  const auto mode = [&](const std::string& name) {
    struct stat info {};
    EXPECT_EQ(stat(path(name).c_str(), &info), 0);
    return info.st_mode & 07777;
  };
  for (const mode_t bits : {0600, 0640, 0444, 0755, 0666}) {
    ASSERT_EQ(chmod(text.c_str(), bits), 0);
    ASSERT_EQ(tacit_compress_file(&options, text.c_str(), path("archive").c_str(), nullptr), TACIT_OK) << last_error();
    EXPECT_EQ(mode("archive"), bits);
    ASSERT_EQ(tacit_decompress_file(&options, path("archive").c_str(), path("back").c_str(), nullptr), TACIT_OK);
    EXPECT_EQ(mode("back"), bits);
  }
}

TEST_F(ApiFiles, UnfinishedOutputsCanBeRemovedFromASignalHandler) {
  const std::string input = text_file();
  Watcher watcher;
  Names during;
  watcher.stop_at = 0;
  watcher.act = [&] {
    EXPECT_EQ(names().size(), 2u) << "the text and a temporary file";
    tacit_remove_unfinished_outputs();
    during = names();
  };
  const tacit_options options = watcher.options();
  EXPECT_EQ(tacit_compress_file(&options, input.c_str(), path("archive").c_str(), nullptr), TACIT_CANCELLED);
  EXPECT_EQ(during, (Names{"text"}));
  EXPECT_EQ(names(), (Names{"text"}));
}

// ---- Output files ----

class ApiOutput : public ApiFiles {
 protected:
  void TearDown() override {
    tacit_output_close(output_);
    ApiFiles::TearDown();
  }
  tacit_output* output_ = nullptr;
};

TEST_F(ApiOutput, AppearsWhenItIsCommitted) {
  ASSERT_EQ(tacit_output_open(path("out").c_str(), 0, &output_), TACIT_OK) << last_error();
  EXPECT_EQ(tacit_output_write(output_, "hel", 3), TACIT_OK);
  EXPECT_EQ(tacit_output_write(output_, nullptr, 0), TACIT_OK);
  EXPECT_EQ(tacit_output_write(output_, "lo", 2), TACIT_OK);
  EXPECT_FALSE(fs::exists(path("out")));
  EXPECT_EQ(names().size(), 1u);
  ASSERT_EQ(tacit_output_commit(output_), TACIT_OK) << last_error();
  EXPECT_EQ(names(), (Names{"out"}));
  EXPECT_EQ(read_file(path("out")), "hello");
  EXPECT_EQ(tacit_output_write(output_, "more", 4), TACIT_IO);
  EXPECT_EQ(read_file(path("out")), "hello");
}

TEST_F(ApiOutput, IsGoneWhenItIsClosedBefore) {
  ASSERT_EQ(tacit_output_open(path("out").c_str(), 0, &output_), TACIT_OK) << last_error();
  tacit_output_close(std::exchange(output_, nullptr));
  EXPECT_EQ(names(), Names{});
}

TEST_F(ApiOutput, ReplacesOnlyWhatItMay) {
  write_file(path("out"), "old");
  EXPECT_EQ(tacit_output_open(path("out").c_str(), 0, &output_), TACIT_IO);
  EXPECT_NE(last_error().find("already exists"), std::string::npos) << last_error();
  EXPECT_EQ(output_, nullptr);
  ASSERT_EQ(tacit_output_open(path("out").c_str(), 1, &output_), TACIT_OK) << last_error();
  ASSERT_EQ(tacit_output_commit(output_), TACIT_OK) << last_error();
  EXPECT_EQ(read_file(path("out")), "");
}

TEST_F(ApiOutput, NullIsRefused) {
  expect_usage(tacit_output_open(nullptr, 0, &output_), "path");
  expect_usage(tacit_output_open(path("out").c_str(), 0, nullptr), "output");
  expect_usage(tacit_output_write(nullptr, "", 0), "output");
  expect_usage(tacit_output_commit(nullptr), "output");
  EXPECT_EQ(names(), Names{});
}

// ---- Looking at archives and models ----

TEST_F(ApiFiles, InfoSaysWhatTheArchiveIs) {
  Model model;
  ASSERT_EQ(tacit_model_open_builtin(&model.handle), TACIT_OK);
  tacit_model_info model_info;
  tacit_model_info_init(&model_info);
  ASSERT_EQ(tacit_model_get_info(model.handle, &model_info), TACIT_OK);
  tacit_options options = options_of_one_thread();
  options.window = 300;
  tacit_result result;
  tacit_result_init(&result);
  ASSERT_EQ(tacit_compress_file(&options, text_file().c_str(), path("archive").c_str(), &result), TACIT_OK);

  tacit_archive_info info;
  tacit_archive_info_init(&info);
  ASSERT_EQ(tacit_info_file(path("archive").c_str(), &info), TACIT_OK) << last_error();
  EXPECT_EQ(info.format_version, 0u);
  EXPECT_EQ(info.contract, 2u);
  EXPECT_STREQ(info.model_name, model_info.name);
  EXPECT_STREQ(info.model_fingerprint, model_info.fingerprint);
  EXPECT_EQ(info.model_is_builtin, 1);
  EXPECT_EQ(info.window, 300u);
  EXPECT_EQ(info.original_bytes, kText.size());
  EXPECT_EQ(info.archive_bytes, fs::file_size(path("archive")));
  EXPECT_EQ(info.block_count, 1u);
  EXPECT_EQ(info.segment_count, 1u);
  EXPECT_EQ(info.model_segment_count, 1u);
  EXPECT_EQ(info.model_original_bytes, kText.size());
  EXPECT_GT(info.model_coded_bytes, 0u);
  EXPECT_LT(info.model_coded_bytes, info.archive_bytes);
  EXPECT_EQ(info.token_count, result.token_count);

  const std::string bytes = read_file(path("archive"));
  tacit_archive_info same;
  tacit_archive_info_init(&same);
  ASSERT_EQ(tacit_info_buffer(bytes.data(), bytes.size(), &same), TACIT_OK);
  EXPECT_EQ(std::memcmp(&same, &info, sizeof(info)), 0);
  EXPECT_EQ(tacit_info_buffer(bytes.data(), bytes.size() - 1, &same), TACIT_DAMAGED);
  EXPECT_EQ(tacit_info_file(path("missing").c_str(), &same), TACIT_IO);
}

TEST(Api, InfoChecksEveryBlock) {
  std::string archive = compress(kText);
  archive[archive.size() / 2] ^= 1;  // in the block's code
  tacit_archive_info info;
  tacit_archive_info_init(&info);
  EXPECT_EQ(tacit_info_buffer(archive.data(), archive.size(), &info), TACIT_DAMAGED);
  EXPECT_NE(last_error().find("block 0"), std::string::npos) << last_error();
}

TEST_F(ApiFiles, ModelInfoSaysWhatTheFileHolds) {
  const std::string file = model_file("tiny", 1);
  Model model;
  ASSERT_EQ(tacit_model_open(file.c_str(), &model.handle), TACIT_OK) << last_error();
  tacit_model_info info;
  tacit_model_info_init(&info);
  ASSERT_EQ(tacit_model_get_info(model.handle, &info), TACIT_OK);
  EXPECT_STREQ(info.name, "tiny");
  EXPECT_STREQ(info.architecture, "llama");
  EXPECT_EQ(std::string(info.fingerprint).size(), 64u);
  EXPECT_EQ(info.file_bytes, fs::file_size(file));
  EXPECT_EQ(info.vocabulary_size, kEchoVocabulary);
  EXPECT_EQ(info.context_length, 128u);
  const std::uint64_t layer = 4 * kEchoWidth * kEchoWidth + 3 * 32 * kEchoWidth;
  EXPECT_EQ(info.parameter_count, kEchoVocabulary * kEchoWidth + layer + 3 * kEchoWidth);
  EXPECT_EQ(info.multiply_add_count, kEchoVocabulary * kEchoWidth + layer);
  EXPECT_GE(info.default_window, 16u);
  EXPECT_LE(info.default_window, 128u);
  EXPECT_GT(info.lane_bytes, 0u);
  EXPECT_GE(info.default_lane_count, 8u);
  EXPECT_EQ(info.is_recurrent, 0);
  EXPECT_STREQ(info.tokenizer, "llama");
  EXPECT_STREQ(info.tokenizer_problem, "");
  ASSERT_EQ(info.tensor_type_count, 1u);
  EXPECT_STREQ(info.tensor_types[0].name, "F32");
  EXPECT_EQ(info.tensor_types[0].tensor_count, 11u);
  EXPECT_EQ(info.tensor_types[0].parameter_count, info.parameter_count);
  EXPECT_EQ(info.tensor_types[0].bytes, 4 * info.parameter_count);
}

TEST_F(ApiFiles, AModelFileWithoutAModelIsRefused) {
  Model model;
  EXPECT_EQ(tacit_model_open(path("missing").c_str(), &model.handle), TACIT_IO);
  EXPECT_EQ(tacit_model_open(text_file().c_str(), &model.handle), TACIT_MODEL);
  write_file(path("empty"), "");
  EXPECT_EQ(tacit_model_open(path("empty").c_str(), &model.handle), TACIT_MODEL);
  const ByteVector whole = echo_model("tiny", 1);
  const std::string cut(reinterpret_cast<const char*>(whole.data()), whole.size() - 100);
  write_file(path("cut"), cut);
  EXPECT_EQ(tacit_model_open(path("cut").c_str(), &model.handle), TACIT_MODEL);
  EXPECT_NE(last_error().find("cut"), std::string::npos) << last_error();
  EXPECT_EQ(model.handle, nullptr);
}

// ---- Another model ----

const std::string kRepeated = tacit::test::echo_text();

TEST_F(ApiFiles, AnArchiveNamesTheModelThatItNeeds) {
  Model tiny;
  Model other;
  ASSERT_EQ(tacit_model_open(model_file("tiny model", 1).c_str(), &tiny.handle), TACIT_OK) << last_error();
  ASSERT_EQ(tacit_model_open(model_file("other model", 2).c_str(), &other.handle), TACIT_OK) << last_error();
  tacit_model_info info;
  tacit_model_info_init(&info);
  ASSERT_EQ(tacit_model_get_info(tiny.handle, &info), TACIT_OK);
  const std::string fingerprint = info.fingerprint;

  tacit_options options = options_of_one_thread();
  options.model = tiny.handle;
  const std::string archive = compress(kRepeated, options);
  tacit_archive_info archive_info;
  tacit_archive_info_init(&archive_info);
  ASSERT_EQ(tacit_info_buffer(archive.data(), archive.size(), &archive_info), TACIT_OK);
  ASSERT_EQ(archive_info.model_segment_count, 1u);
  EXPECT_EQ(archive_info.model_is_builtin, 0);
  EXPECT_STREQ(archive_info.model_name, "tiny model");
  EXPECT_EQ(archive_info.model_fingerprint, fingerprint);

  Buffer back;
  ASSERT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &back.data, &back.size), TACIT_OK);
  EXPECT_EQ(back.text(), kRepeated);
  const tacit_model* const wrong_models[] = {nullptr, other.handle};
  for (const tacit_model* wrong : wrong_models) {
    options.model = wrong;
    Buffer refused;
    EXPECT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &refused.data, &refused.size),
              TACIT_MODEL);
    EXPECT_NE(last_error().find("\"tiny model\""), std::string::npos) << last_error();
    EXPECT_NE(last_error().find(fingerprint), std::string::npos) << last_error();
    EXPECT_EQ(last_error().find("other model") != std::string::npos, wrong != nullptr) << last_error();
    EXPECT_EQ(refused.data, nullptr);
  }
}

TEST_F(ApiFiles, AnErrorIsOneLineWhateverTheModelIsCalled) {
  Model tiny;
  ASSERT_EQ(tacit_model_open(model_file("two\nlines\x1b[2J", 1).c_str(), &tiny.handle), TACIT_OK) << last_error();
  tacit_options options = options_of_one_thread();
  options.model = tiny.handle;
  const std::string archive = compress(kRepeated, options);
  options.model = nullptr;
  Buffer out;
  EXPECT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &out.data, &out.size), TACIT_MODEL);
  EXPECT_EQ(last_error().find_first_of("\n\x1b"), std::string::npos) << last_error();
  EXPECT_EQ(tacit_compress_file(nullptr, path("no\nsuch").c_str(), path("out").c_str(), nullptr), TACIT_IO);
  EXPECT_NE(last_error().find("no\\x0asuch"), std::string::npos) << last_error();
}

TEST(Api, PrintableTextIsACopyOfItsOwn) {
  const std::string text("a\0\x1b\xff\xc3\xbc", 6);
  char* shown = nullptr;
  ASSERT_EQ(tacit_printable(text.data(), text.size(), &shown), TACIT_OK) << last_error();
  EXPECT_STREQ(shown, "a\\x00\\x1b\\xff\xc3\xbc");
  tacit_free(shown);
  ASSERT_EQ(tacit_printable(nullptr, 0, &shown), TACIT_OK) << last_error();
  EXPECT_STREQ(shown, "");
  tacit_free(shown);
  expect_usage(tacit_printable(nullptr, 1, &shown), "text");
  expect_usage(tacit_printable("", 0, nullptr), "shown");
}

TEST_F(ApiFiles, TheWrongModelLeavesNoFile) {
  Model tiny;
  ASSERT_EQ(tacit_model_open(model_file("tiny", 1).c_str(), &tiny.handle), TACIT_OK);
  tacit_options options = options_of_one_thread();
  options.model = tiny.handle;
  write_file(path("archive"), compress(kRepeated, options));
  options.model = nullptr;
  EXPECT_EQ(tacit_decompress_file(&options, path("archive").c_str(), path("out").c_str(), nullptr), TACIT_MODEL);
  EXPECT_NE(last_error().find(path("archive")), std::string::npos) << last_error();
  EXPECT_EQ(names(), (Names{"tiny", "archive"}));
}

TEST_F(ApiFiles, TheBuiltInModelIsFoundWhateverModelIsGiven) {
  Model tiny;
  ASSERT_EQ(tacit_model_open(model_file("tiny", 1).c_str(), &tiny.handle), TACIT_OK);
  const std::string archive = compress(kText);
  tacit_options options = options_of_one_thread();
  options.model = tiny.handle;
  Buffer back;
  ASSERT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &back.data, &back.size), TACIT_OK);
  EXPECT_EQ(back.text(), kText);
}

TEST_F(ApiFiles, AModelOutlivesItsFileButNotItsHandle) {
  const std::string file = model_file("tiny", 1);
  Model tiny;
  ASSERT_EQ(tacit_model_open(file.c_str(), &tiny.handle), TACIT_OK);
  fs::remove(file);
  tacit_options options = options_of_one_thread();
  options.model = tiny.handle;
  const std::string archive = compress(kRepeated, options);
  Buffer back;
  EXPECT_EQ(tacit_decompress_buffer(&options, archive.data(), archive.size(), &back.data, &back.size), TACIT_OK);
}

// ---- Threads ----

TEST(Api, SeveralThreadsShareOneModel) {
  Model model;
  ASSERT_EQ(tacit_model_open_builtin(&model.handle), TACIT_OK);
  tacit_options options = options_of_one_thread();
  options.model = model.handle;
  options.threads = 2;
  constexpr std::size_t kThreadCount = 6;
  std::vector<std::string> texts;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < kThreadCount; ++i) {
    texts.push_back(kText.substr(30 * i, 150 + 20 * i));
    expected.push_back(compress(texts.back(), options));
  }
  std::vector<std::string> found(kThreadCount);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreadCount; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 3; ++round) {
        found[i] = compress(texts[i], options);
        Buffer back;
        EXPECT_EQ(tacit_decompress_buffer(&options, found[i].data(), found[i].size(), &back.data, &back.size),
                  TACIT_OK);
        EXPECT_EQ(back.text(), texts[i]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, expected);
}

// ---- Tokens, logits, text ----

TEST(Api, TokenizeGivesIdsOfTheVocabulary) {
  Model model;
  ASSERT_EQ(tacit_model_open_builtin(&model.handle), TACIT_OK);
  tacit_model_info info;
  tacit_model_info_init(&info);
  ASSERT_EQ(tacit_model_get_info(model.handle, &info), TACIT_OK);
  std::size_t counts[2];
  for (const int add_special : {0, 1}) {
    std::int32_t* ids = nullptr;
    ASSERT_EQ(tacit_model_tokenize(model.handle, kText.data(), kText.size(), add_special, &ids, &counts[add_special]),
              TACIT_OK);
    for (std::size_t i = 0; i < counts[add_special]; ++i) {
      EXPECT_GE(ids[i], 0);
      EXPECT_LT(ids[i], static_cast<std::int32_t>(info.vocabulary_size));
    }
    tacit_free(ids);
  }
  EXPECT_GT(counts[0], 10u);
  EXPECT_GE(counts[1], counts[0]);
  std::int32_t* none = nullptr;
  std::size_t count = 1;
  ASSERT_EQ(tacit_model_tokenize(model.handle, nullptr, 0, 0, &none, &count), TACIT_OK);
  EXPECT_EQ(count, 0u);
  EXPECT_NE(none, nullptr);
  tacit_free(none);
}

struct LogitsReceiver {
  std::vector<std::size_t> positions;
  std::vector<float> first_logits;
  std::size_t stop_after = ~std::size_t{0};
  static int receive(void* context, std::size_t position, const float* logits) {
    auto& receiver = *static_cast<LogitsReceiver*>(context);
    receiver.positions.push_back(position);
    receiver.first_logits.push_back(logits[0]);
    return receiver.positions.size() >= receiver.stop_after ? 1 : 0;
  }
};

TEST(Api, LogitsComeOncePerPositionAscending) {
  tacit_options options = options_of_one_thread();
  std::vector<std::int32_t> ids(70);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(1 + 7 * i);
  LogitsReceiver all;
  ASSERT_EQ(tacit_logits(&options, ids.data(), ids.size(), LogitsReceiver::receive, &all), TACIT_OK) << last_error();
  ASSERT_EQ(all.positions.size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(all.positions[i], i);

  LogitsReceiver some;
  some.stop_after = 3;
  ASSERT_EQ(tacit_logits(&options, ids.data(), ids.size(), LogitsReceiver::receive, &some), TACIT_OK);
  EXPECT_EQ(some.positions, (std::vector<std::size_t>{0, 1, 2}));

  options.window = 16;  // the first 16 positions see the same, the others do not
  LogitsReceiver narrow;
  ASSERT_EQ(tacit_logits(&options, ids.data(), ids.size(), LogitsReceiver::receive, &narrow), TACIT_OK);
  EXPECT_TRUE(std::equal(all.first_logits.begin(), all.first_logits.begin() + 16, narrow.first_logits.begin()));
  EXPECT_NE(all.first_logits.back(), narrow.first_logits.back());

  LogitsReceiver none;
  EXPECT_EQ(tacit_logits(&options, nullptr, 0, LogitsReceiver::receive, &none), TACIT_OK);
  EXPECT_TRUE(none.positions.empty());
}

TEST(Api, LogitsOfIdsOutsideTheVocabularyAreRefused) {
  const tacit_options options = options_of_one_thread();
  for (const std::int32_t bad : {-1, 1 << 30, std::numeric_limits<std::int32_t>::min()}) {
    const std::int32_t ids[] = {1, bad, 1};
    LogitsReceiver receiver;
    expect_usage(tacit_logits(&options, ids, 3, LogitsReceiver::receive, &receiver),
                 "token 1: found id " + std::to_string(bad));
    EXPECT_TRUE(receiver.positions.empty());
  }
}

struct Generated {
  std::string text;
  std::vector<std::string> list;
  std::size_t pieces = 0;
  std::size_t stop_after = ~std::size_t{0};
  static int receive(void* context, const char* text, std::size_t size) {
    auto& generated = *static_cast<Generated*>(context);
    generated.text.append(text, size);
    generated.list.emplace_back(text, size);
    return ++generated.pieces >= generated.stop_after ? 1 : 0;
  }
};

Generated generate(const tacit_sampler& sampler, const std::string& prompt, std::size_t count,
                   std::size_t stop_after = ~std::size_t{0}, int stop_at_eos = 0) {
  const tacit_options options = options_of_one_thread();
  Generated generated;
  generated.stop_after = stop_after;
  EXPECT_EQ(tacit_generate(&options, &sampler, prompt.data(), prompt.size(), count, stop_at_eos, Generated::receive,
                           &generated),
            TACIT_OK)
      << last_error();
  return generated;
}

TEST(Api, GenerateWritesTheSameTextForTheSameSeed) {
  tacit_sampler sampler;
  tacit_sampler_init(&sampler);
  EXPECT_EQ(sampler.temperature, 1);
  EXPECT_EQ(sampler.top_p, 1);
  sampler.seed = 8;
  const Generated first = generate(sampler, "Once upon a time", 40);
  EXPECT_EQ(first.pieces, 40u);
  EXPECT_EQ(generate(sampler, "Once upon a time", 40).text, first.text);
  EXPECT_EQ(generate(sampler, "Once upon a time", 40, 7).pieces, 7u) << "stopped by its caller";
  EXPECT_EQ(generate(sampler, "Once upon a time", 0).pieces, 0u);
  EXPECT_NE(generate(sampler, "Once upon a dime", 40).text, first.text);
  sampler.seed = 6;
  EXPECT_NE(generate(sampler, "Once upon a time", 40).text, first.text);
  sampler.temperature = 0;
  const std::string greedy = generate(sampler, "Once upon a time", 20).text;
  sampler.seed = 7;
  EXPECT_EQ(generate(sampler, "Once upon a time", 20).text, greedy);
}

// The sampler's random numbers are SplitMix64, one a token: a seed that is k increments further on draws what this one
// draws after k tokens.
TEST(Api, GenerateBeginsAFreshTextWhereTheModelEndsOne) {
  constexpr std::uint64_t kIncrement = 0x9e3779b97f4a7c15;
  constexpr std::size_t kMost = 2000;
  tacit_sampler sampler;
  tacit_sampler_init(&sampler);
  Generated ended;
  do {  // most seeds give a text that ends, and draw the same where a model may begin the next text by itself
    ++sampler.seed;
    ended = generate(sampler, "Once upon a time", kMost, ~std::size_t{0}, 1);
  } while (sampler.seed < 32 &&
           (ended.pieces >= kMost || generate(sampler, "Once upon a time", ended.pieces).text != ended.text));
  const std::uint64_t seed = sampler.seed;
  const std::size_t count = ended.pieces;
  const std::string first = ended.text;
  ASSERT_LT(count, kMost) << "no text of these seeds ends";

  EXPECT_EQ(generate(sampler, "Once upon a time", count).text, first);
  EXPECT_EQ(generate(sampler, "Once upon a time", count + 1).text, first) << "nothing stands behind the last text";
  EXPECT_EQ(generate(sampler, "Once upon a time", kMost, count + 1).text, first + "\n\n") << "stopped by its caller";
  sampler.seed = seed + (count + 1) * kIncrement;
  const std::string second = generate(sampler, "", 100).text;
  sampler.seed = seed;
  EXPECT_EQ(generate(sampler, "Once upon a time", count + 1 + 100).text, first + "\n\n" + second);
}

}  // namespace
