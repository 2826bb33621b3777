#include "sweep/run_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

// The configuration with which a run was begun; nullopt when none was, even if a start failed in its folder.
std::optional<Config> begun_with(const std::string& path) {
  const RunFolder folder(path);
  const std::optional<std::string> stored = folder.stored_config();
  if (!stored || !folder.holds_run()) return std::nullopt;
  return parse_config(*stored, folder.config_path());
}

void inspect(SweepRun& run, const std::string& path, int64_t threads, const RunProgress& progress) {
  const std::optional<Config> begun = begun_with(path);
  run.state = RunState::kPending;
  if (begun) threads = begun->threads;
  if (begun || run.config.threads == 0) run.config.threads = threads;
  if (!begun) return;
  const std::vector<std::string> changes = experiment_diff(*begun, run.config);
  if (!changes.empty()) {
    throw ConfigError(
        fmt::format("run folder '{}' was begun with another configuration; remove it or give another --out:\n  {}",
                    path, fmt::join(changes, "\n  ")));
  }
  if (progress.last_event == "diverged") run.state = RunState::kDiverged;
  // A longer run than the one that ended is continued.
  const bool same_length =
      begun->train.steps == run.config.train.steps && begun->train.epochs == run.config.train.epochs;
  if (progress.last_event == "end" && same_length) run.state = RunState::kFinished;
}

// The options without those that say how the images of a set are read and shown to the network. What is left decides
// which images they are.
DataOptions which_images(DataOptions data) {
  const DataOptions preset;
  data.image_size = preset.image_size;
  data.resize_shorter = preset.resize_shorter;
  data.binarize = preset.binarize;
  data.mean = preset.mean;
  data.std = preset.std;
  data.augment = preset.augment;
  data.distortion = preset.distortion;
  data.lighting = preset.lighting;
  data.shuffle = preset.shuffle;
  data.exif_orientation = preset.exif_orientation;
  data.cache = Cache::kNone;  // the images are counted, not read
  data.workers = preset.workers;
  data.slots = preset.slots;
  return data;
}

}  // namespace

std::string folder_of(const SweepRun& run, const SweepOptions& options) { return options.folder + "/" + run.folder; }

std::vector<std::string> train_command(const SweepRun& run, const SweepOptions& options) {
  std::vector<std::string> command = options.program;
  command.insert(command.end(), {"train", run.config_path, "--out", folder_of(run, options), "--resume", "--quiet"});
  for (const std::string& override : run.overrides) command.insert(command.end(), {"--set", override});
  command.insert(command.end(), {"--set", fmt::format("train.seed={}", run.config.train.seed), "--set",
                                 fmt::format("threads={}", run.config.threads)});
  return command;
}

void inspect_runs(Sweep& sweep, const SweepOptions& options, std::vector<LogTail>& tails) {
  const int64_t share = std::max<int64_t>(1, options.cores / options.jobs);
  for (const SweepRun& run : sweep.runs) tails.emplace_back(RunFolder(folder_of(run, options)).log_path());
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    inspect(sweep.runs[i], folder_of(sweep.runs[i], options), share, tails[i].update());
  }
}

std::string describe_state(const SweepRun& run, const RunProgress& progress) {
  std::string text = name_of(run.state);
  if (run.state != RunState::kPending) text += fmt::format(" at step {}", progress.step);
  if (progress.best_top1) text += fmt::format(", best top-1 {:.2f} %", 100 * *progress.best_top1);
  if (!run.message.empty()) text += ": " + run.message;
  return text;
}

void write_record(const Sweep& sweep, const SweepOptions& options, std::vector<LogTail>& tails) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    const SweepRun& run = sweep.runs[i];
    nlohmann::ordered_json entry{{"arm", run.arm},
                                 {"config", run.config_path},
                                 {"seed", run.config.train.seed},
                                 {"overrides", run.overrides},
                                 {"folder", run.folder},
                                 {"outcome", name_of(run.state)},
                                 {"step", tails[i].update().step}};
    if (!run.message.empty()) entry["message"] = run.message;
    runs.push_back(std::move(entry));
  }
  const nlohmann::ordered_json record{
      {"name", sweep.name}, {"file", sweep.path}, {"baseline", sweep.baseline}, {"runs", runs}};
  write_file(options.folder + "/sweep.json", json_text(record, 1) + "\n");
}

void check_record(const Sweep& sweep, const SweepOptions& options) {
  std::string text;
  if (read_file(options.folder + "/sweep.json", text) == ReadResult::kMissing) return;
  const auto record = nlohmann::json::parse(text, nullptr, false);
  const std::string name = record.is_object() ? record.value("name", "") : "";
  if (name == sweep.name) return;
  throw ConfigError(name.empty()
                        ? fmt::format("folder '{}' holds a damaged sweep.json, not that of {}; give another --out",
                                      options.folder, sweep.name)
                        : fmt::format("folder '{}' holds the sweep {}, not {}; give another --out", options.folder,
                                      name, sweep.name));
}

RunSize size_of_run(const TrainOptions& train, int64_t training_images, int64_t validation_images) {
  RunSize size{.validation_images = validation_images};
  size.steps_per_epoch = train.steps_per_epoch(training_images);
  if (size.steps_per_epoch < 1) {
    throw DataError(fmt::format("a batch of {} images is larger than the training set of {}", train.parts * train.batch,
                                training_images));
  }
  size.steps = train.steps_of_run(size.steps_per_epoch);
  const int64_t interval = train.evaluate_every > 0 ? train.evaluate_every : size.steps_per_epoch;
  size.evaluations = (size.steps + interval - 1) / interval;
  return size;
}

const DataSizes::Known& DataSizes::count_images(const DataOptions& data) {
  const DataOptions which = which_images(data);
  const auto same = std::ranges::find(known_, which, &Known::data);
  if (same != known_.end()) return *same;
  return known_.emplace_back(Known{.data = which,
                                   .training = open_dataset(which, Split::kTrain)->size(),
                                   .validation = open_dataset(which, Split::kValidation)->size()});
}

RunSize DataSizes::of(const Config& config) {
  const Known& images = count_images(config.data);
  return size_of_run(config.train, images.training, images.validation);
}

}  // namespace bn
