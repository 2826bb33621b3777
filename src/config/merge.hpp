// One layer of settings over another: a file over its base, a `--set` over everything.
#pragma once

#include <string>
#include <vector>

#include "config/yaml_node.hpp"

namespace bn::config {

// Key by key: maps merge deeply, everything else replaces. A map over a list of rows changes the rows it names.
void merge(YamlNode& base, YamlNode over, const std::string& path = "");

// The map that sets one key: "train.batch=60" is {train: {batch: 60}}. Throws ConfigError citing `--set
// train.batch=60`.
YamlNode parse_override(const std::string& argument);

// Where the key stands; the nearest map around it when it is not written.
Position locate(const YamlNode& tree, const std::string& path);

}  // namespace bn::config
