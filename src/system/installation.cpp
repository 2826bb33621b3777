#include "system/installation.hpp"

#include <system_error>

namespace bn {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

fs::path module_file(const std::string& name) {
  fs::path beside = program_folder() / name;
  return fs::exists(beside) ? beside : program_folder().parent_path() / BN_MODULE_FOLDER / name;
}

std::string installed_experiment(const std::string& name) {
  if (name.empty() || fs::path(name).is_absolute()) return "";
  for (const char* configs : {BN_CONFIGS_FOLDER, "configs"}) {
    const fs::path installed = (program_folder() / configs / name).lexically_normal();
    if (std::error_code error; fs::exists(installed, error)) return installed.string();
  }
  return "";
}

std::string find_experiment(const std::string& path) {
  std::error_code error;
  // One that is there but cannot be read is an error of its own.
  if (path.empty() || fs::path(path).is_absolute() || fs::exists(path, error) || error) return path;
  const std::string installed = installed_experiment(path);
  return installed.empty() ? path : installed;
}

}  // namespace bn
