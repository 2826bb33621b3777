#include "bn/config.hpp"

#include <fmt/format.h>

#include "config/check.hpp"
#include "config/keys.hpp"
#include "config/load.hpp"
#include "config/merge.hpp"
#include "config/read.hpp"
#include "core/installation.hpp"

namespace bn {
namespace {

Config config_from(const config::YamlNode& tree) {
  Config result;
  config::read_config(tree, result);
  const auto problems = config::problems_of(result);
  if (!problems.empty()) {
    config::fail(config::locate(tree, problems.front().path), problems.front().path, problems.front().message);
  }
  return result;
}

}  // namespace

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  return config_from(config::load_tree(find_experiment(path), overrides));
}

Config parse_config(const std::string& yaml, const std::string& name) {
  const auto source = std::make_shared<const config::Source>(config::Source{.name = name, .directory = ""});
  return config_from(config::parse_yaml(yaml, source));
}

std::string to_yaml(const Config& config) { return config::print_yaml(config::write_config(config)); }

void check(const Config& config) {
  Config copy;
  config::read_config(config::write_config(config), copy);  // the range of every key
  const auto problems = config::problems_of(config);
  if (!problems.empty()) config::fail({}, problems.front().path, problems.front().message);
}

std::string config_help() {
  std::string text;
  for (const config::KeyInfo& key : config::known_keys()) {
    text += key.path;
    if (!key.condition.empty()) text += fmt::format(" ({})", key.condition);
    if (!key.expected.empty()) text += ": " + key.expected;
    if (!key.preset.empty()) text += fmt::format(" [{}]", key.preset);
    text += fmt::format("\n    {}\n", key.help);
  }
  return text;
}

}  // namespace bn
