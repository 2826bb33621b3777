// RUN/log.jsonl: one JSON object a line, absent fields left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bn {

struct LogRecord {
  std::string event{};  // "start", "warning", "train", "evaluate", "probe", "diverged", "interrupted", "error", "end"
  int64_t step = 0;
  double epoch = 0;
  std::optional<double> loss{}, learning_rate{}, images_per_second{}, data_wait_share{};
  std::optional<double> communication_share{};  // the time in which several processes exchanged sums
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
  // Writes a line; throws StorageError. What could not be written goes before the next line.
  void write(const LogRecord& record);

 private:
  int file_ = -1;
  std::string path_, unwritten_;
};
std::vector<LogRecord> read_log(const std::string& path);  // without a torn last line; DataError

}  // namespace bn
