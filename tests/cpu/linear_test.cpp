#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

class LinearCase : public testing::TestWithParam<OpCase> {};

TEST_P(LinearCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(direct_backend(), op_case, exact_data(op_case), exact_tolerance(op_case), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Linear, LinearCase, testing::ValuesIn(linear_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

class FoldedLinearCase : public LinearCase {};

// The scaled weights are rounded to bf16 once, by 2^-8 each.
TEST_P(FoldedLinearCase, MatchesLinearThenBatchNormThenActivation) {
  const OpCase& op_case = GetParam();
  const Tolerance tolerance{.y = op_case.dtype == DType::kF32 ? 5e-6 : 6e-3};
  expect_matches(direct_backend(), op_case, make_data(op_case), tolerance, reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Linear, FoldedLinearCase, testing::ValuesIn(folded_linear_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

TEST(Linear, ReferenceGradientsAreProven) {
  const OpCase op_case{.spec = Linear{.out_features = 3}, .x = {{4, 2, 3, 5}}};
  expect_gradients_proven(op_case, make_data(op_case), reference_conv);
}

TEST(Linear, EvaluationWithoutFoldingEqualsTraining) {
  OpCase op_case{.spec = Linear{.out_features = 10}, .x = {{60, 1, 1, 100}}};
  op_case.phase = Phase::kEvaluate;
  expect_matches(direct_backend(), op_case, make_data(op_case), exact_tolerance(op_case), reference_conv);
}

// Weights, and dy where it comes in f32, are rounded to bf16 for the library.
TEST(Linear, RoundsWeightsAndLogitGradientsToBf16) {
  if (!cpu::multiplies_bf16()) GTEST_SKIP() << "without AVX-512 the library does not multiply bf16";
  const OpCase op_case{
      .spec = Linear{.out_features = 40}, .x = {{16, 1, 1, 64}}, .dtype = DType::kBf16, .y_dtype = DType::kF32};
  const Tolerance rounded{.y = 6e-3, .dx = 8e-3, .dw = 6e-3};
  expect_matches(direct_backend(), op_case, make_data(op_case), rounded, reference_conv);
}

TEST(Linear, ReadsPlainWeightsInF32) {
  const OpDesc desc{.name = "linear",
                    .x = {TensorDesc::dense(DType::kF32, {60, 28, 28, 1})},
                    .y = TensorDesc::dense(DType::kF32, {60, 1, 1, 100}),
                    .wants_dx = {false}};
  EXPECT_EQ(cpu_backend().make_op(Linear{.out_features = 100}, desc)->packed_bytes(), 0);
}

}  // namespace
}  // namespace bn::test
