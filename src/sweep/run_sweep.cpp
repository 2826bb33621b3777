// The loop of a sweep: starts child processes while there are free places, watches their logs, records how they end.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <thread>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "bn/sweep.hpp"
#include "run/folder_lock.hpp"
#include "sweep/run_state.hpp"
#include "sweep/table.hpp"
#include "system/child.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kMostAttempts = 2;
constexpr int kEndedByTerm = 128 + SIGTERM;
constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr auto kShowEvery = std::chrono::seconds(1);

constexpr LockWords kSweepLock{.folder = "sweep folder", .use = "sweeps into it"};

std::string last_line(const std::string& path) {
  std::string text;
  read_file(path, text);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t begin = text.find_last_of("\n\r");
  return begin == std::string::npos ? text : text.substr(begin + 1);
}

std::string describe_exit(int code) {
  return code > 128 ? fmt::format("ended by signal {}", code - 128) : fmt::format("exit code {}", code);
}

class Runner {
 public:
  Runner(Sweep& sweep, const SweepOptions& options) : sweep_(sweep), options_(options) {}
  // An error of the sweep itself ends its runs: all are asked before the first is awaited, so that they save at once.
  ~Runner() {
    for (const Active& active : active_) active.child->ask_to_end();
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  SweepResult run() {
    prepare();
    while (true) {
      if (options_.stop && options_.stop()) stop("");
      reap();
      start_next();
      if (active_.empty()) break;
      if (Clock::now() - shown_ > kShowEvery) {
        check_file();
        show();
      }
      std::this_thread::sleep_for(kPoll);
    }
    record();
    if (!changed_.empty()) throw ConfigError(changed_);
    return result();
  }

 private:
  struct Active {
    size_t index;
    int64_t starts;  // in the log before it was started
    std::unique_ptr<Child> child;
  };

  void prepare() {
    create_folder(options_.folder);
    lock_.emplace(options_.folder, kSweepLock);
    check_record(sweep_, options_);
    inspect_runs(sweep_, options_, tails_);
    for (const SweepRun& run : sweep_.runs) {
      if (!run.same_as) RunFolder(folder_of(run, options_)).expect_no_files_of_others(to_yaml(run.config));
    }
    wait_for_locks();
    tails_.clear();
    inspect_runs(sweep_, options_, tails_);  // again: what was awaited has written since
    DataSizes data;
    for (const SweepRun& run : sweep_.runs) {
      try {
        sizes_.push_back(data.of(run.config));
      } catch (Error& error) {
        error.add_context(fmt::format("{}: arm {}", sweep_.path, run.arm));
        throw;
      }
    }
    record();
  }

  // A run that a killed sweep left behind saves and ends within seconds; any other holder is an error.
  void wait_for_locks() const {
    const auto deadline = Clock::now() + options_.lock_patience;
    for (const SweepRun& run : sweep_.runs) {
      const std::string folder = folder_of(run, options_);
      if (is_done(run.state) || !fs::exists(folder + "/lock")) continue;
      while (true) {
        try {
          const FolderLock probe(folder);
          break;
        } catch (const StorageError&) {
          if (Clock::now() >= deadline) throw;
          std::this_thread::sleep_for(kPoll);
        }
      }
    }
  }

  void start_next() {
    while (!stopping_ && static_cast<int64_t>(active_.size()) < options_.jobs) {
      const std::optional<size_t> index = next();
      if (!index) return;
      check_config(sweep_.runs[*index]);
      if (!stopping_) start(*index);
    }
  }

  void start(size_t index) {
    SweepRun& run = sweep_.runs[index];
    create_folder(folder_of(run, options_));
    active_.push_back(
        {index, tails_[index].update().starts, std::make_unique<Child>(train_command(run, options_), output_of(run))});
    ++run.attempts;
    run.state = RunState::kRunning;
    run.message.clear();
    table_.message(fmt::format("{}: {}", label(index), tails_[index].update().step > 0 ? "continued" : "started"));
    record();
  }

  // An editor may replace the file in two steps, and a network folder be away for a while.
  void check_file() {
    std::string text;
    try {
      const bool is_same = read_file(sweep_.path, text) == ReadResult::kRead && text == sweep_.text;
      changes_seen_ = is_same ? 0 : changes_seen_ + 1;
    } catch (const StorageError&) {
    }
    if (changes_seen_ < 2) return;
    stop(fmt::format(
        "{} was changed while the sweep was running; its runs were saved, start it again to go on with the new plan",
        sweep_.path));
  }

  // The child reads the configuration again: it must still be what was planned.
  void check_config(const SweepRun& run) {
    std::string why;
    try {
      Config now = load_config(run.config_path, run.overrides);
      now.train.seed = run.config.train.seed;
      now.threads = run.config.threads;
      const std::vector<std::string> changes = diff(run.config, now);
      if (changes.empty()) return;
      why = fmt::format("\n  {}", fmt::join(changes, "\n  "));
    } catch (const ConfigError& error) {
      why = fmt::format(" {}", error.what());
    }
    stop(fmt::format("{} was changed while the sweep was running; its runs were saved:{}", run.config_path, why));
  }

  void reap() {
    bool changed = false;
    for (auto active = active_.begin(); active != active_.end();) {
      if (!active->child->has_ended()) {
        ++active;
        continue;
      }
      const size_t index = active->index;
      const int exit_code = active->child->wait();
      const RunProgress& progress = tails_[index].update();
      const bool has_trained = progress.starts > active->starts && progress.has_trained;
      active = active_.erase(active);
      note_end(index, exit_code, has_trained);
      changed = true;
    }
    if (changed) record();
  }

  void note_end(size_t index, int exit_code, bool has_trained) {
    SweepRun& run = sweep_.runs[index];
    const auto code = static_cast<ExitCode>(exit_code);
    run.exit_code = exit_code;
    if (code == ExitCode::kSuccess || code == ExitCode::kDiverged) {
      run.state = code == ExitCode::kSuccess ? RunState::kFinished : RunState::kDiverged;
    } else {
      const bool interrupted = stopping_ || code == ExitCode::kInterrupted;
      run.state = interrupted ? RunState::kInterrupted : RunState::kCrashed;
      const std::string said = last_line(output_of(run));
      // A run may crash while the sweep is stopping, too. One that had just been started dies of the signal itself.
      const bool as_asked = code == ExitCode::kInterrupted || (stopping_ && exit_code == kEndedByTerm && !has_trained);
      if (!as_asked) run.message = describe_exit(exit_code) + (said.empty() ? "" : ", ") + said;
    }
    const bool again = run.state == RunState::kCrashed && run.attempts < kMostAttempts && !stopping_;
    const std::string text = describe_state(run, tails_[index].update());
    if (again) run.state = RunState::kPending;
    table_.message(fmt::format("{}: {}{}", label(index), text, again ? "; it is tried once more" : ""));
  }

  void stop(const std::string& why) {
    if (stopping_) return;
    stopping_ = true;
    changed_ = why;
    for (const Active& active : active_) active.child->ask_to_end();
  }

  void record() {
    for (SweepRun& run : sweep_.runs) {
      if (!run.same_as) continue;
      run.state = sweep_.runs[*run.same_as].state;
      run.exit_code = sweep_.runs[*run.same_as].exit_code;
      run.message = sweep_.runs[*run.same_as].message;
    }
    write_record(sweep_, options_, tails_);
  }

  void show() {
    shown_ = Clock::now();
    std::vector<RunProgress> progress;
    for (LogTail& tail : tails_) progress.push_back(tail.update());
    table_.show({.sweep = sweep_, .progress = progress, .sizes = sizes_, .jobs = options_.jobs});
  }

  // The next run is the first of those tried least: a crashed run comes after all others.
  std::optional<size_t> next() const {
    std::optional<size_t> best;
    for (size_t i = 0; i < sweep_.runs.size(); ++i) {
      const SweepRun& run = sweep_.runs[i];
      if (run.state != RunState::kPending || run.same_as) continue;
      if (!best || run.attempts < sweep_.runs[*best].attempts) best = i;
    }
    return best;
  }

  std::string label(size_t index) const {
    const SweepRun& run = sweep_.runs[index];
    const auto done = std::ranges::count_if(
        sweep_.runs, [](const SweepRun& r) { return is_done(r.state) || r.state == RunState::kCrashed; });
    return fmt::format("[{}/{}] {} seed {}", done, sweep_.runs.size(), run.arm, run.config.train.seed);
  }

  std::string output_of(const SweepRun& run) const { return folder_of(run, options_) + "/output.txt"; }
  SweepResult result() const {
    SweepResult result;
    for (const SweepRun& run : sweep_.runs) {
      ++(run.state == RunState::kFinished   ? result.finished
         : run.state == RunState::kDiverged ? result.diverged
         : run.state == RunState::kCrashed  ? result.crashed
                                            : result.left);
    }
    result.storage_failed =
        result.crashed > 0 && std::ranges::all_of(sweep_.runs, [](const SweepRun& run) {
          return run.state != RunState::kCrashed || run.exit_code == static_cast<int>(ExitCode::kStorage);
        });
    result.interrupted = stopping_ || result.left > 0;  // a run itself may have got a signal
    return result;
  }

  Sweep& sweep_;
  const SweepOptions& options_;
  std::optional<FolderLock> lock_;
  std::vector<LogTail> tails_;
  std::vector<RunSize> sizes_;
  std::vector<Active> active_;
  LiveTable table_;
  Clock::time_point shown_{};
  int changes_seen_ = 0;  // of the sweep's file, in a row
  bool stopping_ = false;
  std::string changed_;  // why it stopped, unless it was asked to
};

}  // namespace

SweepResult run_sweep(Sweep& sweep, const SweepOptions& options) { return Runner(sweep, options).run(); }

}  // namespace bn
