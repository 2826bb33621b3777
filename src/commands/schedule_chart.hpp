// A learning-rate schedule drawn in characters.
#pragma once

#include <string>

#include "bn/schedule.hpp"

namespace bn {

// Lines of at most `columns` characters: a chart of the rate against the step, and the rates of some steps as numbers.
std::string schedule_chart(const LearningRateOptions& options, const RunLength& length, int64_t columns);

}  // namespace bn
