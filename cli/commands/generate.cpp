// SPDX-License-Identifier: MIT
// generate: text drawn from a model, to standard output as it comes.
#include <unistd.h>

#include "commands/commands.h"
#include "descriptors.h"
#include "engine.h"
#include "messages.h"
#include "output.h"
#include "standard_output.h"

namespace tacit::cli {

ExitCode run_generate(const Request& request) {
  Engine engine(request);
  if (const ExitCode code = engine.open(); code != ExitCode::kDone) return code;
  const tacit_options options = engine.options();
  const GenerateOptions& generate = request.generate;
  Output output{std::string(kStandardStream)};
  const tacit_status status =
      tacit_generate(&options, &request.sampler, generate.prompt.data(), generate.prompt.size(), generate.token_count,
                     generate.stop_at_eos ? 1 : 0, Output::write_text, &output);
  if (output.failure().code != ExitCode::kDone) return report(output.failure());
  if (status != TACIT_OK) return fail(exit_code_of(status), library_message("generate", status));
  // The shell's next prompt should not stand behind the text. Elsewhere the text is left as it was drawn.
  return ::isatty(kStandardOutput) != 0 ? write_output("\n") : ExitCode::kDone;
}

}  // namespace tacit::cli
