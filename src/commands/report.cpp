#include "bn/report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <optional>

#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/exchange.hpp"
#include "bn/run_folder.hpp"
#include "commands/commands.hpp"
#include "commands/trained_model.hpp"
#include "system/files.hpp"
#include "system/terminal.hpp"

namespace bn {
namespace {

struct ReportArguments {
  ReportOptions report;
  std::string tensorboard;  // a folder for event files: the report's inputs, a folder for each run
  bool follow = false;      // until all runs have ended
};

namespace fs = std::filesystem;

fs::path whole(const std::string& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  return normal.filename().empty() ? normal.parent_path() : normal;
}

// The folder that holds all sweeps and runs. A run's name in TensorBoard is its path below this folder.
fs::path folder_of_all(const std::vector<std::string>& inputs) {
  std::vector<fs::path> folders;
  for (const std::string& input : inputs) {
    folders.push_back(fs::exists(input + "/sweep.json") ? whole(input) : whole(input).parent_path());
  }
  return common_folder(folders);
}

// A sweep may name runs elsewhere.
std::string name_below(const fs::path& root, const fs::path& folder) {
  const fs::path below = folder.lexically_relative(root);
  return below.begin() != below.end() && *below.begin() != ".." ? below.string() : folder.relative_path().string();
}

// The filters of the best checkpoint.
std::vector<TensorBoardPicture> pictures_of(const std::string& run) {
  if (!fs::exists(RunFolder(run).best_path())) return {};
  try {
    TrainedModel model = read_model(run, "best");
    const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
    load_parameters(model, *backend);
    const std::optional<std::string> picture = picture_of_first_filters(model);
    if (!picture) return {};
    return {{.tag = "first_filters", .step = model.info.progress.step, .png = *picture}};
  } catch (const StorageError&) {
    throw;
  } catch (const Error& error) {
    tell(fmt::format("{}: without a picture of its filters: {}\n", run, error.what()));
    return {};
  }
}

struct FollowedRun {
  std::string log;
  TensorBoardFile file;
  std::pair<int64_t, double> seen{};  // the log's size and the time of its last change
  bool has_ended = false;
};

std::pair<int64_t, double> state_of(const std::string& path) {
  constexpr double kNanoseconds = 1e-9;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  return {status.st_size,
          static_cast<double>(status.st_mtim.tv_sec) + kNanoseconds * static_cast<double>(status.st_mtim.tv_nsec)};
}

FollowedRun open_run(const std::string& run, const std::string& folder) {
  const RunFolder files(run);
  TensorBoardRun shown;
  const std::vector<LogRecord> log = read_log(files.log_path());
  const double seconds = log.empty() ? 0 : log.back().seconds.value_or(0);
  shown.start = state_of(files.log_path()).second - seconds;
  if (const std::optional<std::string> config = files.stored_config()) {
    shown.hyperparameters = values_of(parse_config(*config, files.config_path()));
  }
  shown.pictures = pictures_of(run);
  return {.log = files.log_path(), .file = TensorBoardFile(folder, shown)};
}

void update_events(FollowedRun& run) {
  const std::pair<int64_t, double> state = state_of(run.log);
  if (state == run.seen) return;
  const std::vector<LogRecord> log = read_log(run.log);
  run.file.update(log);
  run.seen = state;
  run.has_ended = !log.empty() && (log.back().event == "end" || log.back().event == "diverged");
}

class FollowedRuns {
 public:
  explicit FollowedRuns(const ReportArguments& arguments)
      : arguments_(arguments), root_(folder_of_all(arguments.report.inputs)) {}

  // Writes what is new. True if all runs have ended.
  bool update() {
    bool all_have_ended = true;
    for (const std::string& input : arguments_.report.inputs) {
      for (const std::string& folder : run_folders(input)) all_have_ended &= update_run(folder);
    }
    return all_have_ended;
  }
  void expect_any() const {
    if (runs_.empty())
      throw DataError(fmt::format("no run of '{}' has begun", fmt::join(arguments_.report.inputs, "', '")));
  }

