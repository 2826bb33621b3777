#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bn/error.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

using Pool2dBehaviour = OwnOpTest<>;

TEST_F(Pool2dBehaviour, SumsInF32LikeASumOfItsOwn) {
  for (const OpCase& summing : summing_pool_cases()) {
    if (summing.dtype != DType::kF32) continue;
    SCOPED_TRACE(name_of(summing));
    OpCase alone = summing;
    alone.dx_terms = 0;
    alone.adds_in_place = false;
    const OpData data = make_data(summing);
    const Values dx = run_op(alone, data).dx[0], sums = run_op(summing, data).dx[0];
    ASSERT_EQ(sums.size(), dx.size());
    for (size_t i = 0; i < dx.size(); ++i) {
      auto expected = static_cast<float>(dx[i]);
      for (const Values& term : data.dx_terms) expected += static_cast<float>(term[i]);
      ASSERT_EQ(sums[i], expected) << i;
    }
  }
}

// 1 + 2^-8 is 1 in bf16, so a sum that is rounded twice is 0.
TEST_F(Pool2dBehaviour, RoundsASumOnce) {
  OpCase op_case{.spec = Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 1, .pad = 1}, .x = {{1, 1, 2, 1}}};
  op_case.dtype = DType::kBf16;
  op_case.dx_terms = 1;
  OpData data = make_data(op_case);
  data.x = {{2, 1}};  // the first pixel wins both windows
  data.dy = {1, 0x1p-8};
  data.dx_terms = {{-1, 3}};
  EXPECT_EQ(run_op(op_case, data).dx[0], (Values{0x1p-8, 3}));
}

OpCase max_3x3(const Shape& x, int64_t pad = 0) {
  return {.spec = Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 2, .pad = pad}, .x = {x}};
}

TEST_F(Pool2dBehaviour, GivesATieToTheFirstInWindowOrder) {
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    OpCase op_case = max_3x3({1, 3, 3, 20});
    op_case.dtype = dtype;
    OpData data = make_data(op_case);
    // Channel c: zero everywhere (as after ReLU), but 2 at the places c % 9 and after.
    for (int place = 0; place < 9; ++place) {
      for (int c = 0; c < 20; ++c) data.x[0][place * 20 + c] = place >= c % 9 && c % 9 > 0 ? 2.0 : 0.0;
    }
    const OpResult result = run_op(op_case, data);
    for (int c = 0; c < 20; ++c) {
      EXPECT_EQ(result.y[c], c % 9 > 0 ? 2.0 : 0.0);
      for (int place = 0; place < 9; ++place) {
        EXPECT_EQ(result.dx[0][place * 20 + c], place == c % 9 ? data.dy[c] : 0.0) << "channel " << c;
      }
    }
  }
}

TEST_F(Pool2dBehaviour, PaddingNeverWins) {
  const OpCase op_case = max_3x3({2, 5, 5, 17}, 1);
  OpData data = make_data(op_case);
  for (double& x : data.x[0]) x = -1.0 - x * x;
  round_to_storage(op_case, data);
  const OpResult result = run_op(op_case, data);
  for (const double y : result.y) EXPECT_LE(y, -1.0);
  expect_matches(op_case, data, tolerance_of(op_case));
}

TEST_F(Pool2dBehaviour, FindsTheLargestOfInfinities) {
  const OpCase op_case = max_3x3({1, 3, 3, 4});
  OpData data = make_data(op_case);
  for (double& x : data.x[0]) x = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(run_op(op_case, data).y, Values(4, -std::numeric_limits<double>::infinity()));
}

// Wherever it stands in a window, so that a divergence is seen.
TEST_F(Pool2dBehaviour, PassesANan) {
  for (const int64_t kernel : {2, 3, 4}) {
    const int64_t pixels = kernel * kernel;
    const OpCase op_case{.spec = Pool2d{.kind = PoolKind::kMax, .kernel = kernel, .stride = kernel},
                         .x = {{pixels, kernel, kernel, 4}}};
    OpData data = make_data(op_case);
    for (int64_t image = 0; image < pixels; ++image) {
      for (int64_t channel = 0; channel < 4; ++channel) {
        data.x[0][static_cast<size_t>((image * pixels + image) * 4 + channel)] =
            std::numeric_limits<double>::quiet_NaN();
      }
    }
    for (const double y : run_op(op_case, data).y) EXPECT_TRUE(std::isnan(y)) << kernel;
  }
}

TEST_F(Pool2dBehaviour, RoundsItsOutputSizeUp) {
  EXPECT_EQ(output_shape(max_3x3({1, 112, 112, 64}).spec, std::vector<Shape>{{1, 112, 112, 64}}),
            (Shape{1, 56, 56, 64}));
}

TEST_F(Pool2dBehaviour, RefusesWindowsBeyondAByte) {
  const OpCase op_case{.spec = Pool2d{.kind = PoolKind::kMax, .kernel = 17, .stride = 17}, .x = {{1, 17, 17, 4}}};
  expect_refused<UnsupportedError>(op_case, "at most 16x16");
}

TEST_F(Pool2dBehaviour, RefusesTooManyOverlappingWindows) {
  const OpCase op_case{.spec = Pool2d{.kind = PoolKind::kAverage, .kernel = 20, .stride = 1}, .x = {{1, 40, 40, 4}}};
  expect_refused<UnsupportedError>(op_case, "overlap too often");
}

TEST_F(Pool2dBehaviour, AveragesAWholeLargeMap) {
  const OpCase op_case{.spec = Pool2d{.kind = PoolKind::kAverage, .kernel = 40, .stride = 1}, .x = {{2, 40, 40, 20}}};
  expect_matches(op_case, make_data(op_case), {.y = 1e-5, .dx = 2e-6});
}

}  // namespace
}  // namespace bn::test
