// SPDX-License-Identifier: MIT
// Help texts. The options of a command are listed by CLI11 from their descriptions in option_groups.cpp.
#include "help.h"

#include <array>

namespace tacit::cli {
namespace {

constexpr std::array<CommandEntry, 10> kCommands = {{
    {Command::kCompress, "compress", "[OPTION]... [FILE]...", "store FILE as FILE.tct"},
    {Command::kDecompress, "decompress", "[OPTION]... [FILE.tct]...", "restore FILE from FILE.tct"},
    {Command::kCat, "cat", "[OPTION]... [--record N[-M]] [FILE.tct]...", "write a text, or some of its records"},
    {Command::kTest, "test", "[OPTION]... [FILE.tct]...", "decode and check, write nothing"},
    {Command::kInfo, "info", "[--json] [FILE.tct]... | -m MODEL", "model, sizes, ratio, bits per token; or a model"},
    {Command::kEval, "eval", "[OPTION]... --tokens IDS.json", "logits of a token sequence, or their hash"},
    {Command::kTokenize, "tokenize", "[OPTION]... [FILE]", "token ids of a text"},
    {Command::kGenerate, "generate", "[OPTION]...", "text drawn from a model"},
    {Command::kInspect, "inspect", "[OPTION]... [FILE]", "what each token of a text costs, and why"},
    {Command::kModels, "models", "[--json] [PATH]...", "the models that this machine has"},
}};

constexpr std::string_view kUsage =
    R"(tacit stores text that language models wrote, without loss.

Usage: tacit [-d | -t] [OPTION]... [FILE]...
       tacit COMMAND [OPTION]... [FILE]...

Without a command, tacit compresses; -d decompresses, -t tests. No FILE, or -,
is standard input. Sources are kept.

Commands (tacit COMMAND --help lists the options):
)";

constexpr std::string_view kExamples = R"(
Examples:
  tacit chat.txt                     writes chat.txt.tct
  tacit -d chat.txt.tct              writes chat.txt
  tacit -m model.gguf -c < in > out  another model, through pipes
  tacit info chat.txt.tct            what is in it
  tacit compress --records log.jsonl each line can be read by itself:
  tacit cat log.jsonl.tct --record 7

Exit codes:
  0  done
  1  the data is damaged, or a check failed
  2  wrong usage
  3  the model needed is not here
  4  reading or writing failed, or memory ran out
)";

constexpr std::size_t kNameColumn = 14;
constexpr std::size_t kOptionColumn = 28;

// CLI11's option list without its own usage line.
class OptionList : public CLI::Formatter {
 public:
  OptionList() { column_width(kOptionColumn); }
  std::string make_usage(const CLI::App*, std::string) const override { return ""; }
  std::string make_description(const CLI::App*) const override { return ""; }
  // The nine levels are listed once.
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    const std::string name = CLI::Formatter::make_option_name(option, is_positional);
    return name == "-1" ? "-1 to -9" : name;
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_name();
    return type.empty() ? "" : " " + type;
  }
};

}  // namespace

const CommandEntry* find_command(std::string_view name) {
  for (const CommandEntry& entry : kCommands) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::string main_help() {
  std::string text(kUsage);
  for (const CommandEntry& entry : kCommands) {
    text.append("  ").append(entry.name).append(kNameColumn - entry.name.size(), ' ').append(entry.summary) += '\n';
  }
  return text.append(kExamples);
}

std::string command_help(const CommandEntry& entry, const CLI::App& app) {
  std::string text = "Usage: tacit ";
  text.append(entry.name).append(" ").append(entry.arguments).append("\n\n");
  text.append(entry.summary).append("\n");
  text += OptionList().make_help(&app, "", CLI::AppFormatMode::Normal);
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace tacit::cli
