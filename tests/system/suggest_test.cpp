#include "system/suggest.hpp"

#include <gtest/gtest.h>

namespace bn {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("batch", "batch"), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("momentm", "momentum"), 1U);
  EXPECT_EQ(edit_distance("bacth", "batch"), 1U);  // neighbours swapped
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Suggest, FindsTheNearestOrNothing) {
  const std::vector<std::string> words{"batch", "epochs", "steps"};
  EXPECT_EQ(nearest("step", words), "steps");
  EXPECT_EQ(nearest("epoch", words), "epochs");
  EXPECT_EQ(nearest("zebra", words), "");
  EXPECT_EQ(nearest("x", words), "");
  EXPECT_EQ(nearest(std::string(100000, 'a'), words), "");
  EXPECT_EQ(suggestion("bach", words), "; did you mean batch?");
  EXPECT_EQ(suggestion("zebra", words), "");
}

}  // namespace
}  // namespace bn
