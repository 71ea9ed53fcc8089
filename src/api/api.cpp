// SPDX-License-Identifier: MIT
// The C API over the library: checks arguments, turns results and exceptions into status codes and the thread's last
// error. Logic lives in src/codec.
#include <tacit/tacit.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "base/float_environment.h"
#include "base/limits.h"
#include "codec/inspect.h"
#include "codec/levels.h"
#include "codec/streams.h"
#include "coding/lane_caches.h"
#include "generate/generate.h"
#include "store/builtin_model.h"
#include "store/model_search.h"

struct tacit_model {
  std::shared_ptr<const tacit::LoadedModel> loaded;
  std::vector<tacit_tensor_type> tensor_types;
};

namespace tacit {
namespace {

// The numbers of ErrorCode are those of tacit_status.
static_assert(static_cast<int>(ErrorCode::kDamaged) == TACIT_DAMAGED);
static_assert(static_cast<int>(ErrorCode::kUsage) == TACIT_USAGE);
static_assert(static_cast<int>(ErrorCode::kModel) == TACIT_MODEL);
static_assert(static_cast<int>(ErrorCode::kIo) == TACIT_IO);
static_assert(static_cast<int>(ErrorCode::kCancelled) == TACIT_CANCELLED);
static_assert(static_cast<int>(ErrorCode::kOutOfMemory) == TACIT_OUT_OF_MEMORY);

std::string& last_error() {
  thread_local std::string message;
  return message;
}

// Runs body(), which returns a Status. No exception leaves the library.
template <class Body>
tacit_status guarded(Body body) {
  const DefaultFloatEnvironment environment;
  try {
    last_error().clear();
    const Status status = body();
    if (status.ok()) return TACIT_OK;
    last_error() = status.error().message;
    return static_cast<tacit_status>(status.error().code);
  } catch (const std::bad_alloc&) {
    last_error() = "out of memory";
    return TACIT_OUT_OF_MEMORY;
  } catch (const std::exception& exception) {
    last_error() = exception.what();
    return TACIT_OUT_OF_MEMORY;  // what else the standard library throws here is a failed thread or length
  }
}

// A struct of the caller's, which may be of an older version and so shorter; missing fields keep their defaults.
template <class T>
Result<T> read_struct(const T* given, T defaults, const char* name) {
  if (given == nullptr) return defaults;
  if (given->struct_bytes < sizeof(std::size_t) || given->struct_bytes > sizeof(T)) {
    return usage_error(std::string(name) + ".struct_bytes: found " + std::to_string(given->struct_bytes) +
                       ", expected what " + name + "_init sets");
  }
  std::memcpy(&defaults, given, given->struct_bytes);
  return defaults;
}

template <class T>
Status check_output_struct(const T* target, const char* name) {
  if (target == nullptr || target->struct_bytes >= sizeof(std::size_t)) return {};
  return usage_error(std::string(name) + ".struct_bytes: found " + std::to_string(target->struct_bytes) +
                     ", expected what " + name + "_init sets");
}

template <class T>
void write_struct(T* target, T value) {
  value.struct_bytes = std::min(target->struct_bytes, sizeof(T));
  std::memcpy(target, &value, value.struct_bytes);
}

// Text of the segments of an archive of records: a second or so of one lane of the built-in model
// (docs/decisions/0016-records.md).
constexpr std::uint32_t kSegmentBytesDefault = 16 * 1024;
constexpr std::uint32_t kSegmentBytesMax = 1024 * 1024;  // the smallest block

// The options of one call with what they stand for.
struct Call {
  tacit_options options{};
  const kernels::Kernels* kernels = nullptr;
  std::shared_ptr<const LoadedModel> model;  // null until needed, or the caller's
  std::unique_ptr<ThreadPool> pool;
  std::optional<SamplerSettings> sampler;
  Level level;

