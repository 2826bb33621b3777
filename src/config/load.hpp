// From files to one tree: the chain of bases, network tables put in place of their paths, overrides on top.
#pragma once

#include <string>
#include <vector>

#include "config/yaml_node.hpp"

namespace bn::config {

YamlNode load_tree(const std::string& path, const std::vector<std::string>& overrides);

}  // namespace bn::config
