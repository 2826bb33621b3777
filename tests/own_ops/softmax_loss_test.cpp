#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

using SoftmaxLossBehaviour = OwnOpTest<>;

const OpCase kCase{.spec = SoftmaxLoss{}, .x = {{10, 1, 1, 21}, {10, 1, 1, 1}}};

TEST_F(SoftmaxLossBehaviour, IgnoresPaddedImages) {
  const OpData data = make_data(kCase);
  const OpResult result = run_op(kCase, data);
  for (const int image : {4, 9}) {
    ASSERT_EQ(data.x[1][image], -1.0);
    EXPECT_EQ(result.y[image], 0.0);
    for (int c = 0; c < 21; ++c) EXPECT_EQ(result.dx[0][image * 21 + c], 0.0);
  }
}

TEST_F(SoftmaxLossBehaviour, GivesNoGradientWhenAllIsPadding) {
  OpData data = make_data(kCase);
  for (double& label : data.x[1]) label = -1;
  const OpResult result = run_op(kCase, data);
  EXPECT_EQ(result.y, Values(10, 0.0));
  EXPECT_EQ(result.dx[0], Values(210, 0.0));
}

TEST_F(SoftmaxLossBehaviour, StandsLargeLogits) {
  OpData data = make_data(kCase);
  for (double& logit : data.x[0]) logit *= 1e4;
  round_to_storage(kCase, data);
  expect_matches(kCase, data, tolerance_of(kCase));
}

TEST_F(SoftmaxLossBehaviour, ReportsANonFiniteLoss) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    OpData data = make_data(kCase);
    data.x[0][2 * 21 + 3] = bad;
    EXPECT_EQ(run_op(kCase, data).first_bad_step, static_cast<int64_t>(kCase.step)) << bad;
  }
  EXPECT_EQ(run_op(kCase, make_data(kCase)).first_bad_step, -1);
}

// A plan refuses a label beyond the classes before it computes; should one get here, the loss shows it.
TEST_F(SoftmaxLossBehaviour, GivesNoNumberForALabelBeyondTheClasses) {
  OpData data = make_data(kCase);
  data.x[1][7] = 21;
  const OpResult result = run_op(kCase, data);
  for (size_t image = 0; image < 10; ++image) EXPECT_EQ(std::isnan(result.y[image]), image == 7) << image;
  EXPECT_EQ(result.first_bad_step, static_cast<int64_t>(kCase.step));
}

}  // namespace
}  // namespace bn::test