  [[nodiscard]] CodecOptions codec_options(std::uint64_t original_bytes_total) const {
    CodecOptions result;
    result.kernels = kernels;
    result.pool = pool.get();
    result.window = options.window;
    result.lane_max = options.lane_count;
    result.adaptive = level.adaptive;
    result.block_bytes = level.block_bytes;
    result.verify = options.skip_verification == 0;
    result.sampler = sampler;
    if (options.has_records != 0) {
      result.record_segment_bytes = options.segment_bytes != 0 ? options.segment_bytes : kSegmentBytesDefault;
    }
    if (options.progress == nullptr) return result;
    result.progress = [this, original_bytes_total](const Progress& progress) -> Status {
      const tacit_progress report = {progress.original_bytes_done, original_bytes_total, progress.stored_bytes,
                                     progress.tokens_done, progress.verifying ? 1 : 0};
      if (options.progress(options.progress_context, &report) == 0) return {};
      return Error{ErrorCode::kCancelled, "stopped by the progress function"};
    };
    return result;
  }
};

Result<SamplerSettings> sampler_settings(const tacit_sampler& sampler) {
  SamplerSettings settings;
  settings.temperature = static_cast<float>(sampler.temperature);
  settings.top_k = sampler.top_k;
  settings.top_p = static_cast<float>(sampler.top_p);
  settings.min_p = static_cast<float>(sampler.min_p);
  settings.typical_p = static_cast<float>(sampler.typical_p);
  settings.repetition_penalty = static_cast<float>(sampler.repetition_penalty);
  settings.presence_penalty = static_cast<float>(sampler.presence_penalty);
  settings.frequency_penalty = static_cast<float>(sampler.frequency_penalty);
  settings.penalty_window = sampler.penalty_window;
  if (sampler.order != TACIT_TEMPERATURE_FIRST && sampler.order != TACIT_TEMPERATURE_LAST) {
    return usage_error("sampler order: found " + std::to_string(sampler.order) + ", expected 0 or 1");
  }
  settings.order = static_cast<SamplerSettings::Order>(sampler.order);
  TACIT_TRY(settings.check());
  return settings;
}

// `given`: null for the defaults.
Result<tacit_sampler> read_sampler(const tacit_sampler* given) {
  tacit_sampler sampler;
  tacit_sampler_init(&sampler);
  return read_struct(given, sampler, "tacit_sampler");
}

Result<Call> begin_call(const tacit_options* given) {
  Call call;
  tacit_options_init(&call.options);
  TACIT_ASSIGN(call.options, read_struct(given, call.options, "tacit_options"));
  const char* kernel_set = call.options.kernel_set != nullptr ? call.options.kernel_set : "";
  call.kernels = kernels::find_kernels(kernel_set);
  if (call.kernels == nullptr) {
    return usage_error(std::string("kernel set: found \"") + kernel_set + "\", expected one of " + tacit_kernel_sets());
  }
  if (call.options.lane_count > 256) {
    return usage_error("lane count: found " + std::to_string(call.options.lane_count) + ", expected at most 256");
  }
  const std::uint32_t window = call.options.window;
  if (window != 0 && (window < limits::kWindowMin || window > limits::kWindowMax)) {
    return usage_error("window: found " + std::to_string(window) + ", expected " + std::to_string(limits::kWindowMin) +
                       " to " + std::to_string(limits::kWindowMax));
  }
  if (call.options.level > kLevelMax) {
    return usage_error("level: found " + std::to_string(call.options.level) + ", expected " +
                       std::to_string(kLevelMin) + " to " + std::to_string(kLevelMax));
  }
  call.level = level_settings(call.options.level == 0 ? kLevelDefault : call.options.level);
  if (call.options.segment_bytes > kSegmentBytesMax) {
    return usage_error("segment bytes: found " + std::to_string(call.options.segment_bytes) + ", expected at most " +
                       std::to_string(kSegmentBytesMax));
  }
  if (call.options.threads > 1024) {
    return usage_error("threads: found " + std::to_string(call.options.threads) + ", expected at most 1024");
  }
  if (call.options.sampler != nullptr) {
    TACIT_ASSIGN(const tacit_sampler sampler, read_sampler(call.options.sampler));
    TACIT_ASSIGN(call.sampler, sampler_settings(sampler));
  }
  if (call.options.model != nullptr) call.model = call.options.model->loaded;
  call.pool = std::make_unique<ThreadPool>(call.options.threads);
  return call;
}

// As begin_call, and the model is there, ready to compute: the caller's or the built-in one.
Result<Call> begin_model_call(const tacit_options* given) {
  TACIT_ASSIGN(Call call, begin_call(given));
  if (call.model == nullptr) {
    TACIT_ASSIGN(call.model, builtin_model_outline());
  }
  TACIT_TRY(call.model->prepare(*call.pool));
  return call;
}

tacit_model* new_model(std::shared_ptr<const LoadedModel> loaded) {
  auto model = std::make_unique<tacit_model>();
  for (const TensorTypeSum& sum : loaded->tensor_types) {
    model->tensor_types.push_back({sum.name.c_str(), sum.tensor_count, sum.parameter_count, sum.bytes});
  }
  model->loaded = std::move(loaded);
  return model.release();
}

std::string describe(const std::string& name, const Sha256& fingerprint) {
  return "\"" + without_controls(name) + "\" (SHA-256 " + to_hex(fingerprint) + ")";
}

// The model that was left in the caller's slot, or that the search path has.
Result<std::shared_ptr<const LoadedModel>> search_model(tacit_model*& slot, const archive::Header& header,
                                                        ThreadPool& pool) {
  if (slot != nullptr && slot->loaded->fingerprint() == header.model_fingerprint) return slot->loaded;
  TACIT_ASSIGN(std::shared_ptr<const LoadedModel> loaded,
               ModelSearch().find(header.model_fingerprint, header.model_name, pool));
  tacit_model* const model = new_model(loaded);
  tacit_model_close(std::exchange(slot, model));
  return loaded;
}

// The model that an archive names, if it is the caller's or the built-in one, or the caller wants it to be looked for;
// ready to compute.
ModelFinder model_finder(Call& call) {
  return [&call](const archive::Header& header) -> Result<const LoadedModel*> {
    if (call.model != nullptr) {
      TACIT_TRY(call.model->prepare(*call.pool));  // first, because it hashes meanwhile
      if (call.model->fingerprint() == header.model_fingerprint) return call.model.get();
    }
    if (header.model_fingerprint == builtin_model_fingerprint()) {
      TACIT_ASSIGN(call.model, builtin_model_outline());
      TACIT_TRY(call.model->prepare(*call.pool));
      return call.model.get();
    }
    std::string given = call.model == nullptr
                            ? "none was given and the built-in one is another"
                            : "the one given is " + describe(call.model->name, call.model->fingerprint());
    if (call.model == nullptr && call.options.found_model != nullptr) {
      Result<std::shared_ptr<const LoadedModel>> found = search_model(*call.options.found_model, header, *call.pool);
      if (found.ok()) {
        call.model = std::move(found).value();
        return call.model.get();
      }
      given += "; " + found.error().message;
    }
    return model_error("the archive needs the model " + describe(header.model_name, header.model_fingerprint) + "; " +
                       given);
  };
}

void report(tacit_result* result, const StreamResult& stream) {
  if (result == nullptr) return;
  tacit_result value{};
  value.original_bytes = stream.original_bytes;
  value.archive_bytes = stream.archive_bytes;
  value.token_count = stream.token_count;
  write_struct(result, value);
}

Status compress(Call& call, std::uint64_t total, const ByteSource& source, const ByteSink& sink, tacit_result* result) {
  TACIT_TRY(check_output_struct(result, "tacit_result"));
  if (call.options.window == 0) {
    call.options.window = level_window(call.level, call.model->model.config);
  }
  if (call.options.lane_count == 0) call.options.lane_count = default_lane_count(*call.model, call.options.window);
  TACIT_ASSIGN(const StreamResult stream, compress_stream(*call.model, call.codec_options(total), source, sink));
  report(result, stream);
  return {};
}

Status decompress(Call& call, ByteSpan archive, const ByteSink& sink, tacit_result* result) {
  TACIT_TRY(check_output_struct(result, "tacit_result"));
  TACIT_ASSIGN(const archive::Reader reader, archive::Reader::open(archive));
  const ModelFinder finder = model_finder(call);
  TACIT_ASSIGN(const StreamResult stream,
               decompress_archive(reader, finder, call.codec_options(reader.original_bytes()), sink));
  report(result, stream);
  return {};
}

Status read_records(Call& call, ByteSpan archive, std::uint64_t first, std::uint64_t count, const ByteSink& sink) {
  TACIT_ASSIGN(const archive::Reader reader, archive::Reader::open(archive));
  const std::uint64_t count_max = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t end = first + std::min(count, count_max - first);
  if (count == count_max) end = std::max(reader.record_count(), std::min(first, count_max - 1) + 1);
  return read_records(reader, model_finder(call), call.codec_options(0), first, end, sink);
}

FoundModel found_builtin(const LoadedModel& loaded) {
  FoundModel model;
  model.name = loaded.name;
  model.architecture = loaded.model.config.architecture;
  model.fingerprint = loaded.fingerprint_hex();
  model.file_bytes = loaded.file_bytes;
  return model;
}

tacit_found_model public_form(const FoundModel& model) {
  tacit_found_model form{};
  form.struct_bytes = sizeof(form);
  form.path = model.path.empty() ? nullptr : model.path.c_str();
  form.name = model.name.c_str();
  form.fingerprint = model.fingerprint.c_str();
  form.architecture = model.architecture.c_str();
  form.file_bytes = model.file_bytes;
  form.problem = model.problem.c_str();
  return form;
}

// An input file, read from start to end.
class InputFile {
 public:
  static Result<std::unique_ptr<InputFile>> open(const std::string& path) {
    auto file = std::make_unique<InputFile>();
    file->path_ = path;
    file->descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file->descriptor_ < 0 || ::fstat(file->descriptor_, &file->info_) != 0) return file->failed("open");
    if (!S_ISDIR(file->info_.st_mode)) return file;
    errno = EISDIR;
    return file->failed("read");
  }
  InputFile() = default;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  Result<std::size_t> read(std::span<std::uint8_t> buffer) {
    std::size_t count = 0;
    while (count < buffer.size()) {
      const ssize_t got = ::read(descriptor_, buffer.data() + count, buffer.size() - count);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("read");
      if (got == 0) break;
      count += static_cast<std::size_t>(got);
    }
    return count;
  }

