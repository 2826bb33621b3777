#pragma once

#include <string>

#include "bn/config.hpp"

namespace bn {

// `profile --plan-only` prints the plan of a step on the GPU that the file `device` describes; nothing runs. It throws
// UnsupportedError after printing when that GPU's memory would not suffice.
struct PlanRequest {
  std::string device{};
  bool evaluation = false;
  bool json = false;
};
void print_plan(const Config& config, const PlanRequest& request);

}  // namespace bn
