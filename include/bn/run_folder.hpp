// The folder where a run keeps all that it is; src/run/FORMATS.md lists its files.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bn/checkpoint.hpp"

namespace bn {

class FolderLock;

class RunFolder {
 public:
  // Creates the folder, proves that it can be written and locks it against other processes for as long as this object
  // or a copy lives. Throws StorageError (unwritable, locked), or ConfigError when it already holds a run and resume is
  // false, or somebody else's files. Resuming leaves the stored configuration as it is: see stored_config().
  static RunFolder create(const std::string& path, const std::string& resolved_config, bool resume);
  explicit RunFolder(std::string path) : path_(std::move(path)) {}  // opens it to read: takes no lock, changes nothing

  const std::string& path() const { return path_; }
  std::string log_path() const { return path_ + "/log.jsonl"; }
  std::string checkpoint_path(int64_t step) const;  // checkpoints/step_000012000.safetensors
  std::string best_path() const { return path_ + "/checkpoints/best.safetensors"; }
  std::string config_path() const { return path_ + "/config.yaml"; }
  // The configuration that the run was started with, or that was stored last; nullopt when the folder holds none.
  std::optional<std::string> stored_config() const;
  void store_config(const std::string& resolved_config) const;

  // A record or a checkpoint is there. A start that failed before the first record leaves no run.
  bool holds_run() const;
  // Throws ConfigError where the folder holds neither a run nor what a failed start left, but a file that the run of
  // this configuration would replace.
  void expect_no_files_of_others(const std::string& resolved_config) const;

  std::vector<int64_t> checkpoint_steps() const;  // ascending
  void prune_checkpoints(int64_t keep) const;     // the last `keep` stay, at least one
  void publish_best(int64_t step) const;          // best_path() becomes the checkpoint of `step`, in one move
  // Loads the newest undamaged checkpoint; each damaged one before it is reported through `warn` and, in a locked
  // folder, renamed to *.damaged so that it never counts again. nullopt when there is none. Throws CheckpointError when
  // all are damaged, or when the newest undamaged one is of another network or another step than its name says.
  std::optional<CheckpointInfo> load_latest(Parameters& parameters,
                                            const std::function<void(const std::string&)>& warn) const;

 private:
  std::string path_;
  std::shared_ptr<const FolderLock> lock_;
};

// Throws CheckpointError where a file that is named as the checkpoint of a step is of another one: the newest is found,
// and old ones are removed, by these names.
void expect_named_step(const std::string& path, const CheckpointInfo& info);

// The checkpoint that a path stands for: a file itself, or of a run folder the "best" or the "last" one. Throws
// CheckpointError where there is none.
std::string find_checkpoint(const std::string& path, const std::string& which);

}  // namespace bn
