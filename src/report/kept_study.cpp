// A study as a repository keeps it: study.yaml and curves.csv, which FORMATS.md describes.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "bn/error.hpp"
#include "config/yaml_node.hpp"
#include "report/study.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn::report {
namespace {

namespace fs = std::filesystem;
using config::YamlNode;

constexpr const char* kPercentiles[] = {"percentile_15", "percentile_50", "percentile_85"};
constexpr const char* kKeys = "arm,seed,step,end";
constexpr size_t kFirstColumn = 4;  // after the keys

bool has_record(const Study& study, const std::function<bool(const LogRecord&)>& of_kind) {
  return std::ranges::any_of(study.runs(), [&](const Run* run) { return std::ranges::any_of(run->rows, of_kind); });
}

std::string curves_of(const Study& study) {
  std::string text = kKeys;
  std::vector<const Column*> columns;
  for (const Column& column : kColumns) {
    if (!has_record(study, [&](const LogRecord& record) { return (record.*column.field).has_value(); })) continue;
    columns.push_back(&column);
    text += fmt::format(",{}", column.name);
  }
  const bool has_percentiles = has_record(study, [](const LogRecord& record) { return !record.percentiles.empty(); });
  if (has_percentiles) text += fmt::format(",{}", fmt::join(kPercentiles, ","));
  text += '\n';
  for (const Arm& arm : study.arms) {
    for (const Run& run : arm.runs) {
      for (const LogRecord& record : run.rows) {
        text += fmt::format("{},{},{},{}", csv_field(arm.name), run.seed, record.step, record.event);
        for (const Column* column : columns) {
          const std::optional<double>& value = record.*column->field;
          text += "," + (value ? fmt::format(fmt::runtime(column->format), *value) : "");
        }
        for (size_t i = 0; has_percentiles && i < std::size(kPercentiles); ++i) {
          text += "," + (i < record.percentiles.size() ? fmt::format("{:.5g}", record.percentiles[i]) : "");
        }
        text += '\n';
      }
    }
  }
  return text;
}

std::string json_of(const Study& study) {
  using Json = nlohmann::ordered_json;
  const auto text_of = [](const Json& json) { return json_text(json); };
  const fs::path root = folder_of_all(study);
  std::string runs;
  for (const Arm& arm : study.arms) {
    for (const Run& run : arm.runs) {
      const Json json{
          {"arm", arm.name}, {"seed", run.seed}, {"folder", relative_folder(run, root)}, {"version", run.version}};
      runs += fmt::format("{}  {}", runs.empty() ? "" : ",\n", text_of(json));
    }
  }
  std::string images;
  if (study.validation_images > 0) images += fmt::format(" \"validation_images\": {},\n", study.validation_images);
  if (study.majority > 0) images += fmt::format(" \"majority\": {},\n", study.majority);
  return fmt::format(
      "{{\n \"name\": {},\n \"baseline\": {},\n \"notes\": {},\n \"figures\": {},\n{} \"runs\": [\n{}\n ]\n}}\n",
      text_of(study.name), text_of(study.arms[study.baseline].name), text_of(study.notes), text_of(study.kept_figures),
      images, runs);
}

YamlNode parse(const std::string& config_text) {
  return config::parse_yaml(config_text, std::make_shared<const config::Source>());
}

bool are_maps(const YamlNode& a, const YamlNode& b) {
  return a.kind == config::NodeKind::kMap && b.kind == config::NodeKind::kMap;
}

// The keys of `map` that `base` lacks or has otherwise.
YamlNode differences(const YamlNode& base, const YamlNode& map) {
  YamlNode result = node_of(config::NodeKind::kMap);
  for (const auto& [key, position, value] : map.entries) {
    const config::YamlEntry* below = base.find(key);
    if (below != nullptr && print_flow(below->value) == print_flow(value)) continue;
    const bool is_deeper = below != nullptr && are_maps(below->value, value);
    result.entries.push_back({key, {}, is_deeper ? differences(below->value, value) : value});
  }
  return result;
}

void lay_over(YamlNode& base, const YamlNode& over) {
  for (const config::YamlEntry& entry : over.entries) {
    config::YamlEntry* below = base.find(entry.key);
    if (below == nullptr) {
      base.entries.push_back(entry);
    } else if (are_maps(below->value, entry.value)) {
      lay_over(below->value, entry.value);
    } else {
      below->value = entry.value;
    }
  }
}

std::string laid_over(const std::string& base, const std::string& over) {
  YamlNode tree = parse(base);
  lay_over(tree, parse(over));
  return print_yaml(tree);
}

constexpr std::string_view kNextDocument = "\n--- # ";
std::string head_of_config(const std::string& arm) { return fmt::format("--- # {}\n", arm); }
std::string head_of_differences(const std::string& arm, const std::string& first) {
  return fmt::format("--- # {}: what differs from {}\n", arm, first);
}

// The configuration of an arm, whole where the first arm's with differences over it would not be the same text: where
// it lacks one of the first arm's keys.
std::string document_of(const Arm& arm, const Arm& first) {
  const std::string &text = arm.runs.front().config_text, &base = first.runs.front().config_text;
  if (&arm != &first) {
    const std::string over = print_yaml(differences(parse(base), parse(text)));
    if (laid_over(base, over) == text) return head_of_differences(arm.name, first.name) + over;
  }
  return head_of_config(arm.name) + text;
}

// The text between the line `head` and the next document.
std::optional<std::string> document_after(const std::string& head, const std::string& text) {
  const size_t at = text.find("\n" + head);
  if (at == std::string::npos) return std::nullopt;
  const size_t begin = at + 1 + head.size(), end = text.find(kNextDocument, begin - 1);
  return text.substr(begin, end == std::string::npos ? end : end + 1 - begin);
}

// Reads what document_of() wrote. `base`: the first arm's configuration, empty for the first arm itself.
std::string config_text_of(const Arm& arm, const Arm& first, const std::string& base, const std::string& text,
                           const std::string& path) {
  const std::string head = head_of_config(arm.name);
  if (const auto whole = document_after(head, text)) return *whole;
  const auto over = document_after(head_of_differences(arm.name, first.name), text);
  if (base.empty() || !over) throw DataError(fmt::format("'{}' has no line {}", path, head.substr(0, head.size() - 1)));
  return laid_over(base, *over);
}

// Splits a line of CSV; an unclosed quote gives too few cells.
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  bool is_quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && is_quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

template <class T>
T number_of(const std::string& cell) {
  const std::optional<T> value = number_in<T>(cell);
  if (!value) throw std::invalid_argument(fmt::format("'{}' is not a number", cell));
  return *value;
}

// Where the cells of a line go: the columns of the file, in its order. A percentile's is null.
using Columns = std::vector<const Column*>;

Columns columns_of(std::string_view head) {
  const std::vector<std::string> names = cells_of(head);
  if (!head.starts_with(kKeys) || names.size() < kFirstColumn) {
    throw std::invalid_argument(fmt::format("it does not begin with {}", kKeys));
  }
  Columns columns;
  for (size_t i = kFirstColumn; i < names.size(); ++i) {
    const auto* const column = std::ranges::find(kColumns, names[i], &Column::name);
    const bool is_percentile = std::ranges::find(kPercentiles, names[i]) != std::end(kPercentiles);
    if (column == std::end(kColumns) && !is_percentile) {
      throw std::invalid_argument(fmt::format("there is no column '{}'", names[i]));
    }
    columns.push_back(is_percentile ? nullptr : column);
  }
  return columns;
}

struct CurveLine {
  std::string arm{};
  uint64_t seed = 0;
  LogRecord record{};
};

CurveLine parse_curve_line(std::string_view line, const Columns& columns) {
  const std::vector<std::string> cells = cells_of(line);
  if (cells.size() != kFirstColumn + columns.size()) {
    throw std::invalid_argument(fmt::format("it has {} cells, not {}", cells.size(), kFirstColumn + columns.size()));
  }
  CurveLine parsed{.arm = cells[0], .seed = number_of<uint64_t>(cells[1])};
  parsed.record.step = number_of<int64_t>(cells[2]);
  if (parsed.record.step < 0) throw std::invalid_argument(fmt::format("the step {} is below 0", cells[2]));
  parsed.record.event = cells[3];
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string& cell = cells[kFirstColumn + i];
    if (cell.empty()) continue;
    if (columns[i] == nullptr) {
      parsed.record.percentiles.push_back(number_of<double>(cell));
    } else {
      parsed.record.*columns[i]->field = number_of<double>(cell);
    }
  }
  if (parsed.record.percentiles.size() < std::size(kPercentiles)) parsed.record.percentiles.clear();
  return parsed;
}

