// Training: the schedule, the loop, checkpoints, the run folder.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bn/data.hpp"
#include "bn/evaluate.hpp"
#include "bn/models.hpp"
#include "bn/parameters.hpp"
#include "bn/plan.hpp"

namespace bn {

class FolderLock;  // of a run folder

enum class DecayShape { kStaircase, kSmooth };

// learning_rate(step) = initial * decay_factor ^ (step / interval), the exponent floored for kStaircase.
struct LearningRateOptions {
  double initial = 0.01;
  double decay_factor = 1.0;
  double decay_epochs = 0;  // interval in epochs ...
  int64_t decay_steps = 0;  // ... or in steps; exactly one is set when decay_factor != 1
  DecayShape shape = DecayShape::kStaircase;
};
double learning_rate(const LearningRateOptions& options, int64_t step, int64_t steps_per_epoch);

enum class AverageKind { kNone, kPolyak };
enum class StatisticsKind { kMovingAverage, kPopulation };  // population: the paper's Algorithm 2 over N batches

struct ProbeOptions {  // Fig. 1 b, c: percentiles of one unit's value over a fixed set of validation images
  std::string op{};    // whose input is watched: "hidden3/act"; empty = off
  int64_t unit = 0;
  int64_t images = 1000;
  int64_t every = 100;  // steps
};

struct TrainOptions {
  int64_t batch = 32;
  double epochs = 0;  // exactly one of epochs and steps is positive
  int64_t steps = 0;
  uint64_t seed = 1;
  LearningRateOptions learning_rate{};
  double momentum = 0.9;
  MomentumKind momentum_kind = MomentumKind::kClassical;
  double l2 = 0.0;
  DecayScope l2_scope = DecayScope::kWeights;
  InitOptions init{};
  AverageKind average = AverageKind::kNone;
  double average_decay = 0.9999;
  StatisticsKind statistics = StatisticsKind::kMovingAverage;
  double statistics_decay = 0.999;
  int64_t statistics_batches = 100;  // of Algorithm 2
  int64_t log_every = 100;           // steps
  int64_t evaluate_every = 0;        // steps; 0 = once an epoch
  int64_t evaluate_batch = 100;
  int64_t checkpoint_every = 0;  // steps; 0 = with each evaluation
  int64_t keep_checkpoints = 2;  // the last K, and the best beside them
  ProbeOptions probe{};
};

// Where training stands; saved with every checkpoint. The data position follows from `step` alone.
struct Progress {
  int64_t step = 0;  // steps done
  double best_top1 = -1;
  int64_t best_step = 0;
};

// --- checkpoint.cpp: safetensors, written to a temporary name, fsynced, renamed; checksummed.
// Throws StorageError; the previous file of that name is then untouched.
void save_checkpoint(const std::string& path, const Parameters& parameters, const Progress& progress,
                     const std::string& config);
struct CheckpointInfo {
  Progress progress{};
  std::string config{};  // the resolved configuration, YAML
};
// Throws CheckpointError: unreadable, checksum, or the first tensor (in the network's order) whose name or shape does
// not fit; the parameters are then untouched. An average in the file is ignored when the parameters have none.
CheckpointInfo load_checkpoint(const std::string& path, Parameters& parameters);
CheckpointInfo read_checkpoint_info(const std::string& path);  // of a file proved undamaged; CheckpointError

// --- run_folder.cpp: RUN/{config.yaml, git.txt, lock, log.jsonl, checkpoints/}
class RunFolder {
 public:
  // Creates the folder, proves that it can be written and locks it against other processes for as long as this object
  // or a copy lives. Throws StorageError (unwritable, locked), or ConfigError when it already holds a run (a record or
  // a checkpoint) and resume is false. Resuming leaves the stored configuration as it is: see stored_config().
  static RunFolder create(const std::string& path, const std::string& resolved_config, bool resume);
  explicit RunFolder(std::string path) : path_(std::move(path)) {}  // to read: no lock, changes nothing

  const std::string& path() const { return path_; }
  std::string log_path() const { return path_ + "/log.jsonl"; }
  std::string checkpoint_path(int64_t step) const;  // checkpoints/step_000012000.safetensors
  std::string best_path() const { return path_ + "/checkpoints/best.safetensors"; }
  std::string config_path() const { return path_ + "/config.yaml"; }
  // What the run was started with, or last stored; nullopt when the folder holds none.
  std::optional<std::string> stored_config() const;
  void store_config(const std::string& resolved_config) const;

  std::vector<int64_t> checkpoint_steps() const;  // ascending
  void prune_checkpoints(int64_t keep) const;     // the last `keep` stay, at least one
  void publish_best(int64_t step) const;          // best_path() becomes the checkpoint of `step`, in one move
  // Loads the newest undamaged checkpoint; each damaged one before it is reported through `warn` and, in a locked
  // folder, renamed to *.damaged so that it never counts again. nullopt when there is none. Throws CheckpointError when
  // all are damaged, or when the newest undamaged one is of another network.
  std::optional<CheckpointInfo> load_latest(Parameters& parameters,
                                            const std::function<void(const std::string&)>& warn) const;

 private:
  std::string path_;
  std::shared_ptr<const FolderLock> lock_;
};

// --- run_log.cpp: one JSON object a line. Absent fields are left out.
struct LogRecord {
  std::string event{};  // "start", "train", "evaluate", "probe", "diverged", "interrupted", "error", "end"
  int64_t step = 0;
  double epoch = 0;
  std::optional<double> loss{}, learning_rate{}, images_per_second{}, data_wait_share{};
  std::optional<double> train_top1{}, train_top5{}, validation_top1{}, validation_top5{}, validation_loss{};
  std::optional<double> seconds{};    // wall time since the start, summed over resumes
  std::vector<double> percentiles{};  // probe: 15th, 50th, 85th
  std::string message{};
};
class RunLog {
 public:
  // Drops records beyond `resume_step` (written after the checkpoint that is resumed) and a torn last line. Throws
  // StorageError, or DataError naming the line that is no record.
  RunLog(const std::string& path, int64_t resume_step);
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  ~RunLog();
  void write(const LogRecord& record);  // one line, flushed; throws StorageError
 private:
  int file_ = -1;
  std::string path_;
};
std::vector<LogRecord> read_log(const std::string& path);  // without a torn last line; DataError

// --- trainer.cpp
enum class TrainOutcome { kFinished, kDiverged, kInterrupted };
struct TrainResult {
  TrainOutcome outcome = TrainOutcome::kFinished;
  Progress progress{};
  EvaluationResult last_evaluation{};
};

struct TrainJob {
  ModelOptions model;
  DataOptions data;
  TrainOptions train;
  DType activations = DType::kF32;
  PlanPasses passes{};
  std::string resolved_config{};
  bool resume = false;
  bool quiet = false;
};
// Asked between steps; true = write a checkpoint and end as interrupted.
using StopRequested = std::function<bool()>;
TrainResult train(const TrainJob& job, Backend& backend, const RunFolder& folder, const StopRequested& stop);

}  // namespace bn
