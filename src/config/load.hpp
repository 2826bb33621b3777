// From files to one tree: the chain of bases, network tables put in place of their paths, overrides on top.
#pragma once

#include <string>
#include <vector>

#include "config/yaml_node.hpp"

namespace bn::config {

// One file as it stands, a map. `asked_by` and `key` say who named it: "experiment.yaml:1:7: base: cannot read ...".
YamlNode parse_file(const std::string& path, const Position& asked_by = {}, const std::string& key = "");
// The path that `node` holds, relative to the file that holds the node.
std::string path_from(const YamlNode& node, const std::string& key);

YamlNode load_tree(const std::string& path, const std::vector<std::string>& overrides);

}  // namespace bn::config
