#include "system/duration.hpp"

#include <gtest/gtest.h>

namespace bn {
namespace {

TEST(Duration, HasTheUnitsItNeeds) {
  EXPECT_EQ(describe_duration(0), "0:00");
  EXPECT_EQ(describe_duration(59.4), "0:59");
  EXPECT_EQ(describe_duration(59.5), "1:00");
  EXPECT_EQ(describe_duration(47.5 * 3600), "47:30:00");
  EXPECT_EQ(describe_duration(72 * 3600), "3.0 days");
}

}  // namespace
}  // namespace bn
