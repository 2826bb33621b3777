// A plan refuses a label beyond the classes before it computes; should one get here, the loss shows it.
#include <gtest/gtest.h>

#include <cmath>

#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

using SoftmaxLabel = OwnOpTest<>;

TEST_F(SoftmaxLabel, ALabelBeyondTheClassesGivesNoNumber) {
  const OpCase op_case{.spec = SoftmaxLoss{}, .x = {{10, 1, 1, 21}, {10, 1, 1, 1}}};
  OpData data = make_data(op_case);
  data.x[1][7] = 21;
  const OpResult result = run_op(op_case, data);
  for (size_t image = 0; image < 10; ++image) EXPECT_EQ(std::isnan(result.y[image]), image == 7) << image;
  EXPECT_EQ(result.first_bad_step, static_cast<int64_t>(op_case.step));
}

}  // namespace
}  // namespace bn::test
