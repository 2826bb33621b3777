#include "bn/config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/layers.hpp"
#include "config/schema.hpp"
#include "system/installation.hpp"
#include "system/terminal.hpp"

namespace bn {
namespace {

using config::Mistakes;

// Places each problem where it is written. If only the other key of a comparison is written, it is placed there.
Mistakes locate_problems(const std::vector<config::Problem>& problems, const config::YamlNode& tree) {
  Mistakes mistakes;
  for (const config::Problem& problem : problems) {
    const bool is_of_other = !problem.other_path.empty() && !config::is_written(tree, problem.path) &&
                             config::is_written(tree, problem.other_path);
    const std::string& path = is_of_other ? problem.other_path : problem.path;
    mistakes.add({config::locate(tree, path), path, problem.message});
  }
  return mistakes;
}

// `mistakes` are those already found in making the tree. Constraints between keys are not checked while a key cannot be
// read.
Config config_from(const config::YamlNode& tree, Mistakes mistakes = {}) {
  Config result;
  config::read_config(tree, result, mistakes);
  mistakes.throw_if_any();
  locate_problems(config::problems_of(result), tree).throw_if_any();
  return result;
}

}  // namespace

Config config::load(const std::string& path, const std::vector<Override>& overrides) {
  Mistakes mistakes;
  const YamlNode tree = load_tree(path, overrides, mistakes);
  return config_from(tree, std::move(mistakes));
}

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  std::vector<config::Override> arguments;
  for (const std::string& override : overrides) arguments.push_back(config::Override::on_command_line(override));
  return config::load(find_experiment(path), arguments);
}

Config parse_config(const std::string& yaml, const std::string& name) {
  const auto source = std::make_shared<const config::Source>(config::Source{.name = name, .directory = ""});
  return config_from(config::parse_yaml(yaml, source));
}

std::string to_yaml(const Config& config) { return config::print_yaml(config::write_config(config)); }

void check(const Config& config) { config_from(config::write_config(config)); }

std::string config_help(const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) config::expect_known(prefix);
  const auto is_wanted = [&](const config::KeyInfo& key) {
    return prefixes.empty() ||
           std::ranges::any_of(prefixes, [&](const std::string& prefix) { return config::is_in(key.path, prefix); });
  };
  std::string text;
  for (const config::KeyInfo& key : config::known_keys()) {
    if (!is_wanted(key)) continue;
    std::string line = key.path;
    if (!key.condition.empty()) line += fmt::format(" ({})", key.condition);
    if (!key.expected.empty()) line += ": " + key.expected;
    if (!key.preset.empty()) line += fmt::format(" [{}]", key.preset);
    text += wrap(line, kTerminalWidth, 4) + "\n" + wrap("    " + key.help, kTerminalWidth) + "\n";
  }
  return text;
}

std::optional<NamedKey> find_key(const std::string& last_part) {
  const config::KeyInfo* found = nullptr;
  for (const config::KeyInfo& key : config::known_keys()) {
    const bool is_called_so = key.path == last_part || key.path.ends_with("." + last_part);
    const bool is_of_a_row = key.path.find("[]") != std::string::npos;  // there is one for each row
    if (!is_called_so || is_of_a_row) continue;
    if (found == nullptr || key.path.size() < found->path.size()) found = &key;
  }
  if (found == nullptr) return std::nullopt;
  return NamedKey{.path = found->path, .holds_keys = found->expected.empty()};
}

}  // namespace bn
