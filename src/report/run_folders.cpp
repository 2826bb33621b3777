#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "bn/error.hpp"
#include "bn/report.hpp"
#include "core/files.hpp"
#include "report/study.hpp"

namespace bn {

std::vector<std::string> run_folders(const std::string& input) {
  namespace fs = std::filesystem;
  const std::string path = input + "/sweep.json";
  std::string text;
  if (!fs::is_directory(input) || read_file(path, text) == ReadResult::kMissing) {
    report::read_run(input);
    return {input};
  }
  std::vector<std::string> folders;
  try {
    const auto sweep = nlohmann::json::parse(text);
    for (const auto& run : sweep.at("runs")) {
      folders.push_back((fs::path(input) / run.at("folder").get<std::string>()).string());
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("'{}' is not the record of a sweep: {}", path, error.what()));
  }
  return folders;
}

}  // namespace bn
