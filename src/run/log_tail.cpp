#include "run/log_tail.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace bn {

const RunProgress& LogTail::update() {
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path_, error));
  if (error || size == offset_) return progress_;
  if (size < offset_) *this = LogTail(path_);
  std::ifstream file(path_, std::ios::binary);
  file.seekg(offset_);
  for (std::string line; std::getline(file, line) && !file.eof();) {  // a line that ends with the file is not whole yet
    offset_ += static_cast<int64_t>(line.size()) + 1;
    read_line(line);
  }
  return progress_;
}

void LogTail::read_line(const std::string& line) {
  LogRecord record;
  try {
    record = parse_log_line(line);
  } catch (const std::exception&) {
    return;
  }
  progress_.last_event = record.event;
  progress_.step = record.step;
  if (record.validation_top1 && std::isfinite(*record.validation_top1)) {
    progress_.top1 = record.validation_top1;
    progress_.best_top1 = std::max(progress_.best_top1.value_or(0), *progress_.top1);
  }
  if (progress_.last_event == "start") {
    first_step_ = -1;
    progress_.seconds_per_step.reset();
    ++progress_.starts;
    progress_.has_trained = false;
  }
  if (progress_.last_event == "train") progress_.has_trained = true;
  if (progress_.last_event != "train" && progress_.last_event != "evaluate") return;
  const double seconds = record.seconds.value_or(0);
  if (first_step_ < 0) {
    first_step_ = progress_.step;
    first_seconds_ = seconds;
  } else if (progress_.step > first_step_) {
    progress_.seconds_per_step = (seconds - first_seconds_) / static_cast<double>(progress_.step - first_step_);
  }
}

}  // namespace bn
