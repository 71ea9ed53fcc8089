/* SPDX-License-Identifier: MIT
 *
 * Tacit: lossless storage of text that language models wrote. This header is the whole public door: the command line
 * and every binding use nothing else. C11 and C++.
 *
 * Errors. Every function that can fail returns a tacit_status; tacit_last_error() then gives a sentence that names
 * file, offset, field, found and expected. The numbers of tacit_status never change.
 *
 * Threads. A tacit_model never changes after it was opened: any number of threads may use one model at a time. All
 * other functions may be called from any thread; tacit_last_error() is per thread.
 *
 * Determinism. The bytes of an archive depend on the input, the model file and the options marked "in the archive",
 * never on threads, instruction set or machine.
 *
 * Memory. What a function returns through a `**` argument belongs to the caller: tacit_free() for buffers,
 * tacit_model_close() for models. Structs start with `struct_bytes`, set by their _init function, so that later
 * versions can add fields at the end.
 */
#ifndef TACIT_TACIT_H
#define TACIT_TACIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TACIT_API __attribute__((visibility("default")))
#else
#define TACIT_API
#endif

typedef enum tacit_status {
  TACIT_OK = 0,
  TACIT_DAMAGED = 1,       /* the data is damaged, or a check failed */
  TACIT_USAGE = 2,         /* an argument makes no sense */
  TACIT_MODEL = 3,         /* the model needed is not here, or the one given cannot be used */
  TACIT_IO = 4,            /* reading or writing failed */
  TACIT_CANCELLED = 5,     /* the progress function asked to stop */
  TACIT_OUT_OF_MEMORY = 6, /* an allocation failed, or the system had no more threads */
  TACIT_INTERNAL = 7       /* a fault of the library, or an exception that a callback has thrown */
} tacit_status;

/* The library's version, three numbers as in "1.2.3". Static. */
TACIT_API const char *tacit_version(void);

/* The last error of this thread as one sentence, "" if none; printable, as tacit_printable makes text. Valid until the
 * next call into the library by this thread. */
TACIT_API const char *tacit_last_error(void);

/* `text` for people: control characters, and bytes that are no UTF-8, as \xHH, so that no name out of a file or an
 * archive can steer a terminal or end a line. `*shown` ends with a zero byte and is freed by tacit_free. */
TACIT_API tacit_status tacit_printable(const void *text, size_t text_bytes, char **shown);

/* Frees a buffer that a tacit function returned. NULL is fine. */
TACIT_API void tacit_free(void *buffer);

/* ---- Models ---------------------------------------------------------------------------------------------------- */

typedef struct tacit_model tacit_model;

/* Opens the model that is linked into the library, as tacit_model_open does. */
TACIT_API tacit_status tacit_model_open_builtin(tacit_model **model);

/* Opens a GGUF file, which is mapped and must not change while the model is open: where it is cut short, reading it is
 * a SIGBUS. Of its weights only names and shapes are read and checked. The first call that computes with the model
 * reads the rest, with the threads that its options name: it packs the weights, which takes about as much memory as the
 * file, and hashes the file (SHA-256); where a weight is not finite, that call and all later ones return TACIT_MODEL.
 * Errors: TACIT_IO (cannot be read), TACIT_MODEL (not GGUF, damaged, or a kind that is not supported: says which). */
TACIT_API tacit_status tacit_model_open(const char *path, tacit_model **model);

/* NULL is fine. */
TACIT_API void tacit_model_close(tacit_model *model);

/* All tensors of one type in a model file. */
typedef struct tacit_tensor_type {
  const char *name; /* "Q8_0" */
  uint64_t tensor_count;
  uint64_t parameter_count;
  uint64_t bytes;
} tacit_tensor_type;

typedef struct tacit_model_info {
  size_t struct_bytes;
  const char *name;         /* general.name, or the file's name; lives as long as the model */
  const char *fingerprint;  /* SHA-256 of the model file, 64 hexadecimal digits; lives as long as the model */
  const char *architecture; /* "llama"; lives as long as the model */
  uint64_t file_bytes;
  uint64_t parameter_count;
  uint64_t multiply_add_count;  /* of one token, attention left out */
  uint32_t vocabulary_size;
  uint32_t context_length;      /* as trained */
  uint32_t default_window;      /* tokens of context that coding uses unless told otherwise */
  uint64_t lane_bytes;          /* memory of one lane at that window: keys and values, or the state */
  uint32_t default_lane_count;  /* most strips that a block is cut into unless told otherwise, at that window */
  int is_recurrent;             /* nonzero: carries a state instead of keys and values */
  const char *tokenizer;          /* tokenizer.ggml.model, "" if there is none; lives as long as the model */
  const char *tokenizer_problem;  /* why it cannot be used, "" if it can; without one there are logits, but no coding */
  const tacit_tensor_type *tensor_types; /* those present, most bytes first; lives as long as the model */
  size_t tensor_type_count;
} tacit_model_info;

