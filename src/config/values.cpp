#include "bn/config.hpp"
#include "config/read.hpp"

namespace bn {
namespace {

using config::NodeKind;
using config::YamlNode;

bool is_table(const YamlNode& node) {
  return node.kind == NodeKind::kList && !node.items.empty() && node.items.front().kind == NodeKind::kMap;
}

void collect(const YamlNode& node, const std::string& path, std::vector<std::pair<std::string, std::string>>& values) {
  if (node.kind == NodeKind::kMap) {
    for (const config::YamlEntry& entry : node.entries) {
      collect(entry.value, config::join_path(path, entry.key), values);
    }
  } else if (!is_table(node)) {
    values.emplace_back(path, node.kind == NodeKind::kScalar ? node.text : config::print_flow(node));
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> values_of(const Config& config) {
  std::vector<std::pair<std::string, std::string>> values;
  collect(config::write_config(config), "", values);
  return values;
}

}  // namespace bn
