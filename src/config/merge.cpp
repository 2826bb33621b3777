#include "config/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/suggest.hpp"

namespace bn::config {
namespace {

// Two ways to say the same thing: a layer that gives one drops the other of the layer below.
struct Alternatives {
  const char* path;
  const char* first;
  const char* second;
};
constexpr std::array<Alternatives, 2> kAlternatives{{
    {"train", "epochs", "steps"},
    {"train.learning_rate", "decay_epochs", "decay_steps"},
}};

void drop_alternative(YamlNode& base, const YamlNode& over, const std::string& path) {
  for (const Alternatives& pair : kAlternatives) {
    if (path != pair.path) continue;
    const bool first = over.find(pair.first) != nullptr, second = over.find(pair.second) != nullptr;
    if (first == second) continue;
    std::erase_if(base.entries, [&](const YamlEntry& e) { return e.key == (first ? pair.second : pair.first); });
  }
}

// The keys of an mlp mean nothing in an Inception table, so one table does not merge into the other.
bool is_another_network(const YamlNode& base, const YamlNode& over, const std::string& path) {
  const YamlEntry *before = base.find("kind"), *after = over.find("kind");
  return path == "model.network" && before != nullptr && after != nullptr && before->value.text != after->value.text;
}

void merge_rows(YamlNode& rows, YamlNode over, const std::string& path) {
  for (YamlEntry& entry : over.entries) {
    std::vector<std::string> names;
    YamlNode* named = nullptr;
    for (YamlNode& row : rows.items) {
      const YamlEntry* name = row.find("row");
      if (name == nullptr || name->value.kind != NodeKind::kScalar) continue;
      names.push_back(name->value.text);
      if (name->value.text == entry.key) named = &row;
    }
    const std::string row_path = join_path(path, printable(entry.key));
    if (named == nullptr) {
      fail(entry.position, row_path,
           fmt::format("no row has this name, the rows are: {}{}", join(names), suggestion(entry.key, names)));
    }
    if (entry.value.kind != NodeKind::kMap) {
      fail(entry.value.position, row_path, fmt::format("got {}, expected a map of the row's keys", shown(entry.value)));
    }
    merge(*named, std::move(entry.value), row_path);
  }
}

}  // namespace

void merge(YamlNode& base, YamlNode over, const std::string& path) {
  const bool over_is_map = over.kind == NodeKind::kMap && over.merge == Merge::kDeep;
  if (base.kind == NodeKind::kList && over_is_map && !base.items.empty() && base.items.front().find("row") != nullptr) {
    return merge_rows(base, std::move(over), path);
  }
  if (base.kind != NodeKind::kMap || !over_is_map || is_another_network(base, over, path)) {
    base = std::move(over);
    return;
  }
  drop_alternative(base, over, path);
  base.position = over.position;
  for (YamlEntry& entry : over.entries) {
    YamlEntry* below = base.find(entry.key);
    if (below == nullptr) {
      base.entries.push_back(std::move(entry));
    } else {
      below->position = entry.position;
      merge(below->value, std::move(entry.value), join_path(path, entry.key));
    }
  }
}

YamlNode parse_override(const std::string& argument) {
  const auto source = std::make_shared<const Source>(
      Source{.kind = SourceKind::kArgument, .name = "--set " + printable(argument), .directory = ""});
  const Position position{source, 0, 0};
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) {
    fail(position, "", "expected key.path=value, such as train.batch=60");
  }
  const std::string path = argument.substr(0, equals);
  if (std::count(path.begin(), path.end(), '.') > 16) fail(position, "", "the key has too many parts");
  YamlNode node = parse_yaml(argument.substr(equals + 1), source, printable(path));
  for (size_t end = path.size(); end != std::string::npos;) {
    const size_t dot = end == 0 ? std::string::npos : path.rfind('.', end - 1);
    const size_t begin = dot == std::string::npos ? 0 : dot + 1;
    const std::string key = path.substr(begin, end - begin);
    if (key.empty()) fail(position, printable(path), "a part of the key is empty, expected key.path=value");
    YamlNode map;
    map.kind = NodeKind::kMap;
    map.position = position;
    map.entries.push_back({key, position, std::move(node)});
    node = std::move(map);
    end = dot;
  }
  return node;
}

Position locate(const YamlNode& tree, const std::string& path) {
  Position position = tree.position;
  const YamlNode* node = &tree;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string_view key = std::string_view(path).substr(begin, end - begin);
    const YamlNode* next = nullptr;
    if (const YamlEntry* entry = node->find(key)) {
      position = entry->position;
      next = &entry->value;
    }
    for (const YamlNode& item : node->items) {
      const YamlEntry* name = item.find("row");
      if (name == nullptr || name->value.text != key) continue;
      position = item.position;
      next = &item;
    }
    if (next == nullptr) break;
    node = next;
    begin = end + 1;
  }
  return position;
}

}  // namespace bn::config
