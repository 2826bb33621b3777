// The subcommands of bninception. Each registers itself and sets exit_code when it runs.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "bn/config.hpp"
#include "bn/error.hpp"

namespace bn {

void add_new_command(CLI::App& app, ExitCode& exit_code);
void add_train_command(CLI::App& app, ExitCode& exit_code);
void add_evaluate_command(CLI::App& app, ExitCode& exit_code);
void add_predict_command(CLI::App& app, ExitCode& exit_code);
void add_export_command(CLI::App& app, ExitCode& exit_code);
void add_convert_command(CLI::App& app, ExitCode& exit_code);
void add_sweep_command(CLI::App& app, ExitCode& exit_code);
void add_profile_command(CLI::App& app, ExitCode& exit_code);
void add_report_command(CLI::App& app, ExitCode& exit_code);
void add_config_command(CLI::App& app, ExitCode& exit_code);

// Explains an option that the command does not have: it may mean a key of the configuration, if the command reads one.
std::string explain_option(const CLI::App& command, const std::string& option, const std::string& value);

// `profile --plan-only` prints the plan of a step on the GPU that the file `device` describes; nothing runs. It throws
// UnsupportedError after printing when that GPU's memory would not suffice.
struct PlanRequest {
  std::string device{};
  bool evaluation = false;
  bool json = false;
};
void print_plan(const Config& config, const PlanRequest& request);

}  // namespace bn
