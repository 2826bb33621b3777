// The state of a sweep's runs, read from their folders, and the length of a run in steps, epochs and images.
#pragma once

#include <string>
#include <vector>

#include "bn/sweep.hpp"
#include "run/log_tail.hpp"

namespace bn {

std::string folder_of(const SweepRun& run, const SweepOptions& options);

// The words that train the run, or continue it.
std::vector<std::string> train_command(const SweepRun& run, const SweepOptions& options);

// Sets state and threads of each run: those it was begun with, since its bits depend on them, else its share of the
// cores. Throws ConfigError when a folder holds a run of another configuration.
void inspect_runs(Sweep& sweep, const SweepOptions& options, std::vector<LogTail>& tails);

// A state as a short sentence for a line of text: "diverged at step 120".
std::string describe_state(const SweepRun& run, const RunProgress& progress);

// FOLDER/sweep.json: every run with its arm, configuration, seed, overrides, folder (below FOLDER) and outcome.
void write_record(const Sweep& sweep, const SweepOptions& options, std::vector<LogTail>& tails);
// Throws ConfigError when FOLDER/sweep.json belongs to a sweep with another name.
void check_record(const Sweep& sweep, const SweepOptions& options);

struct RunSize {
  int64_t steps = 0, steps_per_epoch = 0;
  int64_t evaluations = 0, validation_images = 0;
  double epochs() const { return static_cast<double>(steps) / static_cast<double>(steps_per_epoch); }
};

RunSize size_of_run(const TrainOptions& train, int64_t training_images, int64_t validation_images);

// Opens each data set once, however many runs use it.
class DataSizes {
 public:
  RunSize of(const Config& config);  // throws DataError

 private:
  struct Known {
    DataOptions data;
    int64_t training = 0, validation = 0;
  };
  const Known& count_images(const DataOptions& data);

  std::vector<Known> known_;
};

}  // namespace bn