TACIT_API void tacit_model_info_init(tacit_model_info *info);
TACIT_API tacit_status tacit_model_get_info(const tacit_model *model, tacit_model_info *info);

/* Token ids of `text` as the model was trained to read it. `add_special` nonzero: BOS and EOS where the model's own
 * flags ask for them. `*ids` is freed by tacit_free. */
TACIT_API tacit_status tacit_model_tokenize(const tacit_model *model, const void *text, size_t text_bytes,
                                            int add_special, int32_t **ids, size_t *id_count);

/* ---- Models of this machine -------------------------------------------------------------------------------------- */

/* The search path: the folders that the environment variable TACIT_MODEL_PATH names, with colons between them, then
 * $XDG_CACHE_HOME/tacit/models or else ~/.cache/tacit/models. All *.gguf files in and below them are found; a folder
 * that does not exist has none. Fingerprints are remembered in the file `fingerprints` beside the last folder, with the
 * size, time and inode of each file; it is only a hint for where to look: a model that is opened is always hashed. */

typedef struct tacit_found_model {
  size_t struct_bytes;
  const char *path;         /* absolute; NULL: the built-in model */
  const char *name;         /* as of tacit_model_info */
  const char *fingerprint;  /* "" where the file cannot be read */
  const char *architecture; /* "" where the file does not say */
  uint64_t file_bytes;
  const char *problem;      /* why it cannot be used, "" where it can, as far as metadata tell: tensors are not read */
} tacit_found_model;

/* What `model` points to lives for the call. Nonzero: stop with TACIT_CANCELLED. */
typedef int (*tacit_found_model_function)(void *context, const tacit_found_model *model);

/* Calls `receive` for the built-in model, those of the search path, and those of `paths`: files whatever their names,
 * or folders. A file with several names comes once. What cannot be used comes too, with its problem: so do folders
 * that cannot be read. Files that are not in the cache of fingerprints are hashed, which takes a second a gigabyte.
 * Errors: TACIT_CANCELLED. */
TACIT_API tacit_status tacit_models_list(const char *const *paths, size_t path_count,
                                         tacit_found_model_function receive, void *context);

/* Opens the file `name`, if there is one, or else the model of the search path, or the built-in one, that is called so:
 * by its file's name, with or without ".gguf", else by its own name, else by its fingerprint, of which the first 8
 * digits are enough. Errors: those of tacit_model_open; TACIT_MODEL where none is called so, or several that differ. */
TACIT_API tacit_status tacit_model_find(const char *name, tacit_model **model);

/* ---- Compression ----------------------------------------------------------------------------------------------- */

typedef struct tacit_progress {
  uint64_t original_bytes_done;
  uint64_t original_bytes_total;  /* 0: not known */
  uint64_t stored_bytes;          /* archive bytes that stand for original_bytes_done */
  uint64_t tokens_done;           /* tokens that went through the model so far, all passes */
  int verifying;                  /* 1 while what was written is decoded again */
} tacit_progress;

/* Called now and then, always from the calling thread. Nonzero: stop with TACIT_CANCELLED. */
typedef int (*tacit_progress_function)(void *context, const tacit_progress *progress);

/* How tokens are drawn from a model. Penalties change the logits; the others apply in the given order, a filter to what
 * the one before has kept. */
typedef enum tacit_sampler_order {
  TACIT_TEMPERATURE_FIRST = 0, /* temperature, top_k, top_p, min_p, typical_p: as transformers and vLLM do */
  TACIT_TEMPERATURE_LAST = 1   /* top_k, typical_p, top_p, min_p, temperature: as llama.cpp does */
} tacit_sampler_order;

