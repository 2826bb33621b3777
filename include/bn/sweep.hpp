// A sweep: configurations x overrides x seeds. Each run is a child process with a folder of its own. The run folders
// alone say what has been done, so a sweep that was killed anywhere continues where it was.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bn/config.hpp"

namespace bn {

enum class RunState { kPending, kRunning, kFinished, kDiverged, kCrashed, kInterrupted };
const char* name_of(RunState state);
inline bool is_done(RunState state) { return state == RunState::kFinished || state == RunState::kDiverged; }

struct SweepRun {
  std::string arm{};  // "bn_x5", "bn_x5-l2=0": the runs that differ in their seed alone
  std::string config_path{};
  std::vector<std::string> overrides{};  // arguments of --set, without the seed
  Config config{};                       // resolved; threads 0 = its share of the machine
  std::string folder{};                  // below the sweep's
  std::optional<size_t> same_as{};       // an earlier run with the same resolved configuration, done once for both

  RunState state = RunState::kPending;
  int attempts = 0;       // counts those of this sweep's process
  int exit_code = 0;      // of its last attempt
  std::string message{};  // why it crashed
};

struct Sweep {
  std::string name{}, path{}, text{};                  // `text`: the file's
  std::string baseline{};                              // the arm that others are compared with
  int64_t training_images = 0, validation_images = 0;  // used to plan a sweep where the data are not at hand
  // All arms with the first seed, then with the next, so that early comparisons are in pairs.
  std::vector<SweepRun> runs{};
};

// Reads the file and resolves every run; `overrides` go over all of them, as after --set. Throws ConfigError:
// "sweep.yaml:3:5: configs[0]: cannot read ...".
Sweep load_sweep(const std::string& path, const std::vector<std::string>& overrides = {});

struct SweepOptions {
  std::string folder{};
  std::vector<std::string> program{};  // the words before `train`
  int64_t jobs = 1;
  int64_t cores = 1;                                // divided among the jobs
  std::chrono::milliseconds lock_patience{10'000};  // a run that a killed sweep left behind may take so long to end
  std::function<bool()> stop{};                     // asked several times a second; true = save and end
};
struct SweepResult {
  bool interrupted = false;
  bool storage_failed = false;  // there are crashed runs, and each ended with ExitCode::kStorage
  int64_t finished = 0, diverged = 0, crashed = 0, left = 0;  // runs
};

// Writes FOLDER/sweep.json after each change. Throws before the first step: StorageError (folder in use, unwritable),
// DataError, ConfigError (a run folder holds another configuration); and ConfigError when the sweep's files change.
SweepResult run_sweep(Sweep& sweep, const SweepOptions& options);

// For a scheduler that divides the runs among machines over one shared folder. Each writes FOLDER/sweep.json, unless a
// sweep is running there. Throws as run_sweep() does before its first step.
//
// The command that trains or continues each run, in the order of the runs; one that is the same as an earlier one has
// none. Its words do not depend on what has been done.
std::vector<std::vector<std::string>> train_commands(Sweep& sweep, const SweepOptions& options);
// The table of the runs, from their folders; other processes may be training into them.
std::string describe_progress(Sweep& sweep, const SweepOptions& options);

// Describes the runs that are left: arms, epochs, and the time they take, from a few measured steps. Changes nothing.
std::string describe_plan(Sweep& sweep, const SweepOptions& options);

}  // namespace bn
