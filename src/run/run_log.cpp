// Each record is one write() of one whole line to a file opened for appending: a kill can cost the last line, never
// mix two. A line counts when it ends in a newline.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bn/error.hpp"
#include "bn/run_log.hpp"
#include "run/log_tail.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no word for these; a diverged run has them.
Json number_to_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

double number_from_json(const Json& json) {
  if (!json.is_string()) return json.get<double>();
  const auto& text = json.get_ref<const std::string&>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  throw std::invalid_argument(fmt::format("'{}' is not a number", text));
}

struct OptionalField {
  const char* name;
  std::optional<double> LogRecord::*value;
};
constexpr OptionalField kOptionalFields[] = {
    {"loss", &LogRecord::loss},
    {"learning_rate", &LogRecord::learning_rate},
    {"train_top1", &LogRecord::train_top1},
    {"train_top5", &LogRecord::train_top5},
    {"validation_loss", &LogRecord::validation_loss},
    {"validation_top1", &LogRecord::validation_top1},
    {"validation_top5", &LogRecord::validation_top5},
    {"images_per_second", &LogRecord::images_per_second},
    {"data_wait_share", &LogRecord::data_wait_share},
    {"communication_share", &LogRecord::communication_share},
    {"seconds", &LogRecord::seconds},
};

std::string to_line(const LogRecord& record) {
  Json json;
  json["event"] = record.event;
  json["step"] = record.step;
  json["epoch"] = number_to_json(record.epoch);
  for (const OptionalField& field : kOptionalFields) {
    if (record.*field.value) json[field.name] = number_to_json(*(record.*field.value));
  }
  for (const double percentile : record.percentiles) json["percentiles"].push_back(number_to_json(percentile));
  if (!record.message.empty()) json["message"] = record.message;
  // A message may quote a file name that is not UTF-8.
  return json_text(json) + "\n";
}

int64_t step_from_json(const Json& json) {
  const bool is_step = json.is_number_integer() && json.get<int64_t>() >= 0;  // an integer beyond int64_t is below 0
  if (!is_step) throw std::invalid_argument(fmt::format("the step is {}, not a whole number from 0 on", json.dump()));
  return json.get<int64_t>();
}

// Calls visit(line with its newline, record) for each whole line.
void for_each_record(const std::string& path, std::string_view text,
                     const std::function<void(std::string_view, LogRecord)>& visit) {
  int64_t number = 0;
  for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string_view::npos; begin = end + 1) {
    const std::string_view line = text.substr(begin, end - begin + 1);
    ++number;
    LogRecord record;
    try {
      record = parse_log_line(line);
    } catch (const std::exception& error) {
      throw DataError(fmt::format("{}:{}: not a record of a run log: {}", path, number, error.what()));
    }
    visit(line, std::move(record));
  }
}

}  // namespace

LogRecord parse_log_line(std::string_view line) {
  const Json json = Json::parse(line);
  LogRecord record;
  record.event = json.at("event").get<std::string>();
  record.step = step_from_json(json.at("step"));
  record.epoch = number_from_json(json.at("epoch"));
  for (const OptionalField& field : kOptionalFields) {
    if (json.contains(field.name)) record.*field.value = number_from_json(json.at(field.name));
  }
  if (json.contains("percentiles")) {
    for (const Json& percentile : json.at("percentiles")) record.percentiles.push_back(number_from_json(percentile));
  }
  if (json.contains("message")) record.message = json.at("message").get<std::string>();
  return record;
}

RunLog::RunLog(const std::string& path, int64_t resume_step) : path_(path) {
  std::string text;
  if (read_file(path, text) == ReadResult::kRead) {
    std::string kept;
    for_each_record(path, text, [&](std::string_view line, const LogRecord& record) {
      if (record.step <= resume_step) kept += line;
    });
    if (kept != text) write_file(path, kept);
  }
  file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) throw StorageError(fmt::format("cannot write '{}': {}", path, errno_text(errno)));
}

RunLog::~RunLog() { close(file_); }

void RunLog::write(const LogRecord& record) {
  struct stat status {};
  if (fstat(file_, &status) == 0 && status.st_nlink == 0) {
    throw StorageError(fmt::format("'{}' was removed while the run wrote it", path_));
  }
  unwritten_ += to_line(record);
  // One call takes the whole line; a full disk takes a part, and asking for the rest tells why.
  while (!unwritten_.empty()) {
    const ssize_t count = ::write(file_, unwritten_.data(), unwritten_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw StorageError(fmt::format("cannot write '{}': {}", path_, errno_text(errno)));
    unwritten_.erase(0, static_cast<size_t>(count));
  }
}

std::vector<LogRecord> read_log(const std::string& path) {
  std::string text;
  if (read_file(path, text) == ReadResult::kMissing) {
    throw DataError(fmt::format("run log '{}' does not exist", path));
  }
  std::vector<LogRecord> records;
  for_each_record(path, text, [&](std::string_view, LogRecord record) { records.push_back(std::move(record)); });
  return records;
}

}  // namespace bn
