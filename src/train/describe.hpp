// The texts of a run's log.
#pragma once

#include <string>

#include "bn/config.hpp"
#include "bn/dataset.hpp"
#include "bn/group.hpp"
#include "bn/net.hpp"

namespace bn {

// Empty when no image was skipped.
std::string describe_skipped(int64_t count, const std::vector<std::string>& names);

// The parts of a run: what is trained, on which images, and by which backend.
struct RunParts {
  const Config& config;
  const Backend& backend;
  const Net& net;
  const Dataset& training;
  const Dataset& validation;
  const Place& place;
};
std::string describe_start(const RunParts& run, const std::string& note);

}  // namespace bn
