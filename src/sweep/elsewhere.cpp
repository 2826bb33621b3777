// A sweep whose runs other programs start, on one machine or many: their folders say how they stand.
#include <unistd.h>

#include <filesystem>

#include "bn/sweep.hpp"
#include "run/folder_lock.hpp"
#include "sweep/run_state.hpp"
#include "sweep/table.hpp"
#include "system/files.hpp"
#include "system/terminal.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFileWidth = 120;

// A run whose folder has no locks counts as waiting. A sweep that is running writes its own record, and knows more.
void inspect(Sweep& sweep, const SweepOptions& options, std::vector<LogTail>& tails) {
  create_folder(options.folder);
  check_record(sweep, options);
  inspect_runs(sweep, options, tails);
  for (SweepRun& run : sweep.runs) {
    if (run.state == RunState::kPending && is_locked(folder_of(run, options))) run.state = RunState::kRunning;
  }
  for (SweepRun& run : sweep.runs) {
    if (run.same_as) run.state = sweep.runs[*run.same_as].state;
  }
  // How a sweep stands may be asked also by who may only read its folder.
  const bool is_writable = access(options.folder.c_str(), W_OK) == 0;
  if (is_writable && !is_locked(options.folder)) write_record(sweep, options, tails);
}

}  // namespace

std::vector<std::vector<std::string>> train_commands(Sweep& sweep, const SweepOptions& options) {
  std::vector<LogTail> tails;
  inspect(sweep, options, tails);
  std::vector<std::vector<std::string>> commands;
  for (SweepRun run : sweep.runs) {
    if (run.same_as) continue;
    run.config_path = fs::absolute(run.config_path).lexically_normal();
    commands.push_back(train_command(run, options));
  }
  return commands;
}

std::string describe_progress(Sweep& sweep, const SweepOptions& options) {
  std::vector<LogTail> tails;
  inspect(sweep, options, tails);
  std::vector<RunProgress> progress;
  std::vector<RunSize> sizes;
  DataSizes data;
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    progress.push_back(tails[i].update());
    sizes.push_back(data.of(sweep.runs[i].config));
  }
  return render_table({.sweep = sweep, .progress = progress, .sizes = sizes, .jobs = options.jobs}, TableScope::kAll,
                      static_cast<size_t>(output_columns(kFileWidth)));
}

}  // namespace bn
