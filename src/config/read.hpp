// YAML into options, and options into YAML.
#pragma once

#include <string>

#include "bn/config.hpp"
#include "config/field.hpp"
#include "config/mistakes.hpp"
#include "config/yaml_node.hpp"

namespace bn::config {

// Assigns every key of the tree; keys that are not there keep their value. After a mistake `config` is of no use.
void read_config(const YamlNode& tree, Config& config, Mistakes& mistakes);
YamlNode write_config(const Config& config);
YamlNode write_fields(const Fields& fields, const std::string& path);
YamlNode write_target(const Target& target, const std::string& path);

}  // namespace bn::config