  // Errors: kUsage where `path` is this very file.
  [[nodiscard]] Status must_not_be(const std::string& path) const {
    struct stat other {};
    if (::stat(path.c_str(), &other) != 0 || other.st_dev != info_.st_dev || other.st_ino != info_.st_ino) return {};
    return usage_error(path_ + ": input and output are the same file");
  }

  [[nodiscard]] std::uint64_t size() const { return S_ISREG(info_.st_mode) ? static_cast<std::uint64_t>(info_.st_size) : 0; }
  [[nodiscard]] std::uint32_t mode() const { return S_ISREG(info_.st_mode) ? info_.st_mode & 0777 : 0; }

 private:
  [[nodiscard]] Error failed(const char* action) const {
    return io_error(path_ + ": cannot " + action + ": " + std::strerror(errno));
  }
  std::string path_;
  int descriptor_ = -1;
  struct stat info_ {};
};

ByteSource callback_source(tacit_read_function read, void* context) {
  return [read, context](std::span<std::uint8_t> buffer) -> Result<std::size_t> {
    std::size_t count = 0;
    while (count < buffer.size()) {
      const std::int64_t got = read(context, buffer.data() + count, buffer.size() - count);
      if (got < 0 || static_cast<std::uint64_t>(got) > buffer.size() - count) return io_error("reading the input failed");
      if (got == 0) break;
      count += static_cast<std::size_t>(got);
    }
    return count;
  };
}

ByteSink callback_sink(tacit_write_function write, void* context) {
  if (write == nullptr) return {};
  return [write, context](ByteSpan bytes) -> Status {
    if (write(context, bytes.data(), bytes.size()) != 0) return io_error("writing the output failed");
    return {};
  };
}

ByteSource memory_source(ByteSpan bytes) {
  return [bytes](std::span<std::uint8_t> buffer) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(buffer.size(), bytes.size());
    std::copy_n(bytes.begin(), count, buffer.begin());
    bytes = bytes.subspan(count);
    return count;
  };
}

