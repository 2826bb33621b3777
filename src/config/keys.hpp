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

// True if the key is `prefix` or inside it: "train.l2" is in "train", not in "tr".
bool is_in(const std::string& path, const std::string& prefix);
// Throws ConfigError where no key is in `prefix`, with the nearest one.
void expect_known(const std::string& prefix);

}  // namespace bn::config
