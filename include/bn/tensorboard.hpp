// A run's log as events that TensorBoard shows.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bn/run_log.hpp"

namespace bn {

struct TensorBoardPicture {
  std::string tag{};
  int64_t step = 0;
  std::string png{};  // the file's bytes
};

// TensorBoard shows this of a run besides its log.
struct TensorBoardRun {
  double start = 0;                                                    // seconds from 1970 to the log's second 0
  std::vector<std::pair<std::string, std::string>> hyperparameters{};  // numbers, "true" and "false" are shown as such
  std::vector<TensorBoardPicture> pictures{};
};

// FOLDER/events.out.tfevents.bninception, a file that TensorBoard reads while it grows.
class TensorBoardFile {
 public:
  TensorBoardFile(const std::string& folder, const TensorBoardRun& run);
  // Adds what was logged since the last call. The first call makes the folder and replaces the file, in one step. When
  // records are gone (the run was resumed from an earlier step), TensorBoard is told to forget them. Throws
  // StorageError.
  void update(const std::vector<LogRecord>& log);
  int64_t events() const { return events_; }

 private:
  void add(const std::string& event);
  void write_pending();

  std::string path_;
  double start_;
  std::string pending_;  // not yet in the file
  bool is_begun_ = false;
  int64_t events_ = 0;
  std::vector<LogRecord> log_;
};

}  // namespace bn
