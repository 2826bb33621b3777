#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "report/study.hpp"
#include "system/files.hpp"

namespace bn::report {
namespace {

// "*/seed_*" for a folder of folders of runs: what names the runs in it; "" when there are none.
std::string pattern_of_runs_in(const std::string& folder) {
  namespace fs = std::filesystem;
  constexpr int kDeepest = 3;
  std::vector<std::vector<std::string>> found;  // the parts of each path, as many as of the first
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    const bool is_run = fs::exists(path / "config.yaml", error) && fs::exists(path / "log.jsonl", error);
    if (is_run || entry.depth() + 1 == kDeepest) entry.disable_recursion_pending();
    if (!is_run) continue;
    const fs::path below = path.lexically_relative(folder);
    std::vector<std::string> parts(below.begin(), below.end());
    if (found.empty() || parts.size() == found.front().size()) found.push_back(std::move(parts));
  }
  if (found.empty()) return "";
  fs::path pattern;
  for (size_t i = 0; i < found.front().size(); ++i) {
    const auto all = [&](const auto& holds) { return std::ranges::all_of(found, holds); };
    const std::string& first = found.front()[i];
    const bool is_same = all([&](const auto& parts) { return parts[i] == first; });
    const bool is_seed = all([&](const auto& parts) { return parts[i].starts_with("seed_"); });
    pattern /= is_same ? first : is_seed ? "seed_*" : "*";
  }
  return pattern.string();
}

std::filesystem::path folder_of(const Run& run) {
  const std::filesystem::path path(run.folder);
  return path.filename().empty() ? path.parent_path() : path;  // "runs/mine/"
}

// One record for each step. If a step has a value twice, the first counts. Records of earlier steps than the one before
// are left out.
std::vector<LogRecord> one_record_a_step(const std::vector<LogRecord>& log) {
  std::vector<LogRecord> records;
  for (const LogRecord& record : log) {
    if (!records.empty() && record.step < records.back().step) continue;
    if (records.empty() || records.back().step != record.step) records.push_back({.step = record.step});
    LogRecord& merged = records.back();
    for (const Column& column : kColumns) {
      // A larger value is no measurement, and axes would overflow.
      constexpr double kLargest = 1e30;
      const std::optional<double>& value = record.*column.field;
      if (!(merged.*column.field) && value && std::abs(*value) < kLargest) merged.*column.field = value;
    }
    if (merged.percentiles.empty()) merged.percentiles = record.percentiles;
  }
  return records;
}

std::optional<double> median_rate(const std::vector<LogRecord>& records) {
  std::vector<double> rates;
  for (const LogRecord& record : records) {
    if (record.images_per_second) rates.push_back(*record.images_per_second);
  }
  if (rates.empty()) return std::nullopt;
  const auto middle = rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2);
  std::ranges::nth_element(rates, middle);
  return *middle;
}

std::vector<LogRecord> rows_of(const std::vector<LogRecord>& log) {
  constexpr double kStretches = 60;
  std::vector<LogRecord> records = one_record_a_step(log), rows;
  const std::optional<double> rate = median_rate(records);
  double sum = 0;
  int64_t losses = 0;
  for (LogRecord& record : records) {
    if (record.loss) {
      sum += *record.loss;
      ++losses;
    }
    const int64_t begin = rows.empty() ? 0 : rows.back().step;
    const bool is_last = &record == &records.back();
    if (!is_last && !record.validation_top1 && record.percentiles.empty() &&
        static_cast<double>(record.step - begin) * kStretches < static_cast<double>(records.back().step))
      continue;
    if (losses > 0) record.loss = sum / static_cast<double>(losses);
    sum = 0;
    losses = 0;
    record.images_per_second = is_last ? rate : std::nullopt;
    rows.push_back(std::move(record));
  }
  if (!rows.empty()) rows.back().event = log.back().event;
  return rows;
}

}  // namespace

void take_log(Run& run, const std::vector<LogRecord>& log) {
  run.state = "has not begun";
  for (const LogRecord& record : log) {
    run.last_step = std::max(run.last_step, record.step);
    run.end_step = record.step;
    if (record.event == "end") {
      run.end = RunEnd::kFinished;
      run.state = "finished";
    } else if (record.event == "diverged") {
      run.end = RunEnd::kDiverged;
      run.state = fmt::format("diverged at step {}", record.step);
    } else {
      run.end = RunEnd::kUnfinished;
      run.state = record.event == "interrupted" ? fmt::format("was interrupted at step {}", record.step)
                  : record.event == "error"     ? fmt::format("failed at step {}: {}", record.step, record.message)
                                            : fmt::format("has not ended; its last record is of step {}", record.step);
    }
  }
  // Records beyond the step of a divergence do not count.
  std::vector<LogRecord> counting = log;
  if (run.end == RunEnd::kDiverged) {
    std::erase_if(counting, [&](const LogRecord& record) { return record.step > run.end_step; });
  }
  run.rows = rows_of(counting);
}

std::filesystem::path folder_of_all(const Study& study) {
  std::vector<std::filesystem::path> parents;
  for (const Run* run : study.runs()) parents.push_back(folder_of(*run).parent_path());
  return common_folder(parents);
}

std::string relative_folder(const Run& run, const std::filesystem::path& root) {
  const std::filesystem::path folder = folder_of(run);
  return (root.empty() ? folder : folder.lexically_relative(root)).string();
}

Run read_run(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) throw DataError(fmt::format("there is no folder '{}'", folder));
  const RunFolder files(folder);
  const std::optional<std::string> config = files.stored_config();
  std::string log;
  if (!config || read_file(files.log_path(), log) == ReadResult::kMissing) {
    const std::string pattern = pattern_of_runs_in(folder);
    const std::string hint =
        pattern.empty() ? "" : fmt::format("; its runs are {}", (std::filesystem::path(folder) / pattern).string());
    throw DataError(fmt::format("'{}' is no run folder: it has no {}; a sweep folder would have a sweep.json{}", folder,
                                config ? "log.jsonl" : "config.yaml", hint));
  }
  Run run{.folder = folder, .config = parse_config(*config, files.config_path()), .config_text = *config};
  run.seed = run.config.train.seed;
  read_file(folder + "/git.txt", run.version);
  run.version = run.version.substr(0, run.version.find_last_not_of('\n') + 1);
  std::ranges::replace(run.version, '\n', ' ');
  std::string provenance;
  if (read_file(folder + "/made_of.json", provenance) == ReadResult::kRead) {
    run.provenance = provenance_from_json(provenance);
    run.has_damaged_provenance = !run.provenance;
  }
  take_log(run, read_log(files.log_path()));
  return run;
}

std::vector<Point> curve_of(const Run& run, std::optional<double> LogRecord::*field) {
  std::vector<Point> points;
  for (const LogRecord& row : run.rows) {
    if (row.*field) points.push_back({row.step, *(row.*field)});
  }
  return points;
}

std::optional<Point> best_accuracy(const Run& run) {
  std::optional<Point> best;
  for (const Point& point : curve_of(run, &LogRecord::validation_top1)) {
    if (!best || point.value > best->value) best = point;
  }
  return best;
}

std::optional<double> images_per_second(const Run& run) {
  return run.rows.empty() ? std::nullopt : run.rows.back().images_per_second;
}

}  // namespace bn::report
