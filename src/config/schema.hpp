// Every key of an experiment file, in the order in which it is written, the rules between keys, and what is made of the
// keys: YAML into options, options into YAML, suggestions and the help text.
#pragma once

#include <string>
#include <vector>

#include "bn/config.hpp"
#include "config/field.hpp"
#include "config/yaml_node.hpp"

namespace bn::config {

// The Fields point into their argument.
Fields describe(Config& config);

struct Problem {
  std::string path, message;
  std::string other_path = "";  // the key that it is compared with, if the mistake may as well be there
};
// All problems of a configuration that could be read, by the rules beside single keys and those between keys, except
// those that follow from another one.
std::vector<Problem> problems_of(const Config& config);

// --- read.cpp and write.cpp

// Assigns every key of the tree; keys that are not there keep their value. After a mistake `config` is of no use.
void read_config(const YamlNode& tree, Config& config, Mistakes& mistakes);
YamlNode write_config(const Config& config);
YamlNode write_fields(const Fields& fields, const std::string& path);
YamlNode write_target(const Target& target, const std::string& path);

// --- keys.cpp

struct KeyInfo {
  std::string path;            // "train.learning_rate.initial", "model.network.rows[].patch"
  std::string condition = "";  // "kind: mlp" where the key belongs to one alternative only
  std::string expected = "";   // "" for a map of further keys
  std::string preset = "";     // its default; "" when there is none
  std::string help = "";
};
const std::vector<KeyInfo>& known_keys();

// The full path of the known key that `path` may stand for: one with the same or a similar last part; "" if none is.
std::string nearest_key(const std::string& path);

// True if the key is `prefix` or inside it: "train.l2" is in "train", not in "tr".
bool is_in(const std::string& path, const std::string& prefix);
// Throws ConfigError where no key is in `prefix`, with the nearest one.
void expect_known(const std::string& prefix);

}  // namespace bn::config
