// Makes one tree from files: the chain of bases, network tables put in place of their paths, overrides on top.
#pragma once

#include <string>
#include <vector>

#include "bn/config.hpp"
#include "config/merge.hpp"
#include "config/yaml_node.hpp"

namespace bn::config {

// One file as it stands, a map. `asked_by` and `key` say who named it: "experiment.yaml:1:7: base: cannot read ...".
YamlNode parse_file(const std::string& path, const Position& asked_by = {}, const std::string& key = "");
// The path that `node` holds, relative to the file that holds the node.
std::string path_from(const YamlNode& node, const std::string& key);

// Mistakes in overrides are kept, and the overrides left out; a file that cannot be read or parsed ends it.
YamlNode load_tree(const std::string& path, const std::vector<Override>& overrides, Mistakes& mistakes);
// Does the work of bn::load_config, which cites every override as `--set`.
Config load(const std::string& path, const std::vector<Override>& overrides);

}  // namespace bn::config
