// The subcommands of bn-data. Each registers itself and sets exit_code when it runs.
#pragma once

#include <CLI/App.hpp>

#include "bn/error.hpp"
#include "packing/pack.hpp"

namespace bn {

void add_shapes_command(CLI::App& app, ExitCode& exit_code);
void add_pack_command(CLI::App& app, ExitCode& exit_code);
void add_verify_command(CLI::App& app, ExitCode& exit_code);
void add_stats_command(CLI::App& app, ExitCode& exit_code);
void add_throughput_command(CLI::App& app, ExitCode& exit_code);

// A line on the error stream, now and then: images done, images a second, time left. Ends it when it goes.
class ProgressReport {
 public:
  explicit ProgressReport(const char* verb);
  ~ProgressReport();
  ProgressReport(const ProgressReport&) = delete;
  ProgressReport& operator=(const ProgressReport&) = delete;
  void show(const PackProgress& progress);
  void show_bytes(int64_t done, int64_t total);

 private:
  bool is_due();
  void print(const std::string& line);

  const char* verb_;
  bool on_terminal_;
  bool shown_ = false;
  double start_, last_ = 0;
};

}  // namespace bn
