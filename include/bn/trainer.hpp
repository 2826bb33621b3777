// The training loop.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/config.hpp"
#include "bn/dataset.hpp"
#include "bn/evaluate.hpp"
#include "bn/group.hpp"
#include "bn/run_folder.hpp"

namespace bn {

enum class TrainOutcome { kFinished, kDiverged, kInterrupted };
struct TrainResult {
  TrainOutcome outcome = TrainOutcome::kFinished;
  Progress progress{};
  EvaluationResult last_evaluation{};
  LeftOut left_out{};  // beside the images of both sets
  // Training images that could not be decoded, since this process began.
  struct Skipped {
    int64_t count = 0;                 // each time counts
    std::vector<std::string> names{};  // the first 100
  } skipped{};
};

struct TrainRequest {
  bool resume = false;                  // continues from the folder's newest checkpoint
  bool allow_different_bits = false;    // resuming with another library, instruction set or number of threads
  bool quiet = false;                   // no progress line
  std::vector<std::string> warnings{};  // the command line's; the log keeps them with the trainer's own
  // Asked between steps and between the batches of an evaluation; true = write a checkpoint and end as interrupted. A
  // program that sets it in a signal's handler keeps that signal blocked on the thread that trains, as
  // commands/signals.cpp does: oneDNN before 3.11.2 corrupts memory when a signal is handled amid a product.
  std::function<bool()> stop{};
  Group* group = nullptr;  // the processes that train together; null: this one alone
};
// Trains the network of the configuration on the backend. Its log and checkpoints go into the folder, where the group's
// first process alone writes. Throws DataError (unreadable data; what was learned is saved first), ConfigError (network
// and data do not fit), CheckpointError, StorageError, UnsupportedError; in a group, one of these in a process is an
// AgreedError of all.
TrainResult train(const Config& config, Backend& backend, const RunFolder& folder, const TrainRequest& request);

}  // namespace bn
