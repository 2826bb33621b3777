#include <fmt/format.h>

#include "command_line/command_line.hpp"
#include "core/terminal.hpp"

namespace bn {
namespace {

constexpr size_t kNameColumn = 30;  // where CLI11 starts the descriptions of options and commands

const char* meaning_of(ExitCode code) {
  switch (code) {
    case ExitCode::kSuccess:
      return "success";
    case ExitCode::kFailure:
      return "unexpected failure";
    case ExitCode::kUsage:
      return "bad command line";
    case ExitCode::kConfig:
      return "bad configuration file or value";
    case ExitCode::kData:
      return "missing or damaged data";
    case ExitCode::kCheckpoint:
      return "missing, damaged or mismatching checkpoint";
    case ExitCode::kUnsupported:
      return "this machine or build cannot do what was asked";
    case ExitCode::kStorage:
      return "cannot write (disk full, permissions), or a disk failed";
    case ExitCode::kDiverged:
      return "not finite: a loss or parameter in training (recorded in the run's log), or a network's output";
    case ExitCode::kInterrupted:
      return "interrupted; training wrote a checkpoint, continue with --resume";
    case ExitCode::kPeerLost:
      return "another process of this run ended or cannot be reached; continue with --resume";
  }
  return "";
}

// The commands' notes were broken for another width: a line that follows another one without an indent goes on with it.
std::string joined_lines(std::string text) {
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    const bool goes_on = text[i - 1] != '\n' && text[i + 1] != '\n' && text[i + 1] != ' ';
    if (text[i] == '\n' && goes_on) text[i] = ' ';
  }
  return text;
}

}  // namespace

std::string exit_code_help(const std::vector<ExitCode>& codes) {
  std::string text = "Exit codes:";
  for (const ExitCode code : codes) text += fmt::format("\n  {}  {}", static_cast<int>(code), meaning_of(code));
  return text;
}

void wrap_help(CLI::App& app) {
  const size_t description_width = kTerminalWidth - kNameColumn;
  app.footer(wrap(joined_lines(app.get_footer()), kTerminalWidth));
  for (CLI::Option* option : app.get_options([](CLI::Option*) { return true; })) {
    option->description(wrap(option->get_description(), description_width));
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    command->description(wrap(command->get_description(), description_width));
    wrap_help(*command);
  }
}

}  // namespace bn
