// The subcommands of bninception, and what they share. Each registers itself and sets exit_code when it runs.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/config.hpp"
#include "bn/error.hpp"
#include "bn/group.hpp"

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

// The first column of a table of ops. The name of merged ones is too long for it and has a line of its own.
std::string op_column(const std::string& name);

// --- config_arguments.cpp: commands that start from a configuration share these arguments and the way to its backend

// CONFIG and --set.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> overrides;

  void add_to(CLI::App& command);
  Config load() const;
  // A sentence for each override that a later one of the same key makes void: the user may not have meant it.
  std::vector<std::string> warnings() const;
};

// The backend the configuration asks for; writes the number of threads used back into it. Throws UnsupportedError.
std::unique_ptr<Backend> make_backend(Config& config);
// Likewise in every process of the group, each with a GPU of its own where the device is one. Throws also an
// AgreedError.
std::unique_ptr<Backend> make_backend(Config& config, Group& group);

// --- processes.cpp: commands that several processes run together, as a launcher (mpirun, srun) starts them

// Opens the group of this process and runs work in it. Of an error that all agreed on, the first process writes the
// message; any other error ends all processes, and names this one. A process alone throws what work throws.
ExitCode run_in_group(const std::function<ExitCode(Group&)>& work);

// The number of threads for this process's kernels: `threads`, or where that is 0 and OMP_NUM_THREADS is not set, its
// share of the cores that it may use: processes of one machine with the same cores divide them. The first process warns
// of machines whose cores lie idle.
int64_t shared_threads(Group& group, int64_t threads);

// Warns where srun started several processes that could share the parts of a step but were not told of each other.
void warn_of_separate_tasks(const Group& group, int64_t parts);

// --- signals.cpp: how commands stop when they are asked to

// From now on the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 ends nothing by itself: the function returned says whether
// one came. A SIGINT that comes half a second after it or later ends the program; all other repetitions are the same
// request. SIGPIPE is ignored. To be called before anything is computed: threads that exist already handle signals,
// too.
std::function<bool()> stop_on_signals();
// The same for work that has nothing to save: it ends at the latest a second after the signal.
std::function<bool()> stop_on_signals_within_a_second();

}  // namespace bn
