#include <fmt/format.h>

#include <algorithm>

#include "bn/config.hpp"
#include "commands/commands.hpp"

namespace bn {

std::string explain_option(const CLI::App& command, const std::string& option, const std::string& value) {
  if (command.get_option_no_throw("--set") == nullptr) return "";
  std::string name = option.substr(std::min(option.find_first_not_of('-'), option.size()));
  std::replace(name.begin(), name.end(), '-', '_');
  const std::optional<NamedKey> key = find_key(name);
  if (!key) return "";
  if (key->holds_keys) {
    return fmt::format("the configuration has several values in {0}, which `bninception config keys {0}` lists",
                       key->path);
  }
  return fmt::format("a value of the configuration is set by --set {}={}", key->path, value.empty() ? "VALUE" : value);
}

}  // namespace bn
