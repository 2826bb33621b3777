#include <gtest/gtest.h>

#include "bn/evaluate.hpp"

namespace bn::test {
namespace {

// Values of Newcombe 1998, table I, method 3 (Wilson's score without continuity correction).
TEST(WilsonInterval, IsThePublishedOne) {
  struct Case {
    int64_t successes, trials;
    double low, high;
  };
  for (const Case& one : {Case{81, 263, 0.2553, 0.3662}, Case{15, 148, 0.0624, 0.1605}, Case{0, 20, 0, 0.1611},
                          Case{1, 29, 0.0061, 0.1718}}) {
    EXPECT_NEAR(wilson_interval(one.successes, one.trials).low, one.low, one.low == 0 ? 1e-12 : 5e-5);
    EXPECT_NEAR(wilson_interval(one.successes, one.trials).high, one.high, 5e-5);
  }
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
}  // namespace bn::test
