#include <cmath>

#include "bn/error.hpp"
#include "bn/schedule.hpp"

namespace bn {
namespace {

// 0.1 epochs of 30 steps must end at step 3, though 0.1 * 30 > 3 in doubles: a step closer to the boundary than this
// share of an interval counts as past it. No run has 1e9 steps in an interval.
constexpr double kBoundarySlack = 1e-9;

}  // namespace

double learning_rate(const LearningRateOptions& options, int64_t step, int64_t steps_per_epoch) {
  if (options.decay_factor == 1.0) return options.initial;
  const double interval = options.decay_steps > 0 ? static_cast<double>(options.decay_steps)
                                                  : options.decay_epochs * static_cast<double>(steps_per_epoch);
  if (!(interval > 0)) {
    throw ConfigError(
        "the learning rate decays (decay_factor is not 1), but neither decay_epochs nor decay_steps says how often");
  }
  const double intervals = static_cast<double>(step) / interval;
  const double exponent = options.shape == DecayShape::kStaircase ? std::floor(intervals + kBoundarySlack) : intervals;
  return options.initial * std::pow(options.decay_factor, exponent);
}

}  // namespace bn