typedef struct tacit_sampler {
  size_t struct_bytes;
  double temperature; /* 0: always the most likely token. Default 1 */
  uint32_t top_k;     /* keep the k most likely; 0: all */
  double top_p;       /* nucleus: keep the smallest set of most likely tokens whose probability sums to this or more;
                         1: all */
  double min_p;       /* keep tokens at least this times as likely as the most likely one; 0: all */
  uint64_t seed;      /* the same seed gives the same text, on every machine */
  double typical_p;   /* keep the smallest set of the tokens nearest to the entropy whose probability sums to this or
                         more; 1: all */
  double repetition_penalty; /* of tokens that occurred: positive logits are divided by it, others multiplied;
                                1: none */
  double presence_penalty;   /* taken from the logits of tokens that occurred */
  double frequency_penalty;  /* likewise, times how often they occurred */
  uint32_t penalty_window;   /* tokens of the past that penalties look at; 0: all */
  tacit_sampler_order order;
} tacit_sampler;

TACIT_API void tacit_sampler_init(tacit_sampler *sampler);

/* The most that tacit_options.lane_count may be. */
#define TACIT_LANE_COUNT_MAX 256

typedef struct tacit_options {
  size_t struct_bytes;
  const tacit_model *model; /* NULL: the built-in one */
  uint32_t threads;         /* 0: one per processor of this process */
  const char *kernel_set;   /* NULL: the fastest here; else "reference", "avx2", "avx512", "neon", "dotprod" */
  uint32_t window;          /* in the archive. Tokens of context; 0: the model's default */
  uint32_t lane_count;      /* in the archive. Most strips that a block is cut into, 1 to
                               TACIT_LANE_COUNT_MAX; 0: the model's default.
                               With records only how many segments are coded side by side, and not in the archive */
  int skip_verification;    /* nonzero: do not decode what was encoded */
  int overwrite;            /* nonzero: an existing output file is replaced */
  tacit_progress_function progress; /* may be NULL */
  void *progress_context;
  const struct tacit_sampler *sampler; /* in the archive. What the text was drawn with, if that is known: makes it
                                          smaller where it is right, and a little larger where not; NULL: unknown */
  uint32_t level;           /* 1 to 9: from fast to small; 0: the default, 5. Sets what window and contents of the
                               archive are not set otherwise; decompression takes about as long as compression */
  tacit_model **found_model; /* not NULL, and `model` is: an archive's model that is not the built-in one is looked for
                                in the search path by its fingerprint, and left in *found_model, where the next call
                                finds it. NULL, or a model of yours, before; tacit_model_close after. Another one that
                                was there is closed. One slot may not be used by two threads at a time */
  int has_records;          /* in the archive. Nonzero: each line is a record, with its newline, that
                               tacit_read_records_* give back without decoding all of the archive */
  uint32_t segment_bytes;   /* in the archive, with records only. Text that is decoded to get at one of them: records
                               are stored together up to so many bytes, 1 (each record by itself) to 1048576; more is
                               smaller; 0: the default, 16384 */
} tacit_options;

TACIT_API void tacit_options_init(tacit_options *options);

/* Returns the number of bytes put into `buffer`, 0 at the end, a negative number on failure. */
typedef int64_t (*tacit_read_function)(void *context, void *buffer, size_t capacity);
/* Returns 0, or nonzero on failure (TACIT_IO). */
typedef int (*tacit_write_function)(void *context, const void *data, size_t data_bytes);

/* Sizes after the work. */
typedef struct tacit_result {
  size_t struct_bytes;
  uint64_t original_bytes;
  uint64_t archive_bytes;
  uint64_t token_count;     /* tokens that the model coded */
} tacit_result;

TACIT_API void tacit_result_init(tacit_result *result);

/* The three doors to the same work; `options` NULL: the defaults; `result` may be NULL.
 *
 * File: `output_path` appears complete and synced, or not at all. It gets the permissions of the input, and its owner
 * and group as far as the process may give them; where it may not give the group, the group and others get only what
 * both had. A device or a pipe is written to directly.
 * Buffer: `*output` is freed by tacit_free.
 * Stream: compression holds one group (at most 64 MiB of input) in memory, decompression the whole archive; what was
 * written before an error is a prefix of the right output.
 *
 * Errors of compression: TACIT_IO, TACIT_CANCELLED; TACIT_DAMAGED when the check of the written archive failed (the
 * machine or the program is faulty: nothing is left behind). Errors of decompression: TACIT_DAMAGED (says which
 * block), TACIT_MODEL (names the model that the archive needs), TACIT_IO, TACIT_CANCELLED. */
TACIT_API tacit_status tacit_compress_file(const tacit_options *options, const char *input_path,
                                           const char *output_path, tacit_result *result);
TACIT_API tacit_status tacit_decompress_file(const tacit_options *options, const char *input_path,
                                             const char *output_path, tacit_result *result);

