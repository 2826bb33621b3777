#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "support/reference_conv.hpp"

namespace bn::test {
namespace {

// In bf16 the composed weights and the outputs are rounded (2^-8 each); dw0 and dw1 follow from an f32 gradient of the
// dense weights and do not see the rounding.
Tolerance tolerance(DType dtype) {
  if (dtype == DType::kF32) return {.y = 5e-6, .dx = 5e-6, .dw = 5e-6};
  return {.y = 8e-3, .dx = 8e-3, .dw = 5e-6};
}

struct Layer {
  Shape x;
  SeparableConv2d spec;
  bool wants_dx = true;
  const char* label = "";
};

std::vector<Layer> layers() {
  return {
      {{1, 56, 56, 3}, {.out_channels = 64}, false, "stem"},
      {{2, 17, 15, 3}, {.out_channels = 24}, true, "stem_with_dx"},
      {{2, 9, 9, 5}, {.out_channels = 7, .kernel = 3, .stride = 1, .pad = 1, .depth_multiplier = 2}},
      {{1, 8, 7, 2}, {.out_channels = 16, .kernel = 3, .stride = 2, .pad = 1, .depth_multiplier = 1}},
  };
}

std::vector<OpCase> cases() {
  std::vector<OpCase> cases;
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const Layer& layer : layers()) {
      cases.push_back(
          {.spec = layer.spec, .x = {layer.x}, .dtype = dtype, .wants_dx = {layer.wants_dx}, .label = layer.label});
      for (const std::optional<float> eps : {std::optional<float>(1e-3F), std::optional<float>()}) {
        SeparableConv2d folded = layer.spec;
        folded.folded = Folded{.eps = eps, .activation = Activation::kRelu};
        cases.push_back({.spec = folded,
                         .x = {layer.x},
                         .dtype = dtype,
                         .phase = Phase::kEvaluate,
                         .label = eps ? "batch_norm" : "bias"});
      }
    }
  }
  return cases;
}

class SeparableConvolutionCase : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override {
    if (!supports(GetParam().dtype)) GTEST_SKIP() << "this CPU has no AVX-512, which bf16 needs";
  }
};

TEST_P(SeparableConvolutionCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cpu_backend(), op_case, make_data(op_case), tolerance(op_case.dtype), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(SeparableConv2d, SeparableConvolutionCase, testing::ValuesIn(cases()),
                         [](const auto& tested) { return name_of(tested.param); });

TEST(SeparableConv2d, ReferenceGradientsAreProven) {
  const SeparableConv2d spec{.out_channels = 4, .kernel = 3, .stride = 2, .pad = 1, .depth_multiplier = 2};
  const OpCase op_case{.spec = spec, .x = {{2, 6, 5, 3}}};
  expect_gradients_proven(op_case, make_data(op_case), reference_conv);
}

}  // namespace
}  // namespace bn::test
