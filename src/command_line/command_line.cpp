#include "command_line/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>
#include <utility>

#include "system/files.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

using Words = std::vector<std::string>;

bool is_option(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

Words without_dashes(Words words) {
  for (std::string& word : words) word.erase(0, word.find_first_not_of('-'));
  return words;
}

[[noreturn]] void refuse(const std::string& message) { throw Error(ExitCode::kUsage, message); }

// The words have named this command so far.
struct Command {
  const CLI::App* app;
  std::string name;   // "bninception config"
  std::string words;  // "config", as after `help`

  std::vector<const CLI::App*> commands() const {
    return app->get_subcommands([](const CLI::App*) { return true; });
  }
  std::string help() const { return fmt::format("`{} --help`", name); }
};

[[noreturn]] void refuse_unknown_command(const Command& command, const std::string& word) {
  Words names;
  for (const CLI::App* each : command.commands()) names.push_back(each->get_name());
  const std::string prefix = command.words.empty() ? "" : command.words + " ", near = nearest(word, names);
  const std::string list =
      fmt::format("commands{} are: {}", command.words.empty() ? "" : " of " + command.words, join(names));
  refuse(near.empty()
             ? fmt::format("unknown command '{}{}'; the {}", prefix, word, list)
             : fmt::format("unknown command '{}{}'; did you mean '{}{}'? The {}", prefix, word, prefix, near, list));
}

[[noreturn]] void refuse_missing_command(const Command& command) {
  std::string list;
  for (const CLI::App* each : command.commands()) {
    std::string description = each->get_description();
    std::ranges::replace(description, '\n', ' ');
    list += "\n" + wrap(fmt::format("  {:<10}  {}", each->get_name(), description), kTerminalWidth, 12);
  }
  const std::string of = command.words.empty() ? "" : " of " + command.words;
  refuse(fmt::format("a command{} is missing; there are:{}\n{} tells more", of, list, command.help()));
}

Command find_command(const CLI::App& app, const Words& words) {
  Command command{.app = &app, .name = app.get_name(), .words = ""};
  for (const std::string& word : words) {
    const std::vector<const CLI::App*> commands = command.commands();
    if (commands.empty() || is_option(word)) return command;
    const auto named = std::ranges::find_if(commands, [&](const CLI::App* each) { return each->get_name() == word; });
    if (named == commands.end()) refuse_unknown_command(command, word);
    command = {*named, command.name + " " + word, command.words + (command.words.empty() ? "" : " ") + word};
  }
  if (!command.commands().empty()) refuse_missing_command(command);
  return command;
}

// The value that an option which nobody knows was given: nobody can tell it from an argument of the command, except
// when there is a word too many.
std::string value_after(const std::string& option, const Words& words, const Words& left_over) {
  const bool has_word_too_many =
      std::ranges::any_of(left_over, [](const std::string& word) { return !is_option(word); });
  const auto place = std::ranges::find(words, option);
  const bool has_next = has_word_too_many && place != words.end() && place + 1 != words.end() && !is_option(place[1]);
  return has_next ? place[1] : "";
}

[[noreturn]] void refuse_unknown_option(const Command& command, const std::string& word, const Words& words,
                                        const Words& left_over, const ProgramOptions& options) {
  const size_t equals = word.find('=');
  const std::string option = word.substr(0, equals);
  const std::string value = equals == std::string::npos ? value_after(word, words, left_over) : word.substr(equals + 1);
  const std::string message = fmt::format("unknown option '{}'; ", option);
  const std::string explanation = options.explain_option ? options.explain_option(*command.app, option, value) : "";
  if (!explanation.empty()) refuse(message + explanation);
  Words names;
  for (const CLI::Option* known : command.app->get_options([](const CLI::Option*) { return true; })) {
    names.insert(names.end(), known->get_lnames().begin(), known->get_lnames().end());
  }
  const std::string near = nearest(without_dashes({option}).front(), names);
  refuse(message + (near.empty() ? command.help() + " lists the options" : fmt::format("did you mean '--{}'?", near)));
}

[[noreturn]] void refuse_left_over(const Command& command, const Words& words, const Words& left_over,
                                   const ProgramOptions& options) {
  const auto option = std::ranges::find_if(left_over, is_option);
  if (option != left_over.end()) refuse_unknown_option(command, *option, words, left_over, options);
  refuse(fmt::format("unexpected argument '{}'; {} tells what the command takes", left_over.front(), command.help()));
}

// An option whose value is empty, as a shell's unset variable leaves it, is not one that was left out.
void refuse_empty_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options([](CLI::Option*) { return true; })) {
    if (option->get_positional()) continue;  // a command names the argument that it cannot use
    option->check([](const std::string& value) { return value.empty() ? "the value is empty" : ""; }, "");
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) refuse_empty_values(*command);
}

void parse(CLI::App& app, Words words, const ProgramOptions& options) {
  const bool asks_for_help = !words.empty() && words.front() == "help";
  if (asks_for_help) {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  const Command command = find_command(app, words);
  try {
    app.parse(Words(words.rbegin(), words.rend()));  // CLI11 takes the words from the end
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help or --version
      expect_open_output();
      throw;
    }
    const Words left_over = app.remaining(true);
    // A word that was not understood may have been meant to give what CLI11 misses, so it is told first.
    const bool is_count = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                          dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    if (is_count && !left_over.empty()) refuse_left_over(command, words, left_over, options);
    refuse(fmt::format("{}; {} tells what the command takes", error.what(), command.help()));
  }
}

// --- help

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

int run_command_line(CLI::App& app, int argc, const char* const* argv, const ExitCode& exit_code,
                     const ProgramOptions& options) {
  const auto tells = [&](const std::string& message, ExitCode code) {
    tell(fmt::format("{}: {}\n", options.error_prefix, message));
    return static_cast<int>(code);
  };
  const auto fails = [&](const std::exception& error, ExitCode code) { return tells(error.what(), code); };
  std::signal(SIGCHLD, SIG_DFL);  // where whoever started this program ignores it, no child could be awaited
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error of write(), as a full disk is
  app.description(wrap(app.get_description(), kTerminalWidth));
  refuse_empty_values(app);
  wrap_help(app);
  const auto written = [&](int code) {
    if (std::cout.flush() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    return code != 0 ? code : fails(StorageError("cannot write standard output"), ExitCode::kStorage);
  };
  try {
    parse(app, Words(argv + std::min(argc, 1), argv + argc), options);
    return written(static_cast<int>(exit_code));
  } catch (const CLI::ParseError& asked) {
    return written(app.exit(asked));
  } catch (const Error& error) {
    return fails(error, error.exit_code());
  } catch (const std::bad_alloc&) {
    return tells(
        "the system gives this program no more memory; it may be limited by ulimit -v, a container or a job's request",
        ExitCode::kUnsupported);
  } catch (const std::filesystem::filesystem_error& error) {
    return fails(error, tells_of_the_file(error.code().value()) ? ExitCode::kFailure : ExitCode::kStorage);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) return fails(error, ExitCode::kFailure);
    return tells(
        "the system starts no more threads for this program; their number or their memory may be limited by ulimit -u, "
        "ulimit -v, a container or a job's request",
        ExitCode::kUnsupported);
  } catch (const std::exception& error) {
    return fails(error, ExitCode::kFailure);
  }
}

}  // namespace bn