TACIT_API tacit_status tacit_compress_buffer(const tacit_options *options, const void *input, size_t input_bytes,
                                             void **output, size_t *output_bytes);
TACIT_API tacit_status tacit_decompress_buffer(const tacit_options *options, const void *input, size_t input_bytes,
                                               void **output, size_t *output_bytes);

TACIT_API tacit_status tacit_compress_stream(const tacit_options *options, tacit_read_function read,
                                             void *read_context, tacit_write_function write, void *write_context,
                                             tacit_result *result);
/* `write` NULL: decode and check only. All damaged blocks are then named in the error, not only the first. */
TACIT_API tacit_status tacit_decompress_stream(const tacit_options *options, tacit_read_function read,
                                               void *read_context, tacit_write_function write, void *write_context,
                                               tacit_result *result);

/* The records [first, first + count) of an archive that was compressed with them, in order, byte for byte; count
 * UINT64_MAX: all from `first` on. Records are counted from 0; the last one may have no newline at its end. Of the
 * archive, only the segments that hold them are decoded, and of a file only the blocks around these are read. Errors:
 * TACIT_USAGE where the archive has no records, or not these; else those of decompression. What was written before an
 * error is right. */
TACIT_API tacit_status tacit_read_records_file(const tacit_options *options, const char *path, uint64_t first,
                                               uint64_t count, tacit_write_function write, void *write_context);
TACIT_API tacit_status tacit_read_records_buffer(const tacit_options *options, const void *archive,
                                                 size_t archive_bytes, uint64_t first, uint64_t count,
                                                 tacit_write_function write, void *write_context);

/* What an archive says of itself. Needs no model and decodes nothing; checks header, index and every block's hash. */
typedef struct tacit_archive_info {
  size_t struct_bytes;
  uint32_t format_version;
  uint32_t contract;              /* number of the numeric contract */
  char model_name[256];           /* "" where no segment needs a model */
  char model_fingerprint[65];     /* likewise */
  int model_is_builtin;
  uint32_t window;
  uint64_t original_bytes;
  uint64_t archive_bytes;
  uint64_t block_count;
  uint64_t segment_count;         /* all kinds */
  uint64_t model_segment_count;   /* coded by the model; the others by zstd, brotli or not at all */
  uint64_t model_original_bytes;  /* original bytes in them */
  uint64_t model_coded_bytes;     /* their code streams */
  uint64_t token_count;           /* tokens in them */
  int has_records;                /* nonzero: tacit_read_records_* work */
  uint64_t record_count;          /* 0 where there are none */
} tacit_archive_info;

TACIT_API void tacit_archive_info_init(tacit_archive_info *info);
TACIT_API tacit_status tacit_info_file(const char *path, tacit_archive_info *info);
TACIT_API tacit_status tacit_info_buffer(const void *archive, size_t archive_bytes, tacit_archive_info *info);

/* ---- Looking at a text ------------------------------------------------------------------------------------------ */

/* How a span of a text (tacit_span) is stored. Numbers are added, never changed. */
typedef enum tacit_coding {
  TACIT_CODED_SOFTMAX = 0,   /* a token, by the model's distribution as it is (contract 1) */
  TACIT_CODED_RANK_1 = 1,    /* a token, by a binary decision for it: as the likeliest candidate */
  TACIT_CODED_RANK_2 = 2,    /* as the second */
  TACIT_CODED_RANK_3 = 3,    /* as the third */
  TACIT_CODED_CANDIDATE = 4, /* a token, as one of the other candidates that experts had */
  TACIT_CODED_ESCAPE = 5,    /* a token that no expert has seen: by the model's distribution, without the candidates */
  TACIT_STORED_RAW = 6,      /* a segment as it is */
  TACIT_STORED_ZSTD = 7,     /* a segment as a zstd frame */
  TACIT_STORED_BROTLI = 8    /* a segment as a brotli stream */
} tacit_coding;

/* A part of a whole that is 1. The name is static. */
typedef struct tacit_share {
  const char *name;
  double share;
} tacit_share;

typedef struct tacit_alternative {
  const void *bytes;
  size_t byte_count;
  int32_t symbol;
  double probability;
} tacit_alternative;

