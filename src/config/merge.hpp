// One layer of settings over another: a file over its base, a `--set` over everything.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "config/mistakes.hpp"
#include "config/yaml_node.hpp"

namespace bn::config {

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

}  // namespace bn::config
