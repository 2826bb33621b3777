#include <gtest/gtest.h>

#include <cmath>

#include "bn/error.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

class BatchNormOfEach : public OwnOpTest<testing::TestWithParam<BatchNormImplementation>> {
 protected:
  OpCase case_of(const Shape& x) const { return {.spec = BatchNorm{.implementation = GetParam()}, .x = {x}}; }
};

TEST_P(BatchNormOfEach, NormalisesConstantChannels) {
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    OpCase op_case = case_of({4, 5, 5, 24});
    op_case.dtype = dtype;
    OpData data = make_data(op_case);
    for (size_t i = 0; i < data.x[0].size(); ++i) {
      if (i % 24 < 3) data.x[0][i] = static_cast<double>(i % 24) * 7.5;  // 0, 7.5, 15
    }
    expect_matches(op_case, data, {.y = 4e-3, .dx = 6e-3, .dw = 8e-3, .state = 3e-6});
    const OpResult result = run_op(op_case, data);
    for (int c = 0; c < 3; ++c) EXPECT_EQ(result.state[1][c], 0.0) << "the variance of a constant";
  }
}

TEST_P(BatchNormOfEach, NeedsTwoValuesAFeature) {
  const OpCase op_case = case_of({1, 1, 1, 8});
  for (const char* part : {"Batch normalisation needs at least", "m = 1"}) expect_refused<ShapeError>(op_case, part);
}

TEST_P(BatchNormOfEach, EvaluatesASingleValue) {
  OpCase op_case = case_of({1, 1, 1, 8});
  op_case.phase = Phase::kEvaluate;
  expect_matches(op_case, make_data(op_case), tolerance_of(op_case));
}

// Paper: sec. 3.3, BN((aW)u) = BN(Wu), and the gradient with respect to aW is 1/a of that to W.
TEST_P(BatchNormOfEach, IsInvariantToScale) {
  OpCase op_case{.spec = BatchNorm{.eps = 1e-20F, .implementation = GetParam()}, .x = {{3, 6, 6, 32}}};
  OpData data = make_data(op_case);
  const OpResult plain = run_op(op_case, data);
  constexpr double kScale = 12.0;
  for (double& x : data.x[0]) x *= kScale;
  round_to_storage(op_case, data);
  OpResult scaled = run_op(op_case, data);
  for (double& dx : scaled.dx[0]) dx *= kScale;
  EXPECT_LT(difference(scaled.y, plain.y).max, 2e-6);
  EXPECT_LT(difference(scaled.dx[0], plain.dx[0]).max, 4e-6);
  EXPECT_LT(difference(scaled.dw[0], plain.dw[0]).max, 4e-6);
}

INSTANTIATE_TEST_SUITE_P(Implementations, BatchNormOfEach, testing::ValuesIn(tested_batch_norms()),
                         [](const auto& parameter) {
                           return parameter.param == BatchNormImplementation::kCustom ? "custom" : "library";
                         });

using BatchNormCustom = OwnOpTest<>;

// Ours only: one-pass sums of squares would lose every digit of the variance here.
TEST_F(BatchNormCustom, KeepsItsDigitsFarFromZero) {
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
    const OpCase op_case{.spec = BatchNorm{.activation = activation}, .x = {{4, 12, 12, 48}}};
    OpData data = make_data(op_case);
    for (double& x : data.x[0]) x += 1.2e4;
    round_to_storage(op_case, data);
    expect_matches(op_case, data, {.y = 2e-6, .dx = 1e-5, .dw = 1e-5, .state = 3e-6});
  }
}

// A block of sums starts from its first row: an outlier there must not spoil the rest.
TEST_F(BatchNormCustom, SurvivesAnOutlierInTheFirstRow) {
  const OpCase op_case{.spec = BatchNorm{}, .x = {{4, 12, 12, 16}}};
  OpData data = make_data(op_case);
  for (int c = 0; c < 16; ++c) data.x[0][c] = 1e4 * (c + 1);
  expect_matches(op_case, data, {.y = 2e-5, .dx = 1e-4, .dw = 1e-4, .state = 3e-5});
}

TEST_F(BatchNormCustom, RefusesStridedRowsPerActivation) {
  OpCase op_case{.spec = BatchNorm{.scope = BatchNormScope::kPerActivation}, .x = {{3, 4, 4, 8}}};
  op_case.gaps.x = 4;
  expect_refused<UnsupportedError>(op_case, "needs dense tensors");
}

TEST_F(BatchNormCustom, PassesNonFiniteValuesOn) {
  const OpCase op_case{.spec = BatchNorm{.activation = Activation::kRelu}, .x = {{4, 3, 3, 16}}};
  OpData data = make_data(op_case);
  data.x[0][5] = NAN;
  const OpResult result = run_op(op_case, data);
  EXPECT_TRUE(std::isnan(result.y[5]));
  EXPECT_TRUE(std::isnan(result.state[0][5]));
  EXPECT_FALSE(std::isnan(result.y[6]));
}

}  // namespace
}  // namespace bn::test