ByteSink memory_sink(ByteVector& out) {
  return [&out](ByteSpan bytes) -> Status {
    append_bytes(out, bytes);
    return {};
  };
}

Result<ByteVector> read_all(const ByteSource& source) {
  ByteVector bytes;
  while (true) {
    const std::size_t begin = bytes.size();
    bytes.resize(std::max<std::size_t>(64 * 1024, 2 * begin));
    TACIT_ASSIGN(const std::size_t count, source(std::span(bytes).subspan(begin)));
    const bool end = begin + count < bytes.size();
    bytes.resize(begin + count);
    if (end) return bytes;
  }
}

// Hands a copy to the caller, who frees it with tacit_free. malloc(0) may be NULL, which would look like a failure.
Status hand_over(ByteSpan bytes, void** data, std::size_t* size) {
  *data = std::malloc(std::max<std::size_t>(bytes.size(), 1));
  if (*data == nullptr) throw std::bad_alloc();
  if (!bytes.empty()) std::memcpy(*data, bytes.data(), bytes.size());
  *size = bytes.size();
  return {};
}

ByteSpan span_of(const void* data, std::size_t size) { return {static_cast<const std::uint8_t*>(data), size}; }

Status require(bool condition, const char* what) {
  if (condition) return {};
  return usage_error(std::string(what) + " must not be NULL");
}

