// How a network is trained: the keys below `train:`.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "bn/error.hpp"
#include "bn/parameters.hpp"

namespace bn {

enum class DecayShape { kStaircase, kSmooth, kCosine, kPolynomial };

// src/train/schedule.cpp has the formulas.
struct LearningRateOptions {
  double initial = 0.01;
  double decay_factor = 1.0;              // kStaircase, kSmooth; when it is not 1, one of the next three is set:
  double decay_epochs = 0;                // the interval in epochs, ...
  int64_t decay_steps = 0;                // ... or in steps, ...
  std::vector<double> decay_at_epochs{};  // ... or the epochs at which a staircase decays, ascending
  DecayShape shape = DecayShape::kStaircase;
  double power = 1.0;  // kPolynomial
  double warmup_epochs = 0;
  double warmup_from = 0;  // the first step's rate where there is a warm-up
};

// True where the rate of a step depends on how many follow it.
inline bool depends_on_length(DecayShape shape) {
  return shape == DecayShape::kCosine || shape == DecayShape::kPolynomial;
}

enum class AverageKind { kNone, kPolyak };
enum class StatisticsKind { kMovingAverage, kPopulation };  // population: the paper's Algorithm 2 over N batches

struct ProbeOptions {  // Fig. 1 b, c: percentiles of one unit's value over a fixed set of validation images
  std::string op{};    // its input is watched: "hidden3/act"; empty = off
  int64_t unit = 0;
  int64_t images = 1000;
  int64_t every = 100;  // steps
};

struct TrainOptions {
  int64_t batch = 32;  // the images of one part
  int64_t parts = 1;  // a step's images are divided into these; each has its own batch statistics; processes share them
  double epochs = 0;  // exactly one of epochs and steps is positive
  int64_t steps = 0;
  uint64_t seed = 1;
  LearningRateOptions learning_rate{};
  double momentum = 0.9;
  MomentumKind momentum_kind = MomentumKind::kClassical;
  double l2 = 0.0;
  DecayScope l2_scope = DecayScope::kWeights;
  InitOptions init{};
  AverageKind average = AverageKind::kNone;
  double average_decay = 0.9999;
  StatisticsKind statistics = StatisticsKind::kMovingAverage;
  double statistics_decay = 0.999;
  int64_t statistics_batches = 100;  // Algorithm 2's N
  int64_t log_every = 100;           // steps
  int64_t evaluate_every = 0;        // steps; 0 = once an epoch
  int64_t evaluate_batch = 100;
  int64_t checkpoint_every = 0;  // steps; 0 = with each evaluation
  int64_t keep_checkpoints = 2;  // the last K, and the best beside them
  ProbeOptions probe{};

  // 0 where the images do not fill the parts of one step.
  int64_t steps_per_epoch(int64_t training_images) const { return training_images / parts / batch; }
  // The steps of a whole run, by `steps` or `epochs`; 0 where too few epochs round to none. Throws ConfigError where
  // they are more than `steps` may be.
  int64_t steps_of_run(int64_t steps_per_epoch) const {
    constexpr double kMost = 1e12;
    if (steps > 0) return steps;
    const double all = epochs * static_cast<double>(steps_per_epoch);
    if (all > kMost) {
      throw ConfigError("train.epochs: the run would have more than 1000000000000 steps; give it fewer epochs");
    }
    return std::llround(all);
  }
  // The updates after which the first ones weigh 5 % in the moving averages of statistics.
  int64_t updates_until_settled() const { return std::llround(3 / (1 - statistics_decay)); }
};

}  // namespace bn
