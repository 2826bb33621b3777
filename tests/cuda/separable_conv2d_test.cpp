#include <gtest/gtest.h>

#include "cuda/cuda_backend.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

using CudaSeparableConvolutionCase = CudaFixture<testing::TestWithParam<OpCase>>;

TEST_P(CudaSeparableConvolutionCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  Tolerance tolerance = separable_tolerance(op_case);
  // Folded in bf16, the convolution's output is rounded before the bias is added.
  if (op_case.phase == Phase::kEvaluate && op_case.dtype == DType::kBf16) tolerance.y = 1e-2;
  expect_matches(cuda_backend(), op_case, make_data(op_case), tolerance, reference_conv);
}
INSTANTIATE_TEST_SUITE_P(SeparableConv2d, CudaSeparableConvolutionCase,
                         testing::ValuesIn(separable_convolution_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace bn::test
