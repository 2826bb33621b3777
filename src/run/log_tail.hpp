// A line of a run's log, and the progress of a run as its log tells it, read while the log grows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bn/run_log.hpp"

namespace bn {

// Throws std::exception, which tells what is wrong with a line that is no record.
LogRecord parse_log_line(std::string_view line);

struct RunProgress {
  std::string last_event{};
  int64_t step = 0;
  std::optional<double> top1{}, best_top1{};
  std::optional<double> seconds_per_step{};  // since its process started
  int64_t starts = 0;                        // of processes
  bool has_trained = false;                  // the last of them
};

class LogTail {
 public:
  explicit LogTail(std::string path) : path_(std::move(path)) {}
  // Reads the whole lines added since the last call; a log that became shorter (a resumed run's) is read again. A line
  // that is no record is passed over: the training process reports it.
  const RunProgress& update();

 private:
  void read_line(const std::string& line);

  std::string path_;
  int64_t offset_ = 0;
  RunProgress progress_;
  int64_t first_step_ = -1;
  double first_seconds_ = 0;
};

}  // namespace bn
