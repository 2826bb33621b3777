// The subcommands of bn-data. Each registers itself and sets exit_code when it runs.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "bn/error.hpp"
#include "packing/pack.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"

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
  const auto number_of = [words](std::string& word) -> std::string {
    std::vector<std::string> all;
    for (const auto& [known, meaning] : words) {
      all.push_back(known);
      if (lower_case(word) != known) continue;
      word = std::to_string(static_cast<int>(meaning));  // as CLI11 reads an enum
      return "";
    }
    return fmt::format("'{}' is none of {}", word, fmt::join(all, ", "));
  };
  command.add_option(name, value, help)->transform(CLI::Validator(number_of, ""))->option_text("TEXT");
}

// Writes to standard output: on a terminal without what would command it, for a file's name may hold anything.
template <class... Values>
void say(fmt::format_string<Values...> format, Values&&... values) {
  print(fmt::format(format, std::forward<Values>(values)...));
}

// A line on the error stream, now and then: images done, images a second, time left. Ends it when it goes.
class ProgressReport {
 public:
  explicit ProgressReport(const char* verb) : verb_(verb) {}
  void show(const PackProgress& progress);
  void show_bytes(int64_t done, int64_t total);

 private:
  bool is_due() { return line_.is_due(0.5, 10); }

  const char* verb_;
  LiveLine line_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace bn