Status fill_archive_info(ByteSpan archive, tacit_archive_info* out) {
  TACIT_TRY(check_output_struct(out, "tacit_archive_info"));
  TACIT_ASSIGN(const archive::Reader reader, archive::Reader::open(archive));
  const archive::Header& header = reader.header();
  tacit_archive_info info{};
  info.format_version = header.format_version;
  info.contract = header.contract;
  if (header.has_model) {
    std::memcpy(info.model_name, header.model_name.data(), header.model_name.size());
    std::memcpy(info.model_fingerprint, to_hex(header.model_fingerprint).data(), 64);
    info.model_is_builtin = header.model_fingerprint == builtin_model_fingerprint() ? 1 : 0;
    info.window = header.window;
  }
  info.original_bytes = reader.original_bytes();
  info.archive_bytes = archive.size();
  info.block_count = reader.blocks().size();
  for (std::size_t i = 0; i < reader.blocks().size(); ++i) {
    TACIT_ASSIGN(const archive::Block block, reader.read_block(i));
    std::uint64_t model_bytes = block.original_bytes;
    bool any_model = false;
    info.segment_count += block.segments.size();
    for (const archive::Segment& segment : block.segments) {
      model_bytes -= std::min(model_bytes, segment.original_bytes);
      if (segment.method != archive::Method::kModel) continue;
      any_model = true;
      ++info.model_segment_count;
      info.model_coded_bytes += segment.payload.size();
      info.token_count += segment.token_count;
    }
    if (any_model) info.model_original_bytes += model_bytes;
  }
  info.has_records = header.has_records ? 1 : 0;
  info.record_count = reader.record_count();
  write_struct(out, info);
  return {};
}

// ---- Inspection ----

static_assert(static_cast<int>(Coding::kSoftmax) == TACIT_CODED_SOFTMAX);
static_assert(static_cast<int>(Coding::kRank1) == TACIT_CODED_RANK_1);
static_assert(static_cast<int>(Coding::kCandidate) == TACIT_CODED_CANDIDATE);
static_assert(static_cast<int>(Coding::kEscape) == TACIT_CODED_ESCAPE);

tacit_coding coding_of(const InspectedPiece& piece) {
  switch (piece.method) {
    case archive::Method::kModel: return static_cast<tacit_coding>(piece.trace->coding);
    case archive::Method::kRaw: return TACIT_STORED_RAW;
    case archive::Method::kZstd: return TACIT_STORED_ZSTD;
    case archive::Method::kBrotli: return TACIT_STORED_BROTLI;
  }
  return TACIT_STORED_RAW;
}

// Hands pieces to a client; the lists that a tacit_piece points to are kept here.
class PieceReceiver {
 public:
  PieceReceiver(tacit_piece_function receive, void* context) : receive_(receive), context_(context) {}

  Status operator()(const InspectedPiece& inspected) {
    tacit_piece piece{};
    piece.struct_bytes = sizeof(piece);
    piece.coding = coding_of(inspected);
    piece.bytes = inspected.bytes.data();
    piece.byte_count = inspected.bytes.size();
    piece.offset = inspected.offset;
    piece.bits = static_cast<double>(inspected.stored_bytes * 8);
    if (inspected.trace != nullptr) add_token(inspected, piece);
    if (receive_(context_, &piece) == 0) return {};
    return Error{ErrorCode::kCancelled, "stopped by the piece function"};
  }

 private:
  void add_token(const InspectedPiece& inspected, tacit_piece& piece) {
    const SymbolTrace& trace = *inspected.trace;
    piece.bits = trace.bits;
    piece.symbol = static_cast<std::int32_t>(trace.symbol);
    piece.lane = static_cast<std::uint32_t>(inspected.lane);
    piece.order = inspected.order;
    piece.probability = trace.probability;
    piece.model_probability = trace.model_probability;
    piece.model_weight = trace.model_weight;
    piece.alternatives = alternatives_.data();
    piece.alternative_count = trace.alternative_count;
    for (std::size_t i = 0; i < trace.alternative_count; ++i) {
      const TracedAlternative& alternative = trace.alternatives[i];
      const auto symbol = static_cast<TokenId>(alternative.symbol);
      const ByteSpan bytes = inspected.tokenizer->symbol_bytes(symbol);
      alternatives_[i] = {bytes.data(), bytes.size(), symbol, alternative.probability};
    }
    piece.experts = experts_.data();
    piece.expert_count = experts_.size();
    for (std::size_t i = 0; i < experts_.size(); ++i) experts_[i] = {expert_name(i).c_str(), trace.experts[i]};
    piece.samplers = samplers_.data();
    piece.sampler_count = samplers_.size();
    for (std::size_t i = 0; i < samplers_.size(); ++i) samplers_[i] = {sampler_name(i), trace.samplers[i]};
  }

