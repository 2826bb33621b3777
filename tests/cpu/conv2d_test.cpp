#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "cpu/onednn.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

class ConvolutionCase : public testing::TestWithParam<OpCase> {};

TEST_P(ConvolutionCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(direct_backend(), op_case, exact_data(op_case), exact_tolerance(op_case), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Conv2d, ConvolutionCase, testing::ValuesIn(convolution_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

class FoldedConvolutionCase : public ConvolutionCase {};

// The scaled weights are rounded to bf16 once, by 2^-8 each.
TEST_P(FoldedConvolutionCase, MatchesConvolutionThenBatchNormThenActivation) {
  const OpCase& op_case = GetParam();
  const Tolerance tolerance{.y = op_case.dtype == DType::kF32 ? 5e-6 : 6e-3};
  expect_matches(direct_backend(), op_case, make_data(op_case), tolerance, reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Conv2d, FoldedConvolutionCase, testing::ValuesIn(folded_convolution_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

TEST(Conv2d, ReferenceGradientsAreProven) {
  for (const Conv2d& spec : {Conv2d{.out_channels = 3, .kernel = 3, .stride = 2, .pad = 1},
                             Conv2d{.out_channels = 2, .kernel = 2}, Conv2d{.out_channels = 4}}) {
    const OpCase op_case{.spec = spec, .x = {{2, 5, 4, 3}}};
    expect_gradients_proven(op_case, make_data(op_case), reference_conv);
  }
}

TEST(Conv2d, EvaluationWithoutFoldingEqualsTraining) {
  OpCase op_case{.spec = Conv2d{.out_channels = 40, .kernel = 3, .pad = 1}, .x = {{2, 9, 9, 24}}};
  op_case.phase = Phase::kEvaluate;
  expect_matches(cpu_backend(), op_case, make_data(op_case), exact_tolerance(op_case), reference_conv);
}

// In training weights are rounded to bf16 as they are packed, and never in Parameters.
TEST(Conv2d, RoundsWeightsToBf16) {
  if (!cpu::multiplies_bf16()) GTEST_SKIP() << "without AVX-512 the library does not multiply bf16";
  const OpCase op_case{
      .spec = Conv2d{.out_channels = 64, .kernel = 3, .pad = 1}, .x = {{1, 9, 9, 64}}, .dtype = DType::kBf16};
  const OpData data = make_data(op_case);
  const Tolerance rounded{.y = 6e-3, .dx = 6e-3, .dw = 5e-6};
  expect_matches(direct_backend(), op_case, data, rounded, reference_conv);
}

std::string message_of(const OpSpec& spec, const OpDesc& desc) {
  return error_message<UnsupportedError>([&] { cpu_backend().make_op(spec, desc); });
}

TEST(Conv2d, TakesTheQuickerKernelOnShortRows) {
  const auto implementation = [](DType dtype, int64_t width) {
    const OpDesc desc{.name = "conv",
                      .x = {TensorDesc::dense(dtype, {2, width, width, 64})},
                      .y = TensorDesc::dense(dtype, {2, width, width, 64}),
                      .wants_dx = {true}};
    return direct_backend().make_op(Conv2d{.out_channels = 64, .kernel = 3, .pad = 1}, desc)->implementation();
  };
  EXPECT_EQ(implementation(DType::kF32, 4).find("jit"), 0U) << implementation(DType::kF32, 4);
  if (!cpu::multiplies_bf16()) GTEST_SKIP() << "without AVX-512 there is one kernel";
  EXPECT_TRUE(cpu::is_brgemm_convolution(implementation(DType::kF32, 16))) << implementation(DType::kF32, 16);
  EXPECT_TRUE(cpu::is_brgemm_convolution(implementation(DType::kBf16, 32))) << implementation(DType::kBf16, 32);
  if (cpu::instruction_set_name().find("amx") != std::string::npos)
    GTEST_SKIP() << "with AMX brgemm is the quicker one in bf16";
  EXPECT_EQ(implementation(DType::kBf16, 8).find("jit"), 0U) << implementation(DType::kBf16, 8);
}

TEST(Conv2d, RefusesStridedRows) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = {.dtype = DType::kF32, .shape = {2, 8, 8, 32}, .row_stride = 48},
                    .wants_dx = {true}};
  EXPECT_EQ(message_of(Conv2d{.out_channels = 32}, desc), "This op needs dense tensors, not a slice of wider rows.");
}

TEST(Conv2d, RefusesFoldingWithBackward) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = TensorDesc::dense(DType::kF32, {2, 8, 8, 32}),
                    .wants_dx = {true}};
  EXPECT_EQ(message_of(Conv2d{.out_channels = 32, .folded = Folded{}}, desc),
            "An op with folded batch normalisation has no backward pass: folding is for evaluation.");
}

TEST(Conv2d, RefusesWhatTheLibraryHasNoKernelFor) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = TensorDesc::dense(DType::kBf16, {2, 8, 8, 32}),
                    .wants_dx = {true}};
  const std::string message = message_of(Conv2d{.out_channels = 32, .kernel = 3, .pad = 1}, desc);
  EXPECT_EQ(message.find("oneDNN has nothing but reference loops, if anything, for conv2d 32 3x3/1 pad 1 from f32 "
                         "2x8x8x16 to bf16 2x8x8x32 on "),
            0U)
      << message;
}

}  // namespace
}  // namespace bn::test
