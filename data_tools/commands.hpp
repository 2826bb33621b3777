// The subcommands of bn-data. Each registers itself and sets exit_code when it runs.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>

#include "bn/error.hpp"

namespace bn {

void add_shapes_command(CLI::App& app, ExitCode& exit_code);
void add_pack_command(CLI::App& app, ExitCode& exit_code);
void add_verify_command(CLI::App& app, ExitCode& exit_code);
void add_stats_command(CLI::App& app, ExitCode& exit_code);
void add_throughput_command(CLI::App& app, ExitCode& exit_code);

// An option whose value is one of these words.
template <class Value>
void add_choice(CLI::App& command, const char* name, Value& value, const char* help,
                const std::map<std::string, Value>& words) {
  command.add_option(name, value, help)
      ->transform(CLI::CheckedTransformer(words, CLI::ignore_case))
      ->option_text("TEXT");
}

// Writes to standard output.
template <class... Values>
void say(fmt::format_string<Values...> format, Values&&... values) {
  std::fputs(fmt::format(format, std::forward<Values>(values)...).c_str(), stdout);
}

}  // namespace bn