  tacit_piece_function receive_;
  void* context_;
  std::array<tacit_alternative, kTracedAlternatives> alternatives_;
  std::array<tacit_share, std::tuple_size_v<ExpertShares>> experts_;
  std::array<tacit_share, kSamplersMax> samplers_;
};

// What has been compressed is checked by being taken apart, as `verifying` says.
Status inspect(Call& call, ByteSpan archive, bool verifying, PieceReceiver& receive, tacit_archive_info* info) {
  if (info != nullptr) TACIT_TRY(fill_archive_info(archive, info));
  TACIT_ASSIGN(const archive::Reader reader, archive::Reader::open(archive));
  const ModelFinder finder = model_finder(call);
  CodecOptions options = call.codec_options(reader.original_bytes());
  if (options.progress && verifying) {
    options.progress = [report = options.progress](Progress progress) {
      progress.verifying = true;
      return report(progress);
    };
  }
  TACIT_TRY(inspect_archive(reader, finder, options, [&](const InspectedPiece& piece) { return receive(piece); }));
  return {};
}

}  // namespace
}  // namespace tacit

using namespace tacit;

extern "C" {

const char* tacit_version(void) { return "0.1.0"; }

const char* tacit_last_error(void) { return last_error().c_str(); }

void tacit_free(void* buffer) { std::free(buffer); }

tacit_status tacit_model_open_builtin(tacit_model** model) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_ASSIGN(std::shared_ptr<const LoadedModel> loaded, builtin_model_outline());
    *model = new_model(std::move(loaded));
    return {};
  });
}

tacit_status tacit_model_open(const char* path, tacit_model** model) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(path != nullptr, "path"));
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_ASSIGN(std::shared_ptr<const LoadedModel> loaded, LoadedModel::open(path));
    *model = new_model(std::move(loaded));
    return {};
  });
}

void tacit_model_close(tacit_model* model) { delete model; }

void tacit_model_info_init(tacit_model_info* info) {
  *info = {};
  info->struct_bytes = sizeof(*info);
}

tacit_status tacit_model_get_info(const tacit_model* model, tacit_model_info* info) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_TRY(require(info != nullptr, "info"));
    TACIT_TRY(check_output_struct(info, "tacit_model_info"));
    const LoadedModel& loaded = *model->loaded;
    const Config& config = loaded.model.config;
    tacit_model_info value{};
    value.name = loaded.name.c_str();
    value.fingerprint = loaded.fingerprint_hex().c_str();
    value.architecture = config.architecture.c_str();
    value.file_bytes = loaded.file_bytes;
    value.parameter_count = loaded.parameter_count;
    value.multiply_add_count = loaded.model.multiply_adds_per_token();
    value.vocabulary_size = config.vocabulary_size;
    value.context_length = config.context_length;
    value.default_window = config.default_window();
    value.lane_bytes = LaneCaches::lane_bytes(config, value.default_window);
    value.default_lane_count = default_lane_count(loaded, value.default_window);
    value.is_recurrent = config.is_recurrent() ? 1 : 0;
    value.tokenizer = loaded.tokenizer_model.c_str();
    value.tokenizer_problem = loaded.tokenizer_error.c_str();
    value.tensor_types = model->tensor_types.data();
    value.tensor_type_count = model->tensor_types.size();
    write_struct(info, value);
    return {};
  });
}

tacit_status tacit_models_list(const char* const* paths, size_t path_count, tacit_found_model_function receive,
                               void* context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(paths != nullptr || path_count == 0, "paths"));
    TACIT_TRY(require(receive != nullptr, "receive"));
    ModelSearch search;
    for (std::size_t i = 0; i < path_count; ++i) {
      TACIT_TRY(require(paths[i] != nullptr, "paths"));
      search.add(paths[i]);
    }
    bool is_stopped = false;
    const auto hand_over = [&](const FoundModel& model) {
      const tacit_found_model form = public_form(model);
      is_stopped = receive(context, &form) != 0;
      return !is_stopped;
    };
    TACIT_ASSIGN(const std::shared_ptr<const LoadedModel> builtin, builtin_model_outline());
    if (hand_over(found_builtin(*builtin))) search.list(hand_over);
    if (is_stopped) return Error{ErrorCode::kCancelled, "stopped by the model function"};
    return {};
  });
}

