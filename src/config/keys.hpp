// Every key there is, for suggestions and for the help text.
#pragma once

#include <string>
#include <vector>

namespace bn::config {

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

}  // namespace bn::config
