#include "config/layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "system/text.hpp"

namespace bn::config {
namespace {

// Ways to say the same thing: a layer that gives one drops the others of the layer below. One that says 0 or [] does
// not: it says that another way is meant.
struct Alternatives {
  std::string_view path;
  std::array<std::string_view, 3> keys;  // "" fills up
};
constexpr std::array<Alternatives, 2> kAlternatives{{
    {"train", {"epochs", "steps"}},
    {"train.learning_rate", {"decay_epochs", "decay_steps", "decay_at_epochs"}},
}};

bool gives(const YamlNode& map, std::string_view key) {
  const YamlEntry* entry = map.find(key);
  if (entry == nullptr) return false;
  if (entry->value.kind == NodeKind::kList) return !entry->value.items.empty();
  double number = 1;  // text that is no number is told later, with its place
  const std::string& text = entry->value.text;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number != 0;
}

template <class Keys>
void drop(YamlNode& map, const Keys& keys, std::string_view but = "") {
  std::erase_if(map.entries, [&](const YamlEntry& entry) {
    return entry.key != but && std::ranges::find(keys, entry.key) != keys.end();
  });
}

void drop_alternatives(YamlNode& base, const YamlNode& over, const std::string& path) {
  for (const auto& [where, keys] : kAlternatives) {
    const auto is_given = [&](std::string_view key) { return gives(over, key); };
    if (path != where || std::ranges::count_if(keys, is_given) != 1) continue;
    drop(base, keys, *std::ranges::find_if(keys, is_given));
  }
}

// A layer that says which shape the learning rate has drops what the layer below says about another one.
void drop_other_shape(YamlNode& base, const YamlNode& over, const std::string& path) {
  const YamlEntry* shape = over.find("shape");
  if (path != "train.learning_rate" || shape == nullptr) return;
  for (const ShapeKeys& keys : kShapeKeys) {
    if (shape->value.text == keys.shape) drop(base, keys.meaningless);
  }
}

// The keys of an mlp mean nothing in an Inception table, so one table does not merge into the other.
bool is_another_network(const YamlNode& base, const YamlNode& over, const std::string& path) {
  const YamlEntry *before = base.find("kind"), *after = over.find("kind");
  return path == "model.network" && before != nullptr && after != nullptr && before->value.text != after->value.text;
}

void merge_row(YamlNode& rows, YamlEntry entry, Mistakes& mistakes, const std::string& path) {
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
  merge(*named, std::move(entry.value), mistakes, row_path);
}

// An override adds to a map that stands elsewhere.
bool is_argument(const YamlNode& node) {
  return node.position.source && node.position.source->kind == SourceKind::kArgument;
}

struct Place {
  Position position;
  bool is_written = false;
};

Place find_place(const YamlNode& tree, const std::string& path) {
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
    if (next == nullptr) return {position, false};
    node = next;
    begin = end + 1;
  }
  return {position, true};
}

}  // namespace

void merge(YamlNode& base, YamlNode over, Mistakes& mistakes, const std::string& path) {
  const bool over_is_map = over.kind == NodeKind::kMap && over.merge == Merge::kDeep;
  if (base.kind == NodeKind::kList && over_is_map && !base.items.empty() && base.items.front().find("row") != nullptr) {
    for (YamlEntry& entry : over.entries) {
      mistakes.attempt([&] { merge_row(base, std::move(entry), mistakes, path); });
    }
    return;
  }
  if (base.kind != NodeKind::kMap || !over_is_map || is_another_network(base, over, path)) {
    base = std::move(over);
    return;
  }
  drop_alternatives(base, over, path);
  drop_other_shape(base, over, path);
  if (!is_argument(over)) base.position = over.position;
  for (YamlEntry& entry : over.entries) {
    YamlEntry* below = base.find(entry.key);
    if (below == nullptr) {
      base.entries.push_back(std::move(entry));
    } else {
      if (!is_argument(over) || entry.value.kind != NodeKind::kMap) below->position = entry.position;
      merge(below->value, std::move(entry.value), mistakes, join_path(path, entry.key));
    }
  }
}

YamlNode parse_override(const Override& override, int order) {
  const std::string& argument = override.text;
  const auto source = std::make_shared<const Source>(
      Source{.kind = SourceKind::kArgument, .name = override.place, .directory = "", .order = order});
  const Position position{source, 0, 0};
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) {
    fail(position, "", "expected key.path=value, such as train.batch=60");
  }
  const std::string path = argument.substr(0, equals);
  if (std::ranges::count(path, '.') > 16) fail(position, "", "the key has too many parts");
  YamlNode node = parse_yaml(argument.substr(equals + 1), source, printable(path));
  for (size_t end = path.size(); end != std::string::npos;) {
    const size_t dot = end == 0 ? std::string::npos : path.rfind('.', end - 1);
    const size_t begin = dot == std::string::npos ? 0 : dot + 1;
    const std::string key = path.substr(begin, end - begin);
    if (key.empty()) fail(position, printable(path), "a part of the key is empty, expected key.path=value");
    YamlNode map = node_of(NodeKind::kMap, position);
    map.entries.push_back({key, position, std::move(node)});
    node = std::move(map);
    end = dot;
  }
  return node;
}

Position locate(const YamlNode& tree, const std::string& path) { return find_place(tree, path).position; }
bool is_written(const YamlNode& tree, const std::string& path) { return find_place(tree, path).is_written; }

}  // namespace bn::config
