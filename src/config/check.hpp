// Checks a configuration that could be read: the rules beside single keys, and those between keys, which stand here.
#pragma once

#include <string>
#include <vector>

#include "bn/config.hpp"

namespace bn::config {

struct Problem {
  std::string path, message;
  std::string other_path = "";  // the key that it is compared with, if the mistake may as well be there
};
// All problems, except those that follow from another one.
std::vector<Problem> problems_of(const Config& config);

}  // namespace bn::config