 private:
  // True if it has ended.
  bool update_run(const std::string& folder) {
    if (!fs::exists(RunFolder(folder).log_path())) return false;
    const std::string name = name_below(root_, whole(folder)), events = arguments_.tensorboard + "/" + name;
    const auto known = runs_.find(name);
    if (known != runs_.end()) {
      update_events(known->second);
      return known->second.has_ended;
    }
    FollowedRun& run = runs_.emplace(name, open_run(folder, events)).first->second;
    update_events(run);
    print(fmt::format("{}: {} events\n", events, run.file.events()));
    std::fflush(stdout);
    return run.has_ended;
  }

  const ReportArguments& arguments_;
  const fs::path root_;
  std::map<std::string, FollowedRun> runs_;  // key: the run's name
};

// Prints a line for each run when its file is there. kInterrupted when a signal ended the following.
ExitCode write_tensorboard(const ReportArguments& arguments) {
  constexpr int kMilliseconds = 500;
  const std::function<bool()> stop = arguments.follow ? stop_on_signals() : [] { return false; };
  FollowedRuns runs(arguments);
  for (bool is_told = false;; is_told = true) {
    const bool all_have_ended = runs.update();
    if (!arguments.follow || all_have_ended) break;
    if (!is_told) tell("waiting for runs that have not ended; Ctrl-C ends\n");
    if (stop()) return ExitCode::kInterrupted;
    poll(nullptr, 0, kMilliseconds);
  }
  runs.expect_any();
  return ExitCode::kSuccess;
}

}  // namespace

void add_report_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<ReportArguments>();
  ReportOptions* const options = &arguments->report;
  CLI::App* command =
      app.add_subcommand("report", "Compare runs: the paper's Figures 2 and 3 and which of its claims held");
  command->add_option("runs", options->inputs, "Folders of sweeps, of runs, or of a kept study")->required();
  command->add_option("--out", options->out, "Folder of the report: index.html, report.md, figures/");
  CLI::Option* baseline =
      command->add_option("--baseline", options->baseline, "Arm to compare with [the sweep's, else the first]");
  CLI::Option* keep = command->add_flag("--keep", options->keep,
                                        "Write what a repository keeps, and this command reads again: study.yaml, "
                                        "curves.csv, and report.md with --figures");
  command
      ->add_option("--figures", options->figures,
                   "With --keep: the figures to draw, such as accuracy,effects [those of the kept study that is read, "
                   "else none]")
      ->delimiter(',')
      ->needs(keep);
  CLI::Option* tensorboard =
      command->add_option("--tensorboard", arguments->tensorboard,
                          "Folder for TensorBoard: the runs' logs as its event files, of runs that train too");
  command
      ->add_flag("--follow", arguments->follow, "With --tensorboard: go on while the runs train, until all have ended")
      ->needs(tensorboard);
  baseline->needs("--out");
  keep->needs("--out");
  command->footer(
      "In a list of runs, those that differ in their seed alone form one arm, named after the folder:\n"
      "runs/bn_x5/seed_3 and runs/bn_x5_seed3 belong to bn_x5. Runs that have not ended are named and left out;\n"
      "diverged ones are results. KEPT/bn_x5/seed_3 is one run of the kept study KEPT, and KEPT/bn_x5 all its seeds.");
  command->callback([arguments, &exit_code] {
    expect_open_output();
    const std::string& out = arguments->report.out;
    if (out.empty() && arguments->tensorboard.empty()) {
      throw CLI::ValidationError("report needs --out FOLDER or --tensorboard FOLDER");
    }
    if (!out.empty()) {
      for (const std::string& line : write_report(arguments->report)) print(line + "\n");
      print(fmt::format("{}/{}\n", out, arguments->report.keep ? "report.md" : "index.html"));
    }
    if (!arguments->tensorboard.empty()) exit_code = write_tensorboard(*arguments);
  });
}

}  // namespace bn
