#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "bn/version.hpp"
#include "run/folder_lock.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStepPrefix = "step_";
constexpr std::string_view kSuffix = ".safetensors";
constexpr std::string_view kDamagedSuffix = ".damaged";

std::string checkpoint_name(int64_t step) { return fmt::format("{}{:09}{}", kStepPrefix, step, kSuffix); }

std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kStepPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  int64_t step = -1;
  std::from_chars(name.data() + kStepPrefix.size(), name.data() + name.size(), step);
  if (step < 0 || checkpoint_name(step) != name) return std::nullopt;
  return step;
}

// The list is empty when there is no such folder.
std::vector<std::string> file_names(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw StorageError(fmt::format("cannot read folder '{}': {}", folder, error.message()));
  }
  return names;
}

// No damage, but somebody's doing.
struct MisnamedError : CheckpointError {
  using CheckpointError::CheckpointError;
};

void remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw StorageError(fmt::format("cannot remove '{}': {}", path, errno_text(errno)));
  }
}

void set_aside(const std::string& path) {
  if (rename(path.c_str(), fmt::format("{}{}", path, kDamagedSuffix).c_str()) != 0) {
    throw StorageError(fmt::format("cannot rename '{}': {}", path, errno_text(errno)));
  }
}

// True for the temporary name of a file that a run writes: the user's files are left alone.
bool is_ours(const std::string& name) {
  if (!is_temporary_name(name)) return false;
  const std::string whole = name.substr(0, name.rfind(".tmp."));
  constexpr std::string_view kFiles[] = {"config.yaml",  "git.txt",   "plan.txt",        "engines.txt",
                                         "made_of.json", "log.jsonl", "best.safetensors"};
  return step_of(whole).has_value() || std::ranges::find(kFiles, whole) != std::end(kFiles);
}

// Removes the files that a killed process left half written. Call it under the lock only: otherwise they could be
// another process's work.
void remove_temporaries(const std::string& folder) {
  for (const std::string& name : file_names(folder)) {
    if (is_ours(name)) remove_file(fmt::format("{}/{}", folder, name));
  }
}

// Writes a temporary file that is never given its name.
void prove_writable(const std::string& folder) {
  AtomicFile(folder + "/" + checkpoint_name(0)).append("written to see whether this folder can be");
}

// One line for each version of the program that worked on the run.
void record_version(const std::string& path) {
  const std::string line = source_version() + "\n";
  std::string text;
  read_file(path, text);
  if (!text.ends_with(line)) write_file(path, text + line);
}

// Lines as record_version() writes them.
bool holds_versions(const std::string& path) {
  std::string text;
  read_file(path, text);
  return std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._/+-\n").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// The keys of a resolved configuration's first level: it has all of them, and nothing else begins a line there. Keys
// below them may be another version's.
std::vector<std::string_view> first_keys(std::string_view yaml) {
  std::vector<std::string_view> keys;
  while (!yaml.empty()) {
    const std::string_view line = yaml.substr(0, yaml.find('\n'));
    if (!line.starts_with(' ')) keys.push_back(line.substr(0, line.find(':')));
    yaml.remove_prefix(std::min(line.size() + 1, yaml.size()));
  }
  return keys;
}

// A user may name the folder above some runs; the newest of them is suggested.
std::string run_below(const std::string& path) {
  std::string newest;
  fs::file_time_type when{};
  for (const std::string& name : file_names(path)) {
    const std::string config = fmt::format("{}/{}/config.yaml", path, name);
    std::error_code error;
    const fs::file_time_type written = fs::last_write_time(config, error);
    if (error || (!newest.empty() && written <= when)) continue;
    newest = fmt::format("; did you mean '{}/{}'?", path, name);
    when = written;
  }
  return newest;
}

}  // namespace

RunFolder RunFolder::create(const std::string& path, const std::string& resolved_config, bool resume) {
  RunFolder folder(path);
  const std::string checkpoints = path + "/checkpoints";
  std::error_code error;
  if (resume && fs::exists(folder.best_path(), error) && folder.checkpoint_steps().empty()) {
    throw CheckpointError(
        fmt::format("'{}' holds a best checkpoint but none to resume from: checkpoints/step_*.safetensors are gone; "
                    "evaluate the best one, or train again with another --out",
                    path));
  }
  folder.expect_no_files_of_others(resolved_config);
  create_folder(checkpoints);
  folder.lock_ = std::make_shared<const FolderLock>(path);
  // A start that failed before its first record leaves no run behind, and the next one may be of another configuration.
  const bool holds_run = folder.holds_run();
  if (holds_run && !resume) {
    throw ConfigError(fmt::format("'{}' already holds a run; use --resume or another --out", path));
  }
  remove_temporaries(path);
  remove_temporaries(checkpoints);
  prove_writable(checkpoints);
  // It comes first: what lies beside it is then known as a run's.
  if (!holds_run || !folder.stored_config()) folder.store_config(resolved_config);
  record_version(path + "/git.txt");
  return folder;
}

