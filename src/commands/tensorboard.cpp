#include "commands/tensorboard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>

#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/report.hpp"
#include "bn/run_folder.hpp"
#include "bn/tensorboard.hpp"
#include "commands/first_filters.hpp"
#include "commands/signals.hpp"
#include "core/files.hpp"
#include "core/messages.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

fs::path whole(const std::string& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  return normal.filename().empty() ? normal.parent_path() : normal;
}

// The folder that holds all sweeps and runs. A run's name in TensorBoard is its path below this folder.
fs::path folder_of_all(const std::vector<std::string>& inputs) {
  std::optional<fs::path> common;
  for (const std::string& input : inputs) {
    const fs::path folder = fs::exists(input + "/sweep.json") ? whole(input) : whole(input).parent_path();
    if (!common) common = folder;
    const auto end = std::mismatch(common->begin(), common->end(), folder.begin(), folder.end()).first;
    fs::path shared;
    for (auto part = common->begin(); part != end; ++part) shared /= *part;
    common = shared;
  }
  return common.value_or("/");
}

// A sweep may name runs elsewhere.
std::string name_below(const fs::path& root, const fs::path& folder) {
  const fs::path below = folder.lexically_relative(root);
  return below.begin() != below.end() && *below.begin() != ".." ? below.string() : folder.relative_path().string();
}

// The filters of the best checkpoint. `folder` is for a passing file.
std::vector<TensorBoardPicture> pictures_of(const std::string& run, const std::string& folder) {
  if (!fs::exists(RunFolder(run).best_path())) return {};
  try {
    TrainedModel model = read_model(run, "best");
    const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
    load_parameters(model, *backend);
    create_folder(folder);
    const std::string path = folder + "/first_filters.png";
    TensorBoardPicture picture{.tag = "first_filters", .step = model.info.progress.step};
    if (!draw_first_filters(model, path)) return {};
    read_file(path, picture.png);
    fs::remove(path);
    return {picture};
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
  shown.pictures = pictures_of(run, folder);
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
  explicit FollowedRuns(const TensorBoardRequest& request) : request_(request), root_(folder_of_all(request.inputs)) {}

  // Writes what is new. True if all runs have ended.
  bool update() {
    bool all_have_ended = true;
    for (const std::string& input : request_.inputs) {
      for (const std::string& folder : run_folders(input)) all_have_ended &= update_run(folder);
    }
    return all_have_ended;
  }
  void expect_any() const {
    if (runs_.empty()) throw DataError(fmt::format("no run of '{}' has begun", fmt::join(request_.inputs, "', '")));
  }

 private:
  // True if it has ended.
  bool update_run(const std::string& folder) {
    if (!fs::exists(RunFolder(folder).log_path())) return false;
    const std::string name = name_below(root_, whole(folder)), events = request_.folder + "/" + name;
    const auto known = runs_.find(name);
    if (known != runs_.end()) {
      update_events(known->second);
      return known->second.has_ended;
    }
    FollowedRun& run = runs_.emplace(name, open_run(folder, events)).first->second;
    update_events(run);
    std::printf("%s\n", fmt::format("{}: {} events", events, run.file.events()).c_str());
    std::fflush(stdout);
    return run.has_ended;
  }

  const TensorBoardRequest& request_;
  const fs::path root_;
  std::map<std::string, FollowedRun> runs_;  // key: the run's name
};

}  // namespace

ExitCode write_tensorboard(const TensorBoardRequest& request) {
  constexpr int kMilliseconds = 500;
  const bool is_followed = request.following == Following::kUntilAllHaveEnded;
  const std::function<bool()> stop = is_followed ? stop_on_signals() : [] { return false; };
  FollowedRuns runs(request);
  for (bool is_told = false;; is_told = true) {
    const bool all_have_ended = runs.update();
    if (!is_followed || all_have_ended) break;
    if (!is_told) tell("waiting for runs that have not ended; Ctrl-C ends\n");
    if (stop()) return ExitCode::kInterrupted;
    poll(nullptr, 0, kMilliseconds);
  }
  runs.expect_any();
  return ExitCode::kSuccess;
}

}  // namespace bn