tacit_status tacit_model_find(const char* name, tacit_model** model) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(name != nullptr, "name"));
    TACIT_TRY(require(model != nullptr, "model"));
    std::string path = name;
    if (struct stat info {}; ::stat(name, &info) != 0 && errno == ENOENT && path.find('/') == std::string::npos) {
      TACIT_ASSIGN(std::shared_ptr<const LoadedModel> builtin, builtin_model_outline());
      TACIT_ASSIGN(FoundModel found, ModelSearch().find_named(path, found_builtin(*builtin)));
      if (found.path.empty()) {
        *model = new_model(std::move(builtin));
        return {};
      }
      path = std::move(found.path);
    }
    TACIT_ASSIGN(std::shared_ptr<const LoadedModel> loaded, LoadedModel::open(path));
    *model = new_model(std::move(loaded));
    return {};
  });
}

tacit_status tacit_model_tokenize(const tacit_model* model, const void* text, size_t text_bytes, int add_special,
                                  int32_t** ids, size_t* id_count) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(model != nullptr, "model"));
    TACIT_TRY(require(text != nullptr || text_bytes == 0, "text"));
    TACIT_TRY(require(ids != nullptr && id_count != nullptr, "ids and id_count"));
    TACIT_TRY(model->loaded->require_tokenizer());
    const std::vector<TokenId> tokens = model->loaded->tokenizer->tokenize(span_of(text, text_bytes), add_special != 0);
    void* data = nullptr;
    std::size_t size = 0;
    TACIT_TRY(hand_over(span_of(tokens.data(), tokens.size() * sizeof(TokenId)), &data, &size));
    *ids = static_cast<std::int32_t*>(data);
    *id_count = tokens.size();
    return {};
  });
}

void tacit_options_init(tacit_options* options) {
  *options = {};
  options->struct_bytes = sizeof(*options);
}

void tacit_result_init(tacit_result* result) {
  *result = {};
  result->struct_bytes = sizeof(*result);
}

tacit_status tacit_compress_file(const tacit_options* options, const char* input_path, const char* output_path,
                                 tacit_result* result) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(input_path != nullptr && output_path != nullptr, "paths"));
    TACIT_ASSIGN(Call call, begin_model_call(options));
    TACIT_ASSIGN(const std::unique_ptr<InputFile> input, InputFile::open(input_path));
    TACIT_TRY(input->must_not_be(output_path));
    TACIT_ASSIGN(AtomicFile output, AtomicFile::create(output_path, call.options.overwrite != 0, input->mode()));
    const ByteSource source = [&](std::span<std::uint8_t> buffer) { return input->read(buffer); };
    const ByteSink sink = [&](ByteSpan bytes) { return output.write(bytes); };
    TACIT_TRY(compress(call, input->size(), source, sink, result));
    return output.commit();
  });
}

tacit_status tacit_decompress_file(const tacit_options* options, const char* input_path, const char* output_path,
                                   tacit_result* result) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(input_path != nullptr && output_path != nullptr, "paths"));
    TACIT_ASSIGN(Call call, begin_call(options));
    TACIT_ASSIGN(const std::unique_ptr<InputFile> input, InputFile::open(input_path));
    TACIT_TRY(input->must_not_be(output_path));
    TACIT_ASSIGN(const MappedFile archive, MappedFile::open(input_path));
    TACIT_ASSIGN(AtomicFile output, AtomicFile::create(output_path, call.options.overwrite != 0, input->mode()));
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

tacit_status tacit_read_records_file(const tacit_options* options, const char* path, uint64_t first, uint64_t count,
                                     tacit_write_function write, void* write_context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(path != nullptr, "path"));
    TACIT_TRY(require(write != nullptr, "write"));
    TACIT_ASSIGN(Call call, begin_call(options));
    TACIT_ASSIGN(const MappedFile archive, MappedFile::open(path));
    const Status status = read_records(call, archive.bytes(), first, count, callback_sink(write, write_context));
    return status.ok() || status.error().code == ErrorCode::kIo ? status : status.error().in(path);
  });
}

tacit_status tacit_read_records_buffer(const tacit_options* options, const void* archive, size_t archive_bytes,
                                       uint64_t first, uint64_t count, tacit_write_function write,
                                       void* write_context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(archive != nullptr || archive_bytes == 0, "archive"));
    TACIT_TRY(require(write != nullptr, "write"));
    TACIT_ASSIGN(Call call, begin_call(options));
    return read_records(call, span_of(archive, archive_bytes), first, count, callback_sink(write, write_context));
  });
}

