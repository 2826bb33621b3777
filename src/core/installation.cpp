#include "core/installation.hpp"

#include <system_error>

namespace bn {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::string find_experiment(const std::string& path) {
  std::error_code error;
  // One that is there but cannot be read is an error of its own.
  if (path.empty() || fs::path(path).is_absolute() || fs::exists(path, error) || error) return path;
  const fs::path installed = (program_folder() / BN_CONFIGS_FOLDER / path).lexically_normal();
  return fs::exists(installed, error) ? installed.string() : path;
}

}  // namespace bn