bool RunFolder::holds_run() const {
  std::string log;
  read_file(log_path(), log);
  return !log.empty() || !checkpoint_steps().empty();
}

void RunFolder::expect_no_files_of_others(const std::string& resolved_config) const {
  constexpr const char* kBest = "checkpoints/best.safetensors";
  std::vector<std::string> found;
  for (const char* name : {kBest, "config.yaml", "git.txt", "plan.txt", "made_of.json", "engines.txt"}) {
    std::error_code error;  // what cannot be looked at cannot be written either, which says so
    if (fs::file_size(fmt::format("{}/{}", path_, name), error) > 0 && !error) found.emplace_back(name);
  }
  // Another process may be starting: the configuration, which it writes first, is read after all have been looked for.
  if (found.empty() || holds_run()) return;
  const std::optional<std::string> config = stored_config();
  const bool is_of_a_start = config && first_keys(*config) == first_keys(resolved_config);
  if (is_of_a_start && found.front() != kBest) return;
  // A start of an earlier version may have left this alone, and the next one adds a line.
  if (found == std::vector<std::string>{"git.txt"} && holds_versions(path_ + "/git.txt")) return;
  throw ConfigError(fmt::format(
      "'{}' holds no run, but a file {}, which a run would replace: give another --out, or move the file away", path_,
      found.front()));
}

std::string RunFolder::checkpoint_path(int64_t step) const {
  return fmt::format("{}/checkpoints/{}", path_, checkpoint_name(step));
}

std::optional<std::string> RunFolder::stored_config() const {
  std::string text;
  if (read_file(config_path(), text) == ReadResult::kMissing) return std::nullopt;
  return text;
}

void RunFolder::store_config(const std::string& resolved_config) const { write_file(config_path(), resolved_config); }

std::vector<int64_t> RunFolder::checkpoint_steps() const {
  std::vector<int64_t> steps;
  for (const std::string& name : file_names(path_ + "/checkpoints")) {
    if (const std::optional<int64_t> step = step_of(name)) steps.push_back(*step);
  }
  std::ranges::sort(steps);
  return steps;
}

void RunFolder::prune_checkpoints(int64_t keep) const {
  const std::vector<int64_t> steps = checkpoint_steps();
  const int64_t surplus = static_cast<int64_t>(steps.size()) - std::max<int64_t>(keep, 1);
  for (int64_t i = 0; i < surplus; ++i) remove_file(checkpoint_path(steps[i]));
}

void RunFolder::publish_best(int64_t step) const { publish_file(checkpoint_path(step), best_path()); }

std::optional<CheckpointInfo> RunFolder::load_latest(Parameters& parameters,
                                                     const std::function<void(const std::string&)>& warn) const {
  const std::vector<int64_t> steps = checkpoint_steps();
  std::vector<std::string> damaged;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::string path = checkpoint_path(*step);
    try {
      expect_named_step(path, read_checkpoint_info(path));
    } catch (const MisnamedError&) {
      throw;
    } catch (const CheckpointError& error) {
      warn(fmt::format("{}; trying the one before it", error.what()));
      damaged.push_back(path);
      continue;
    }
    CheckpointInfo info = load_checkpoint(path, parameters);  // outside the try: a misfit is not damage
    if (lock_) {
      for (const std::string& name : damaged) set_aside(name);
    }
    return info;
  }
  if (steps.empty()) return std::nullopt;
  throw CheckpointError(fmt::format("none of the {} checkpoints of run '{}' can be used", steps.size(), path_));
}

void expect_named_step(const std::string& path, const CheckpointInfo& info) {
  const std::optional<int64_t> named = step_of(fs::path(path).filename().string());
  if (!named || *named == info.progress.step) return;
  throw MisnamedError(
      fmt::format("checkpoint '{}' is of step {}, not of the step in its name: rename it to {}, or move it away", path,
                  info.progress.step, checkpoint_name(info.progress.step)));
}

std::string find_checkpoint(const std::string& path, const std::string& which) {
  if (!fs::exists(path)) throw CheckpointError(path + ": no such file or folder");
  if (!fs::is_directory(path)) {
    if (!path.ends_with(".onnx")) return path;
    throw CheckpointError(path + ": is an ONNX model; name the run folder, or a .safetensors checkpoint");
  }
  const RunFolder folder(path);
  if (which == "best" && fs::exists(folder.best_path())) return folder.best_path();
  const std::vector<int64_t> steps = folder.checkpoint_steps();
  if (steps.empty() && !fs::exists(folder.config_path())) {
    throw CheckpointError(fmt::format("{}: is no run folder{}", path, run_below(path)));
  }
  if (steps.empty()) {
    throw CheckpointError(path + ": the run folder holds no checkpoint yet; training writes one when it evaluates");
  }
  return folder.checkpoint_path(steps.back());
}

}  // namespace bn