void tacit_archive_info_init(tacit_archive_info* info) {
  *info = {};
  info->struct_bytes = sizeof(*info);
}

tacit_status tacit_info_file(const char* path, tacit_archive_info* info) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(path != nullptr && info != nullptr, "path and info"));
    TACIT_ASSIGN(const MappedFile archive, MappedFile::open(path));
    if (Status status = fill_archive_info(archive.bytes(), info); !status.ok()) return status.error().in(path);
    return {};
  });
}

tacit_status tacit_info_buffer(const void* archive, size_t archive_bytes, tacit_archive_info* info) {
  return guarded([&]() -> Status {
    TACIT_TRY(require((archive != nullptr || archive_bytes == 0) && info != nullptr, "archive and info"));
    return fill_archive_info(span_of(archive, archive_bytes), info);
  });
}

tacit_status tacit_inspect_buffer(const tacit_options* options, const void* input, size_t input_bytes, int is_archive,
                                  tacit_piece_function receive, void* context, tacit_archive_info* info) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(input != nullptr || input_bytes == 0, "input"));
    TACIT_TRY(require(receive != nullptr, "receive"));
    PieceReceiver receiver(receive, context);
    const ByteSpan bytes = span_of(input, input_bytes);
    if (is_archive != 0 || archive::begins_as_archive(bytes)) {
      TACIT_ASSIGN(Call call, begin_call(options));
      return inspect(call, bytes, false, receiver, info);
    }
    TACIT_ASSIGN(Call call, begin_model_call(options));
    call.options.skip_verification = 1;
    ByteVector archive;
    TACIT_TRY(compress(call, input_bytes, memory_source(bytes), memory_sink(archive), nullptr));
    return inspect(call, archive, true, receiver, info);
  });
}

tacit_status tacit_logits(const tacit_options* options, const int32_t* ids, size_t id_count,
                          tacit_logits_function receive, void* context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(ids != nullptr || id_count == 0, "ids"));
    TACIT_TRY(require(receive != nullptr, "receive"));
    TACIT_ASSIGN(Call call, begin_model_call(options));
    return sequence_logits(call.model->model, *call.kernels, *call.pool, call.options.window, {ids, id_count},
                           [&](std::size_t position, const float* logits) {
                             return receive(context, position, logits) == 0;
                           });
  });
}

void tacit_sampler_init(tacit_sampler* sampler) {
  *sampler = {};
  sampler->struct_bytes = sizeof(*sampler);
  sampler->temperature = 1;
  sampler->top_p = 1;
  sampler->typical_p = 1;
  sampler->repetition_penalty = 1;
}

tacit_status tacit_generate(const tacit_options* options, const tacit_sampler* sampler, const void* prompt,
                            size_t prompt_bytes, size_t token_count, int stop_at_eos, tacit_text_function receive,
                            void* context) {
  return guarded([&]() -> Status {
    TACIT_TRY(require(prompt != nullptr || prompt_bytes == 0, "prompt"));
    TACIT_TRY(require(receive != nullptr, "receive"));
    TACIT_ASSIGN(const tacit_sampler settings, read_sampler(sampler));
    TACIT_ASSIGN(Call call, begin_model_call(options));
    GenerateOptions generation;
    TACIT_ASSIGN(generation.sampler, sampler_settings(settings));
    generation.seed = settings.seed;
    generation.token_count = token_count;
    generation.window = call.options.window != 0 ? call.options.window : call.model->model.config.default_window();
    generation.stop_at_eos = stop_at_eos != 0;
    return generate(*call.model, *call.kernels, *call.pool, generation, span_of(prompt, prompt_bytes),
                    [&](ByteSpan text) {
                      return receive(context, reinterpret_cast<const char*>(text.data()), text.size()) == 0;
                    });
  });
}

const char* tacit_kernel_sets(void) {
  static const std::string names = [] {
    std::string text;
    const kernels::KernelList list = kernels::available_kernels();
    for (std::uint32_t i = 0; i < list.count; ++i) text += (i > 0 ? "," : "") + std::string(list.sets[i]->name);
    return text;
  }();
  return names.c_str();
}

void tacit_remove_unfinished_outputs(void) { remove_unfinished_outputs(); }

}  // extern "C"
