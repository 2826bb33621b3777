// The layers of a configuration, one over another: the chain of bases, network tables put in place of their paths, and
// overrides on top.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "bn/config.hpp"
#include "config/yaml_node.hpp"

namespace bn::config {

// --- merge.cpp

// Key by key: maps merge deeply, everything else replaces. A map over a list of rows changes the rows it names.
void merge(YamlNode& base, YamlNode over, Mistakes& mistakes, const std::string& path = "");

// "train.batch=60", and where it was written: "--set train.batch=60", "sweep.yaml:3:7".
struct Override {
  std::string text, place;
  static Override on_command_line(const std::string& text) { return {text, "--set " + printable(text)}; }
};
// The map that sets one key: {train: {batch: 60}}. `order`: among the overrides.
YamlNode parse_override(const Override& override, int order = 0);

// Which keys of train.learning_rate have no meaning for which shape.
struct ShapeKeys {
  std::string_view shape;
  std::array<std::string_view, 5> meaningless;  // "" fills up
};
constexpr std::array<ShapeKeys, 4> kShapeKeys{{
    // in the order of DecayShape
    {"staircase", {"power"}},
    {"smooth", {"decay_at_epochs", "power"}},
    {"cosine", {"decay_factor", "decay_epochs", "decay_steps", "decay_at_epochs", "power"}},
    {"polynomial", {"decay_factor", "decay_epochs", "decay_steps", "decay_at_epochs"}},
}};

// Returns where the key stands, or the nearest map around it when it is not written.
Position locate(const YamlNode& tree, const std::string& path);
bool is_written(const YamlNode& tree, const std::string& path);

// --- load.cpp

// One file as it stands, a map. `asked_by` and `key` say who named it: "experiment.yaml:1:7: base: cannot read ...".
YamlNode parse_file(const std::string& path, const Position& asked_by = {}, const std::string& key = "");
// The path that `node` holds, relative to the file that holds the node.
std::string path_from(const YamlNode& node, const std::string& key);

// Mistakes in overrides are kept, and the overrides left out; a file that cannot be read or parsed ends it.
YamlNode load_tree(const std::string& path, const std::vector<Override>& overrides, Mistakes& mistakes);
// Does the work of bn::load_config, which cites every override as `--set`.
Config load(const std::string& path, const std::vector<Override>& overrides);

}  // namespace bn::config
