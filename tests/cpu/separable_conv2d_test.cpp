#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

class SeparableConvolutionCase : public testing::TestWithParam<OpCase> {};

TEST_P(SeparableConvolutionCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(direct_backend(), op_case, make_data(op_case), separable_tolerance(op_case), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(SeparableConv2d, SeparableConvolutionCase, testing::ValuesIn(separable_convolution_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

TEST(SeparableConv2d, ReferenceGradientsAreProven) {
  const SeparableConv2d spec{.out_channels = 4, .kernel = 3, .stride = 2, .pad = 1, .depth_multiplier = 2};
  const OpCase op_case{.spec = spec, .x = {{2, 6, 5, 3}}};
  expect_gradients_proven(op_case, make_data(op_case), reference_conv);
}

}  // namespace
}  // namespace bn::test
