#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "command_line/command_line.hpp"
#include "system/terminal.hpp"

namespace bn {
namespace {

constexpr size_t kNameColumn = 30;  // where CLI11 starts the descriptions of options and commands

constexpr std::pair<ExitCode, const char*> kMeanings[] = {
    {ExitCode::kSuccess, "success"},
    {ExitCode::kFailure, "unexpected failure"},
    {ExitCode::kUsage, "bad command line"},
    {ExitCode::kConfig, "bad configuration file or value"},
    {ExitCode::kData, "missing or damaged data"},
    {ExitCode::kCheckpoint, "missing, damaged or mismatching checkpoint"},
    {ExitCode::kUnsupported, "this machine or build cannot do what was asked"},
    {ExitCode::kStorage, "cannot write (disk full, permissions), or a disk failed"},
    {ExitCode::kDiverged,
     "not finite: a loss or parameter in training (recorded in the run's log), or a network's output"},
    {ExitCode::kInterrupted, "interrupted; training wrote a checkpoint, continue with --resume"},
    {ExitCode::kPeerLost, "another process of this run ended or cannot be reached; continue with --resume"},
};

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
  for (const auto& [code, meaning] : kMeanings) {
    if (std::ranges::find(codes, code) != codes.end())
      text += fmt::format("\n  {}  {}", static_cast<int>(code), meaning);
  }
  return text;
}

std::string shell_word(const std::string& text) {
  const bool is_plain = std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-+=:,./@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (is_plain && !text.empty()) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
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
