#include <fmt/format.h>

#include <algorithm>

#include "bn/config.hpp"
#include "config/schema.hpp"

namespace bn {
namespace {

using config::YamlEntry;
using config::YamlNode;

// Rows are compared by name, so that one row more does not make all the others differ.
std::vector<YamlEntry> parts_of(const YamlNode& node) {
  if (node.kind == config::NodeKind::kMap) return node.entries;
  std::vector<YamlEntry> parts;
  for (const YamlNode& item : node.items) {
    const YamlEntry* name = item.find("row");
    if (name == nullptr) return {};
    parts.push_back({name->value.text, {}, item});
  }
  return parts;
}

const YamlNode* find(const std::vector<YamlEntry>& parts, const std::string& key) {
  const auto found = std::ranges::find(parts, key, &YamlEntry::key);
  return found == parts.end() ? nullptr : &found->value;
}

std::string text_of(const YamlNode* node) { return node == nullptr ? "absent" : config::print_flow(*node); }

void compare(const YamlNode* a, const YamlNode* b, const std::string& path, std::vector<std::string>& lines) {
  const std::vector<YamlEntry> parts_a = a == nullptr ? std::vector<YamlEntry>{} : parts_of(*a);
  const std::vector<YamlEntry> parts_b = b == nullptr ? std::vector<YamlEntry>{} : parts_of(*b);
  if (parts_a.empty() || parts_b.empty()) {
    const std::string text_a = text_of(a), text_b = text_of(b);
    if (text_a != text_b) lines.push_back(fmt::format("{}: {} -> {}", path, text_a, text_b));
    return;
  }
  for (const YamlEntry& part : parts_a) {
    compare(&part.value, find(parts_b, part.key), config::join_path(path, part.key), lines);
  }
  for (const YamlEntry& part : parts_b) {
    if (find(parts_a, part.key) == nullptr) compare(nullptr, &part.value, config::join_path(path, part.key), lines);
  }
}

bool is_length(const std::string& difference) {
  return difference.starts_with("train.steps:") || difference.starts_with("train.epochs:");
}

bool may_change(const std::string& difference) {
  for (const char* key :
       {"data.on_corrupt:", "data.workers:", "data.slots:", "train.log_every:", "train.checkpoint_every:",
        "train.keep_checkpoints:", "distributed.overlap:", "distributed.timeout_seconds:"}) {
    if (difference.starts_with(key)) return true;
  }
  return is_length(difference);
}

bool is_table(const YamlNode& node) {
  return node.kind == config::NodeKind::kList && !node.items.empty() &&
         node.items.front().kind == config::NodeKind::kMap;
}

void collect(const YamlNode& node, const std::string& path, std::vector<std::pair<std::string, std::string>>& values) {
  if (node.kind == config::NodeKind::kMap) {
    for (const YamlEntry& entry : node.entries) {
      collect(entry.value, config::join_path(path, entry.key), values);
    }
  } else if (!is_table(node)) {
    values.emplace_back(path, node.kind == config::NodeKind::kScalar ? node.text : config::print_flow(node));
  }
}

}  // namespace

std::vector<std::string> diff(const Config& a, const Config& b) {
  const YamlNode tree_a = config::write_config(a), tree_b = config::write_config(b);
  std::vector<std::string> lines;
  compare(&tree_a, &tree_b, "", lines);
  return lines;
}

std::vector<std::string> experiment_diff(const Config& a, const Config& b) {
  std::vector<std::string> lines = diff(a, b);
  const bool has_fixed_length = depends_on_length(b.train.learning_rate.shape);
  std::erase_if(lines,
                [&](const std::string& line) { return may_change(line) && !(has_fixed_length && is_length(line)); });
  return lines;
}

std::vector<std::pair<std::string, std::string>> values_of(const Config& config) {
  std::vector<std::pair<std::string, std::string>> values;
  collect(config::write_config(config), "", values);
  return values;
}

}  // namespace bn
