#include <gtest/gtest.h>

#include <cmath>

#include "bn/error.hpp"
#include "bn/schedule.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

// The rate does not depend on the length of such a run.
RunLength epochs_of(int64_t steps) { return {.steps_per_epoch = steps, .steps = 1'000'000'000}; }

TEST(LearningRate, StaysWithoutDecay) {
  const LearningRateOptions options{.initial = 0.25};
  EXPECT_EQ(learning_rate(options, 0, epochs_of(10)), 0.25);
  EXPECT_EQ(learning_rate(options, 1'000'000, epochs_of(10)), 0.25);
}

TEST(LearningRate, StaircaseInSteps) {
  const LearningRateOptions options{.initial = 1.0, .decay_factor = 0.5, .decay_steps = 100};
  EXPECT_EQ(learning_rate(options, 99, epochs_of(7)), 1.0);
  EXPECT_EQ(learning_rate(options, 100, epochs_of(7)), 0.5);
  EXPECT_EQ(learning_rate(options, 199, epochs_of(7)), 0.5);
  EXPECT_EQ(learning_rate(options, 200, epochs_of(7)), 0.25);
}

TEST(LearningRate, StaircaseInEpochs) {  // GoogLeNet: -4 % every 8 epochs
  const LearningRateOptions options{.initial = 0.0015, .decay_factor = 0.96, .decay_epochs = 8};
  const int64_t steps_per_epoch = 40'036;
  EXPECT_EQ(learning_rate(options, 8 * steps_per_epoch - 1, epochs_of(steps_per_epoch)), 0.0015);
  EXPECT_DOUBLE_EQ(learning_rate(options, 8 * steps_per_epoch, epochs_of(steps_per_epoch)), 0.0015 * 0.96);
  EXPECT_DOUBLE_EQ(learning_rate(options, 80 * steps_per_epoch, epochs_of(steps_per_epoch)),
                   0.0015 * std::pow(0.96, 10));
}

TEST(LearningRate, SmoothDecaysEachStep) {
  const LearningRateOptions options{
      .initial = 2.0, .decay_factor = 0.25, .decay_steps = 100, .shape = DecayShape::kSmooth};
  EXPECT_EQ(learning_rate(options, 0, epochs_of(1)), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 50, epochs_of(1)), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 100, epochs_of(1)), 0.5);
}

TEST(LearningRate, FractionOfAnEpochEndsOnItsStep) {
  // 0.1 * 3 > 0.3 in doubles, and many like it.
  for (int64_t tenths = 1; tenths <= 50; ++tenths) {
    for (const int64_t steps_per_epoch : {10, 30, 70, 110, 1230}) {
      const LearningRateOptions options{
          .initial = 1.0, .decay_factor = 0.5, .decay_epochs = static_cast<double>(tenths) / 10};
      const int64_t interval = tenths * steps_per_epoch / 10;
      ASSERT_EQ(learning_rate(options, interval - 1, epochs_of(steps_per_epoch)), 1.0)
          << tenths << " " << steps_per_epoch;
      ASSERT_EQ(learning_rate(options, interval, epochs_of(steps_per_epoch)), 0.5) << tenths << " " << steps_per_epoch;
      ASSERT_EQ(learning_rate(options, 3 * interval, epochs_of(steps_per_epoch)), 0.125)
          << tenths << " " << steps_per_epoch;
    }
  }
}

TEST(LearningRate, DecayWithoutAnIntervalIsAnError) {
  const std::string message = test::error_message<ConfigError>(
      [] { return learning_rate({.initial = 1.0, .decay_factor = 0.5}, 10, epochs_of(10)); });
  EXPECT_EQ(message,
            "the learning rate decays (decay_factor is not 1), but none of decay_epochs, decay_steps and "
            "decay_at_epochs says when");
}