/* A span of a text: a token, or a segment that was stored without the model. What it points to lives for the call. */
typedef struct tacit_span {
  size_t struct_bytes;
  tacit_coding coding;
  const void *bytes;
  size_t byte_count;
  uint64_t offset;          /* in the original */
  double bits;              /* that it cost */
  /* Tokens only; zero for a segment. */
  int32_t symbol;
  uint32_t lane;            /* strip of its block that the model coded, from 0 on */
  uint64_t order;           /* ascends in the order in which tokens were coded: one of each lane, then the
                               next of each */
  double probability;       /* that it was coded with: 2^-bits */
  double model_probability; /* by the model's softmax */
  double model_weight;      /* posterior of the model without experts, against it with them; contract 1: 1 */
  const tacit_alternative *alternatives; /* the likeliest other tokens, as they would have been coded */
  size_t alternative_count;              /* at most 5 */
  const tacit_share *experts;  /* parts in the probability that experts and model together gave the token */
  size_t expert_count;
  const tacit_share *samplers; /* posterior of what the text was drawn with, before the token */
  size_t sampler_count;
} tacit_span;

/* Nonzero: stop with TACIT_CANCELLED. */
typedef int (*tacit_span_function)(void *context, const tacit_span *span);

/* Decodes a text, and calls `receive` with all its spans in order. The input is an archive where `is_archive` is
 * nonzero or where it begins as archives do; any other input is compressed in memory first, with all of `options`, and
 * then decoded. `info` may be NULL: what tacit_info_buffer says of the archive; set before the first call of `receive`.
 * Errors: as of decompression and compression; spans that came before an error are right. */
TACIT_API tacit_status tacit_inspect_buffer(const tacit_options *options, const void *input, size_t input_bytes,
                                            int is_archive, tacit_span_function receive, void *context,
                                            tacit_archive_info *info);

/* ---- Looking at a model ---------------------------------------------------------------------------------------- */

/* Called once per position, ascending, with the vocabulary_size logits of the token after it. Nonzero: stop. */
typedef int (*tacit_logits_function)(void *context, size_t position, const float *logits);

/* Logits of the numeric contract for each position of one sequence, as they are coded with: nothing is added in
 * front (pass BOS yourself). Of `options`, the model, threads, kernel_set and window are used; window 0 means full
 * attention over the sequence here. */
TACIT_API tacit_status tacit_logits(const tacit_options *options, const int32_t *ids, size_t id_count,
                                    tacit_logits_function receive, void *context);

/* Called with the bytes of each new token, and with "\n\n" between two texts. Nonzero: stop. */
typedef int (*tacit_text_function)(void *context, const char *text, size_t text_bytes);

/* Draws `token_count` tokens after `prompt`. With `stop_at_eos` nonzero EOS ends it, and BOS is never drawn. Otherwise
 * another text begins where either is drawn (and counted), after a blank line and with a fresh context, without the
 * prompt. */
TACIT_API tacit_status tacit_generate(const tacit_options *options, const tacit_sampler *sampler, const void *prompt,
                                      size_t prompt_bytes, size_t token_count, int stop_at_eos,
                                      tacit_text_function receive, void *context);

/* The kernel sets that this machine can run, best first: "avx512,avx2,reference"; on aarch64 "dotprod,neon,reference".
 * Static. */
TACIT_API const char *tacit_kernel_sets(void);

/* ---- Output files ---------------------------------------------------------------------------------------------- */

/* A file that appears at its path complete and synced, or not at all, as those of tacit_compress_file do. Until it is
 * committed it is PATH.PID-N.tmp, in the same folder. A device or a pipe is written to directly. One output may not be
 * used by two threads at a time. */
typedef struct tacit_output tacit_output;

/* `overwrite` zero: what is at `path` stays, also where it comes there before the commit, and that is a TACIT_IO.
 * Errors: TACIT_IO. */
TACIT_API tacit_status tacit_output_open(const char *path, int overwrite, tacit_output **output);
/* Errors: TACIT_IO. */
TACIT_API tacit_status tacit_output_write(tacit_output *output, const void *data, size_t data_bytes);
/* Syncs the file, gives it its name, and syncs the folder. Only tacit_output_close may follow. Errors: TACIT_IO. */
TACIT_API tacit_status tacit_output_commit(tacit_output *output);
/* Removes what was not committed. NULL is fine. */
TACIT_API void tacit_output_close(tacit_output *output);

/* Async-signal-safe: removes the temporary files of all outputs that are not complete, of tacit_output_open and of
 * tacit_*_file; of more than 64 at a time, those of 64. For a client's signal handler, just before the
 * process ends. */
TACIT_API void tacit_remove_unfinished_outputs(void);

#ifdef __cplusplus
}
#endif

#endif
