// The learning rate as a function of the step.
#pragma once

#include <cstdint>

#include "bn/train_options.hpp"

namespace bn {

// The rate for `step`, the step that is computed next, counted from 0.
double learning_rate(const LearningRateOptions& options, int64_t step, int64_t steps_per_epoch);

}  // namespace bn
