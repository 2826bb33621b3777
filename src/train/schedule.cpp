#include "bn/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "bn/error.hpp"

namespace bn {
namespace {

// 0.1 epochs of 30 steps must end at step 3, though 0.1 * 30 > 3 in doubles: a step closer to the boundary than this
// share of an interval counts as past it. No run has 1e9 steps in an interval.
constexpr double kBoundarySlack = 1e-9;

// How often the rate has been multiplied by decay_factor: initial * decay_factor ^ (step / interval), floored for a
// staircase.
double decays_until(const LearningRateOptions& options, int64_t step, const RunLength& length) {
  const auto steps = static_cast<double>(step), steps_per_epoch = static_cast<double>(length.steps_per_epoch);
  const std::vector<double>& epochs = options.decay_at_epochs;
  if (!epochs.empty()) {
    const auto next = std::upper_bound(epochs.begin(), epochs.end(), steps / steps_per_epoch + kBoundarySlack);
    return static_cast<double>(next - epochs.begin());
  }
  const double interval =
      options.decay_steps > 0 ? static_cast<double>(options.decay_steps) : options.decay_epochs * steps_per_epoch;
  if (!(interval > 0)) {
    throw ConfigError(
        "the learning rate decays (decay_factor is not 1), but none of decay_epochs, decay_steps and decay_at_epochs "
        "says when");
  }
  const double intervals = steps / interval;
  return options.shape == DecayShape::kStaircase ? std::floor(intervals + kBoundarySlack) : intervals;
}

double without_warmup(const LearningRateOptions& options, int64_t step, const RunLength& length) {
  const double done = static_cast<double>(step) / static_cast<double>(length.steps);
  switch (options.shape) {
    case DecayShape::kStaircase:
    case DecayShape::kSmooth:
      if (options.decay_factor == 1.0) return options.initial;
      return options.initial * std::pow(options.decay_factor, decays_until(options, step, length));
    case DecayShape::kCosine:  // Loshchilov and Hutter 2017 (arXiv 1608.03983), eq. 5, without restarts
      return options.initial * 0.5 * (1.0 + std::cos(std::numbers::pi * std::min(done, 1.0)));
    case DecayShape::kPolynomial:  // Caffe's "poly"
      return options.initial * std::pow(std::max(1.0 - done, 0.0), options.power);
  }
  return options.initial;
}

}  // namespace

double learning_rate(const LearningRateOptions& options, int64_t step, const RunLength& length) {
  const double rate = without_warmup(options, step, length);
  const double warmup = options.warmup_epochs * static_cast<double>(length.steps_per_epoch);  // steps
  if (static_cast<double>(step) >= warmup) return rate;
  const double start = options.warmup_from / options.initial;
  return rate * (start + (1.0 - start) * static_cast<double>(step) / warmup);
}

void expect_schedule_fits(const LearningRateOptions& options, const RunLength& length) {
  const double warmup = options.warmup_epochs * static_cast<double>(length.steps_per_epoch);
  if (warmup <= static_cast<double>(length.steps)) return;
  throw ConfigError(fmt::format(
      "train.learning_rate.warmup_epochs: {} epochs of {} steps are longer than the run of {} steps; shorten "
      "the warm-up or train longer",
      options.warmup_epochs, length.steps_per_epoch, length.steps));
}

}  // namespace bn
