/* SPDX-License-Identifier: MIT
 * The public header compiles alone as C11, and a C program can do with it what it is for: set options, compress,
 * look at the archive, decompress, read an error. Prints what failed; exit code 0 where all is well. */
#include <tacit/tacit.h>

#include <stdio.h>
#include <string.h>

static int failures = 0;

static void check(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "failed: %s (last error: %s)\n", what, tacit_last_error());
  ++failures;
}

static int count_calls(void *context, const tacit_progress *progress) {
  check(progress->original_bytes_done <= progress->original_bytes_total, "progress stays below its total");
  ++*(int *)context;
  return 0;
}

static int count_models(void *context, const tacit_found_model *model) {
  check(model->path != NULL || strlen(model->fingerprint) == 64, "the built-in model has a fingerprint");
  ++*(int *)context;
  return 0;
}

static void round_trip(const tacit_options *options, const char *text, size_t text_bytes) {
  void *archive = NULL;
  size_t archive_bytes = 0;
  check(tacit_compress_buffer(options, text, text_bytes, &archive, &archive_bytes) == TACIT_OK, "compress");

  tacit_archive_info info;
  tacit_archive_info_init(&info);
  check(tacit_info_buffer(archive, archive_bytes, &info) == TACIT_OK, "info");
  check(info.original_bytes == text_bytes && info.archive_bytes == archive_bytes, "sizes of the archive");

  void *back = NULL;
  size_t back_bytes = 0;
  check(tacit_decompress_buffer(options, archive, archive_bytes, &back, &back_bytes) == TACIT_OK, "decompress");
  check(back_bytes == text_bytes && back != NULL && memcmp(back, text, text_bytes) == 0, "the same bytes");
  tacit_free(back);
  tacit_free(archive);
}

int main(void) {
  static const char text[] = "A C program compresses this sentence, and gets it back.";
  check(tacit_version()[0] != '\0', "a version");
  check(strstr(tacit_kernel_sets(), "reference") != NULL, "the reference kernels");

  tacit_model *model = NULL;
  check(tacit_model_open_builtin(&model) == TACIT_OK, "the built-in model");
  tacit_model_info model_info;
  tacit_model_info_init(&model_info);
  check(tacit_model_get_info(model, &model_info) == TACIT_OK && strlen(model_info.fingerprint) == 64, "model info");

  int calls = 0;
  tacit_options options;
  tacit_options_init(&options);
  options.model = model;
  options.progress = count_calls;
  options.progress_context = &calls;
  round_trip(&options, text, sizeof(text) - 1);
  check(calls > 0, "progress was reported");
  round_trip(NULL, "", 0);

  int models = 0;
  check(tacit_models_list(NULL, 0, count_models, &models) == TACIT_OK && models > 0, "the models of this machine");
  tacit_model *same = NULL;
  check(tacit_model_find(model_info.fingerprint, &same) == TACIT_OK, "a model by its fingerprint");
  tacit_model_close(same);

  tacit_model *none = NULL;
  check(tacit_model_open(NULL, &none) == TACIT_USAGE && tacit_last_error()[0] != '\0', "NULL is refused with a reason");
  tacit_model_close(none);
  tacit_model_close(model);
  return failures == 0 ? 0 : 1;
}
