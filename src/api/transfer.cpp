// SPDX-License-Identifier: MIT
// compress and decompress: files, buffers and streams are three doors to the same work.
#include "api/transfer.h"

#include "base/file.h"
#include "base/output_file.h"

namespace tacit {
namespace {

void report(tacit_result* result, const StreamResult& stream) {
  if (result == nullptr) return;
  tacit_result value{};
  value.original_bytes = stream.original_bytes;
  value.archive_bytes = stream.archive_bytes;
  value.token_count = stream.token_count;
  write_struct(result, value);
}

Status decompress(Call& call, ByteSpan archive, const ByteSink& sink, tacit_result* result) {
  TACIT_TRY(check_output_struct(result, "tacit_result"));
  TACIT_ASSIGN(const archive::Reader reader, archive::Reader::open(archive));
  TACIT_ASSIGN(const StreamResult stream,
               decompress_archive(reader, model_finder(call), call.codec_options(reader.original_bytes()), sink));
  report(result, stream);
  return {};
}

}  // namespace

Status compress(Call& call, std::uint64_t total, const ByteSource& source, const ByteSink& sink, tacit_result* result) {
  TACIT_TRY(check_output_struct(result, "tacit_result"));
  if (call.options.window == 0) call.options.window = level_window(call.level, call.model->model.config);
  if (call.options.lane_count == 0) call.options.lane_count = default_lane_count(*call.model, call.options.window);
  TACIT_ASSIGN(const StreamResult stream, compress_stream(*call.model, call.codec_options(total), source, sink));
  report(result, stream);
  return {};
}

}  // namespace tacit

using namespace tacit;

extern "C" {

void tacit_result_init(tacit_result* result) {
  *result = {};
  result->struct_bytes = sizeof(*result);
}

tacit_status tacit_compress_file(const tacit_options* options, const char* input_path, const char* output_path,
                                 tacit_result* result) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(input_path != nullptr && output_path != nullptr, "paths"));
    TACIT_ASSIGN(Call call, begin_model_call(options));
    TACIT_ASSIGN(InputFile input, InputFile::open(input_path));
    TACIT_TRY(input.must_not_be(output_path));
    TACIT_ASSIGN(OutputFile output, OutputFile::open(output_path, call.options.overwrite != 0, input.access()));
    const ByteSource source = [&](std::span<std::uint8_t> buffer) { return input.read(buffer); };
    const ByteSink sink = [&](ByteSpan bytes) { return output.write(bytes); };
    TACIT_TRY(compress(call, input.size(), source, sink, result));
    return output.commit();
  });
}

tacit_status tacit_decompress_file(const tacit_options* options, const char* input_path, const char* output_path,
                                   tacit_result* result) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(input_path != nullptr && output_path != nullptr, "paths"));
    TACIT_ASSIGN(Call call, begin_call(options));
    TACIT_ASSIGN(const InputFile input, InputFile::open(input_path));
    TACIT_TRY(input.must_not_be(output_path));
    TACIT_ASSIGN(const MappedFile archive, MappedFile::open(input_path));
    TACIT_ASSIGN(OutputFile output, OutputFile::open(output_path, call.options.overwrite != 0, input.access()));
    const ByteSink sink = [&](ByteSpan bytes) { return output.write(bytes); };
    if (Status status = decompress(call, archive.bytes(), sink, result); !status.ok()) {
      return status.error().code == ErrorCode::kIo ? status.error() : status.error().in(input_path);
    }
    return output.commit();
  });
}

tacit_status tacit_compress_buffer(const tacit_options* options, const void* input, size_t input_bytes, void** output,
                                   size_t* output_bytes) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(input != nullptr || input_bytes == 0, "input"));
    TACIT_TRY(require(output != nullptr && output_bytes != nullptr, "output and output_bytes"));
    TACIT_ASSIGN(Call call, begin_model_call(options));
    ByteVector archive;
    TACIT_TRY(compress(call, input_bytes, memory_source(span_of(input, input_bytes)), memory_sink(archive), nullptr));
    return hand_over(archive, output, output_bytes);
  });
}

tacit_status tacit_decompress_buffer(const tacit_options* options, const void* input, size_t input_bytes,
                                     void** output, size_t* output_bytes) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(input != nullptr || input_bytes == 0, "input"));
    TACIT_TRY(require(output != nullptr && output_bytes != nullptr, "output and output_bytes"));
    TACIT_ASSIGN(Call call, begin_call(options));
    ByteVector original;
    TACIT_TRY(decompress(call, span_of(input, input_bytes), memory_sink(original), nullptr));
    return hand_over(original, output, output_bytes);
  });
}

tacit_status tacit_compress_stream(const tacit_options* options, tacit_read_function read, void* read_context,
                                   tacit_write_function write, void* write_context, tacit_result* result) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(read != nullptr && write != nullptr, "read and write"));
    TACIT_ASSIGN(Call call, begin_model_call(options));
    return compress(call, 0, callback_source(read, read_context), callback_sink(write, write_context), result);
  });
}

tacit_status tacit_decompress_stream(const tacit_options* options, tacit_read_function read, void* read_context,
                                     tacit_write_function write, void* write_context, tacit_result* result) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(read != nullptr, "read"));
    TACIT_ASSIGN(Call call, begin_call(options));
    TACIT_ASSIGN(const ByteVector archive, read_all(callback_source(read, read_context)));
    return decompress(call, archive, callback_sink(write, write_context), result);
  });
}

}  // extern "C"
