// The two programs share how they treat their command lines: help, versions, and the words for a mistake in them.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <vector>

#include "bn/error.hpp"

namespace bn {

// "Exit codes:" and a line for each.
std::string exit_code_help(const std::vector<ExitCode>& codes);

// Breaks the help texts of the app and its commands into lines that a terminal shows whole.
void wrap_help(CLI::App& app);

// The text as a shell reads it back: quoted where it must be.
std::string shell_word(const std::string& text);

struct ProgramOptions {
  std::string error_prefix;  // begins each line on the error stream: "error"
  // Tells what the user may have meant by an option that `command` does not have, such as "--epochs" with "5" after it
  // ("" if nothing is); "" when that is not known.
  std::function<std::string(const CLI::App& command, const std::string& option, const std::string& value)>
      explain_option = {};
};

// Parses the command line and runs the command that it names, which sets exit_code. `help COMMAND` is `COMMAND --help`.
// Writes every error, and returns the program's exit code.
int run_command_line(CLI::App& app, int argc, const char* const* argv, const ExitCode& exit_code,
                     const ProgramOptions& options);

}  // namespace bn
