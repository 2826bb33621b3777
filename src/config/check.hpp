// Constraints between keys, which no key's own range can express.
#pragma once

#include <string>
#include <vector>

#include "bn/config.hpp"

namespace bn::config {

struct Problem {
  std::string path, message;
};
std::vector<Problem> problems_of(const Config& config);

}  // namespace bn::config