TEST(LearningRate, DecaysAtTheEpochsThatAreNamed) {  // Goyal et al. 2017: a tenth at epochs 30, 60 and 80
  const LearningRateOptions options{.initial = 0.5, .decay_factor = 0.1, .decay_at_epochs = {30, 60, 80.5}};
  const RunLength length = epochs_of(10);
  EXPECT_EQ(learning_rate(options, 299, length), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(options, 300, length), 0.05);
  EXPECT_DOUBLE_EQ(learning_rate(options, 599, length), 0.05);
  EXPECT_DOUBLE_EQ(learning_rate(options, 600, length), 0.005);
  EXPECT_DOUBLE_EQ(learning_rate(options, 804, length), 0.005);
  EXPECT_DOUBLE_EQ(learning_rate(options, 805, length), 0.0005);
  EXPECT_DOUBLE_EQ(learning_rate(options, 100'000, length), 0.0005);
}

TEST(LearningRate, ANamedFractionOfAnEpochEndsOnItsStep) {
  const LearningRateOptions options{.initial = 1.0, .decay_factor = 0.5, .decay_at_epochs = {0.1, 0.7}};
  EXPECT_EQ(learning_rate(options, 2, epochs_of(30)), 1.0);
  EXPECT_EQ(learning_rate(options, 3, epochs_of(30)), 0.5);
  EXPECT_EQ(learning_rate(options, 20, epochs_of(30)), 0.5);
  EXPECT_EQ(learning_rate(options, 21, epochs_of(30)), 0.25);
}

TEST(LearningRate, CosineFallsToZeroOverTheRun) {
  const LearningRateOptions options{.initial = 2.0, .shape = DecayShape::kCosine};
  const RunLength length{.steps_per_epoch = 7, .steps = 60};
  EXPECT_EQ(learning_rate(options, 0, length), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 10, length), 1.0 + std::sqrt(3.0) / 2);  // cos 30 degrees
  EXPECT_DOUBLE_EQ(learning_rate(options, 20, length), 1.5);                       // cos 60 degrees
  EXPECT_DOUBLE_EQ(learning_rate(options, 30, length), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 40, length), 0.5);
  EXPECT_GT(learning_rate(options, 59, length), 0.0);
  EXPECT_EQ(learning_rate(options, 60, length), 0.0);
  EXPECT_EQ(learning_rate(options, 70, length), 0.0);
}

TEST(LearningRate, PolynomialFallsToZeroOverTheRun) {
  LearningRateOptions options{.initial = 2.0, .shape = DecayShape::kPolynomial};
  const RunLength length{.steps_per_epoch = 7, .steps = 100};
  EXPECT_EQ(learning_rate(options, 0, length), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 25, length), 1.5);  // linear
  options.power = 2;
  EXPECT_DOUBLE_EQ(learning_rate(options, 50, length), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(options, 90, length), 0.02);
  options.power = 0.5;
  EXPECT_DOUBLE_EQ(learning_rate(options, 75, length), 1.0);
  EXPECT_EQ(learning_rate(options, 100, length), 0.0);
  EXPECT_EQ(learning_rate(options, 101, length), 0.0);
}

TEST(LearningRate, WarmUpRisesLinearlyFromItsFirstStep) {
  const LearningRateOptions options{.initial = 0.8, .warmup_epochs = 2, .warmup_from = 0.2};
  const RunLength length = epochs_of(10);
  EXPECT_DOUBLE_EQ(learning_rate(options, 0, length), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(options, 5, length), 0.35);
  EXPECT_DOUBLE_EQ(learning_rate(options, 10, length), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(options, 19, length), 0.77);
  EXPECT_EQ(learning_rate(options, 20, length), 0.8);
  EXPECT_EQ(learning_rate(options, 21, length), 0.8);
}

TEST(LearningRate, WarmUpScalesTheDecayBelowIt) {
  const LearningRateOptions options{
      .initial = 2.0, .shape = DecayShape::kCosine, .warmup_epochs = 3, .warmup_from = 0.5};
  const RunLength length{.steps_per_epoch = 10, .steps = 60};
  EXPECT_DOUBLE_EQ(learning_rate(options, 0, length), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(options, 20, length), 1.5 * 0.75);  // two thirds of the way from a quarter to 1
  EXPECT_DOUBLE_EQ(learning_rate(options, 30, length), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 40, length), 0.5);
}

TEST(LearningRate, AWarmUpMustFitTheRun) {
  const LearningRateOptions options{.initial = 1.0, .warmup_epochs = 2.5};
  EXPECT_NO_THROW(expect_schedule_fits(options, {.steps_per_epoch = 10, .steps = 25}));
  EXPECT_EQ(
      test::error_message<ConfigError>([&] { expect_schedule_fits(options, {.steps_per_epoch = 10, .steps = 24}); }),
      "train.learning_rate.warmup_epochs: 2.5 epochs of 10 steps are longer than the run of 24 steps; shorten the "
      "warm-up or train longer");
}

}  // namespace
}  // namespace bn
