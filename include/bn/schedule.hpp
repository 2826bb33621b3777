// The learning rate as a function of the step, so that a resumed run has nothing to restore.
#pragma once

#include <cstdint>

#include "bn/train_options.hpp"

namespace bn {

struct RunLength {
  int64_t steps_per_epoch = 1;
  int64_t steps = 1;
};

// The rate for `step`, the step that is computed next, counted from 0: that of the options' shape, which counts from
// the run's first step, times a factor that rises linearly from warmup_from / initial to 1 during the warm-up.
//
// Momentum in its classical form, v = mu v - rate g, keeps each gradient at the rate of its own step. A warm-up that
// ends with a jump therefore acts a few steps late; Goyal et al. 2017 (arXiv 1706.02677, sec. 3, "momentum correction")
// scale v by new rate / old rate. This project does not: the paper's solver is the uncorrected one, and a linear
// warm-up has no jump.
double learning_rate(const LearningRateOptions& options, int64_t step, const RunLength& length);

// Throws ConfigError where the run is too short for the schedule.
void expect_schedule_fits(const LearningRateOptions& options, const RunLength& length);

}  // namespace bn
