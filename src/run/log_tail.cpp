#include "run/log_tail.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

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
  const auto record = nlohmann::json::parse(line, nullptr, false);
  if (!record.is_object() || !record.contains("event") || !record.contains("step")) return;
  progress_.last_event = record.at("event").get<std::string>();
  progress_.step = record.at("step").get<int64_t>();
  if (record.contains("validation_top1") && record.at("validation_top1").is_number()) {
    progress_.top1 = record.at("validation_top1").get<double>();
    progress_.best_top1 = std::max(progress_.best_top1.value_or(0), *progress_.top1);
  }
  if (progress_.last_event == "start") {
    first_step_ = -1;
    progress_.seconds_per_step.reset();
  }
  if (progress_.last_event != "train" && progress_.last_event != "evaluate") return;
  const double seconds = record.value("seconds", 0.0);
  if (first_step_ < 0) {
    first_step_ = progress_.step;
    first_seconds_ = seconds;
  } else if (progress_.step > first_step_) {
    progress_.seconds_per_step = (seconds - first_seconds_) / static_cast<double>(progress_.step - first_step_);
  }
}

}  // namespace bn
