// Reads what a run has left in its folder.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "bn/run_folder.hpp"
#include "bn/run_log.hpp"

namespace bn::test {

// The step of its newest checkpoint, 0 where it has none.
inline int64_t newest(const RunFolder& folder) {
  const std::vector<int64_t> steps = folder.checkpoint_steps();
  return steps.empty() ? 0 : steps.back();
}

// A line of the log for each step and evaluation, without its times.
inline std::vector<std::string> curve(const RunFolder& folder) {
  std::vector<std::string> points;
  for (const LogRecord& record : read_log(folder.log_path())) {
    if (record.event != "train" && record.event != "evaluate") continue;
    points.push_back(fmt::format("{} {} {} {} {} {} {}", record.event, record.step, record.loss.value_or(-1),
                                 record.learning_rate.value_or(-1), record.train_top1.value_or(-1),
                                 record.validation_top1.value_or(-1), record.validation_loss.value_or(-1)));
  }
  return points;
}

// The losses, by their step.
inline std::map<int64_t, double> logged_losses(const RunFolder& folder) {
  std::map<int64_t, double> losses;
  for (const LogRecord& record : read_log(folder.log_path())) {
    if (record.loss) losses[record.step] = *record.loss;
  }
  return losses;
}

}  // namespace bn::test
