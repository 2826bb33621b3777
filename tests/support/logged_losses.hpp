// The losses that a run has logged, by their step.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bn/run_log.hpp"

namespace bn {

inline std::map<int64_t, double> logged_losses(const std::string& log_path) {
  std::map<int64_t, double> losses;
  for (const LogRecord& record : read_log(log_path)) {
    if (record.loss) losses[record.step] = *record.loss;
  }
  return losses;
}

}  // namespace bn
