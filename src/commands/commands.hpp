// The subcommands of bninception. Each registers itself and sets exit_code when it runs.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
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

// The arguments that commands which start from a configuration share: CONFIG and --set.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> overrides;

  void add_to(CLI::App& command);
  Config load() const;
  // A sentence for each override that a later one of the same key makes void: the user may not have meant it.
  std::vector<std::string> warnings() const;
};

// `profile --plan-only` prints the plan of a step on the GPU that the file `device` describes; nothing runs. It throws
// UnsupportedError after printing when that GPU's memory would not suffice.
struct PlanRequest {
  std::string device{};
  bool evaluation = false;
  bool json = false;
};
void print_plan(const Config& config, const PlanRequest& request);

// The backend the configuration asks for; writes the number of threads used back into it. Throws UnsupportedError.
std::unique_ptr<Backend> make_backend(Config& config);

// Explains an option that the command does not have: it may mean a key of the configuration, if the command reads one.
std::string explain_option(const CLI::App& command, const std::string& option, const std::string& value);

// From now on the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 ends nothing by itself: the function returned says whether
// one came. A second one ends the program. SIGPIPE is ignored.
std::function<bool()> stop_on_signals();
// The same for work that has nothing to save: it ends at the latest a second after the signal.
std::function<bool()> stop_on_signals_within_a_second();

}  // namespace bn
