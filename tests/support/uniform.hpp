// A check that draws are spread evenly over a range.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace bn::test {

// The share of the values below each tenth of [low, high] must be within the tolerance, and all must lie inside.
inline void expect_uniform(std::vector<double> values, double low, double high, double tolerance) {
  std::sort(values.begin(), values.end());
  for (int tenth = 1; tenth < 10; ++tenth) {
    const double bound = low + (high - low) * tenth / 10;
    const auto below = std::lower_bound(values.begin(), values.end(), bound) - values.begin();
    EXPECT_NEAR(static_cast<double>(below) / static_cast<double>(values.size()), tenth / 10.0, tolerance) << bound;
  }
  EXPECT_GE(values.front(), low - 0.01);
  EXPECT_LE(values.back(), high + 0.01);
}

}  // namespace bn::test
