// The logs of runs as event files for TensorBoard, once or for as long as the runs train.
#pragma once

#include <string>
#include <vector>

#include "bn/error.hpp"

namespace bn {

enum class Following { kNo, kUntilAllHaveEnded };

struct TensorBoardRequest {
  std::vector<std::string> inputs{};  // folders of runs and of sweeps
  std::string folder{};               // receives a folder for each run
  Following following = Following::kNo;
};

// Prints a line for each run when its file is there. kInterrupted when a signal ended the following. Throws DataError
// as write_report does, StorageError.
ExitCode write_tensorboard(const TensorBoardRequest& request);

}  // namespace bn