using Curves = std::map<std::pair<std::string, uint64_t>, std::vector<LogRecord>>;

Curves read_curves(const std::string& path) {
  std::string text;
  if (read_file(path, text) == ReadResult::kMissing) throw DataError(fmt::format("'{}' is missing", path));
  Curves curves;
  Columns columns;
  int64_t number = 0;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    try {
      if (++number == 1) {
        columns = columns_of(line);
        continue;
      }
      CurveLine parsed = parse_curve_line(line, columns);
      curves[{parsed.arm, parsed.seed}].push_back(std::move(parsed.record));
    } catch (const std::invalid_argument& error) {
      throw DataError(fmt::format("{}:{}: is no line of a kept study: {}", path, number, error.what()));
    }
  }
  return curves;
}

}  // namespace

bool is_kept_study(const std::string& folder) { return fs::exists(folder + "/curves.csv"); }

Study read_kept_study(const std::string& folder) {
  const std::string path = folder + "/study.yaml";
  std::string text, baseline;
  if (read_file(path, text) == ReadResult::kMissing) throw DataError(fmt::format("'{}' is missing", path));
  Study study;
  try {
    const auto json = nlohmann::json::parse(text.substr(0, text.find(kNextDocument)));
    json.at("name").get_to(study.name);
    json.at("notes").get_to(study.notes);
    json.at("baseline").get_to(baseline);
    json.at("figures").get_to(study.kept_figures);
    study.note_validation_set(json.value("validation_images", int64_t{0}), json.value("majority", 0.0));
    for (const auto& entry : json.at("runs")) {
      study.arm_named(entry.at("arm").get<std::string>())
          .runs.push_back({.folder = folder + "/" + entry.at("folder").get<std::string>(),
                           .seed = entry.at("seed").get<uint64_t>(),
                           .version = entry.at("version").get<std::string>()});
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("'{}' is not the record of a kept study: {}", path, error.what()));
  }
  Curves curves = read_curves(folder + "/curves.csv");
  std::string base;
  for (Arm& arm : study.arms) {
    if (arm.name == baseline) study.baseline = static_cast<size_t>(&arm - study.arms.data());
    const std::string config_text = config_text_of(arm, study.arms.front(), base, text, path);
    if (base.empty()) base = config_text;
    const Config config = parse_config(config_text, fmt::format("{} of {}", arm.name, path));
    for (Run& run : arm.runs) {
      auto curve = curves.extract({arm.name, run.seed});
      if (curve.empty()) {
        throw DataError(
            fmt::format("'{}' names {} with seed {}, of which curves.csv has no line", path, arm.name, run.seed));
      }
      run.config_text = config_text;
      run.config = config;
      run.config.train.seed = run.seed;
      take_log(run, curve.mapped());
    }
  }
  if (!curves.empty()) {
    const auto& [arm, seed] = curves.begin()->first;
    throw DataError(
        fmt::format("'{}/curves.csv' has lines of {} with seed {}, which study.yaml does not name", folder, arm, seed));
  }
  return study;
}

void keep_study(const Study& study, const std::string& folder) {
  std::string text = json_of(study);
  for (const Arm& arm : study.arms) text += document_of(arm, study.arms.front());
  write_file(folder + "/study.yaml", text);
  write_file(folder + "/curves.csv", curves_of(study));
}

}  // namespace bn::report
