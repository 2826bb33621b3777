#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace bn::test {

// The paths of the experiments under configs/, sorted.
inline std::vector<std::string> configurations() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(BN_SOURCE_DIR "/configs")) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == ".yaml" && path.parent_path().filename() != "networks") files.push_back(path.string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace bn::test
