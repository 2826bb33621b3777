#include <gtest/gtest.h>

#include "bn/evaluate.hpp"

namespace bn {
namespace {

// Values of Newcombe 1998, table I, method 3 (Wilson's score without continuity correction).
TEST(WilsonInterval, IsThePublishedOne) {
  const Interval a = wilson_interval(81, 263);
  EXPECT_NEAR(a.low, 0.2553, 5e-5);
  EXPECT_NEAR(a.high, 0.3662, 5e-5);
  const Interval b = wilson_interval(15, 148);
  EXPECT_NEAR(b.low, 0.0624, 5e-5);
  EXPECT_NEAR(b.high, 0.1605, 5e-5);
  const Interval c = wilson_interval(0, 20);
  EXPECT_NEAR(c.low, 0, 1e-12);
  EXPECT_NEAR(c.high, 0.1611, 5e-5);
  const Interval d = wilson_interval(1, 29);
  EXPECT_NEAR(d.low, 0.0061, 5e-5);
  EXPECT_NEAR(d.high, 0.1718, 5e-5);
}

TEST(WilsonInterval, StaysWithinAllShares) {
  EXPECT_EQ(wilson_interval(7, 7).high, 1);
  EXPECT_GT(wilson_interval(7, 7).low, 0.5);
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(WilsonInterval, HoldsTheShareItself) {
  for (int64_t trials = 1; trials < 300; ++trials) {
    EXPECT_EQ(wilson_interval(0, trials).low, 0);
    EXPECT_EQ(wilson_interval(trials, trials).high, 1);
  }
}

}  // namespace
}  // namespace bn
