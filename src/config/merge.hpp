// One layer of settings over another: a file over its base, a `--set` over everything.
#pragma once

#include <string>

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

// Returns where the key stands, or the nearest map around it when it is not written.
Position locate(const YamlNode& tree, const std::string& path);
bool is_written(const YamlNode& tree, const std::string& path);

}  // namespace bn::config
