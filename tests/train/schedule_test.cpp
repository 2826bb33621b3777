#include <gtest/gtest.h>

#include <cmath>

#include "bn/error.hpp"
#include "bn/schedule.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

TEST(LearningRate, StaysWithoutDecay) {
  const LearningRateOptions options{.initial = 0.25};
  EXPECT_EQ(learning_rate(options, 0, 10), 0.25);
  EXPECT_EQ(learning_rate(options, 1'000'000, 10), 0.25);
}

TEST(LearningRate, StaircaseInSteps) {
  const LearningRateOptions options{.initial = 1.0, .decay_factor = 0.5, .decay_steps = 100};
  EXPECT_EQ(learning_rate(options, 99, 7), 1.0);
  EXPECT_EQ(learning_rate(options, 100, 7), 0.5);
  EXPECT_EQ(learning_rate(options, 199, 7), 0.5);
  EXPECT_EQ(learning_rate(options, 200, 7), 0.25);
}

TEST(LearningRate, StaircaseInEpochs) {  // GoogLeNet: -4 % every 8 epochs
  const LearningRateOptions options{.initial = 0.0015, .decay_factor = 0.96, .decay_epochs = 8};
  const int64_t steps_per_epoch = 40'036;
  EXPECT_EQ(learning_rate(options, 8 * steps_per_epoch - 1, steps_per_epoch), 0.0015);
  EXPECT_DOUBLE_EQ(learning_rate(options, 8 * steps_per_epoch, steps_per_epoch), 0.0015 * 0.96);
  EXPECT_DOUBLE_EQ(learning_rate(options, 80 * steps_per_epoch, steps_per_epoch), 0.0015 * std::pow(0.96, 10));
}

TEST(LearningRate, SmoothDecaysEachStep) {
  const LearningRateOptions options{
      .initial = 2.0, .decay_factor = 0.25, .decay_steps = 100, .shape = DecayShape::kSmooth};
  EXPECT_EQ(learning_rate(options, 0, 1), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 50, 1), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 100, 1), 0.5);
}

TEST(LearningRate, FractionOfAnEpochEndsOnItsStep) {
  // 0.1 * 3 > 0.3 in doubles, and many like it.
  for (int64_t tenths = 1; tenths <= 50; ++tenths) {
    for (const int64_t steps_per_epoch : {10, 30, 70, 110, 1230}) {
      const LearningRateOptions options{
          .initial = 1.0, .decay_factor = 0.5, .decay_epochs = static_cast<double>(tenths) / 10};
      const int64_t interval = tenths * steps_per_epoch / 10;
      ASSERT_EQ(learning_rate(options, interval - 1, steps_per_epoch), 1.0) << tenths << " " << steps_per_epoch;
      ASSERT_EQ(learning_rate(options, interval, steps_per_epoch), 0.5) << tenths << " " << steps_per_epoch;
      ASSERT_EQ(learning_rate(options, 3 * interval, steps_per_epoch), 0.125) << tenths << " " << steps_per_epoch;
    }
  }
}

TEST(LearningRate, DecayWithoutAnIntervalIsAnError) {
  const std::string message =
      test::error_message<ConfigError>([] { return learning_rate({.initial = 1.0, .decay_factor = 0.5}, 10, 10); });
  EXPECT_EQ(
      message,
      "the learning rate decays (decay_factor is not 1), but neither decay_epochs nor decay_steps says how often");
}

}  // namespace
}  // namespace bn
