#include <gtest/gtest.h>

#include "cuda/cuda_backend.hpp"
#include "cuda/cudnn_graph.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"
#include "support/widened_images.hpp"

namespace bn::test {
namespace {

using CudaConvolution = CudaFixture<>;
using CudaConvolutionCase = CudaFixture<testing::TestWithParam<OpCase>>;

// Tensor cores cut off what an f32 sum cannot hold: conv1's 12,544 products come out smaller by more than by rounding.
Tolerance tolerance(const OpCase& op_case) {
  Tolerance allowed = exact_tolerance(op_case);
  const bool is_long = output_shape(op_case.spec, op_case.x).rows() > 10'000;
  if (op_case.dtype == DType::kBf16 && is_long) allowed.dw = 3e-5;
  return allowed;
}

TEST_P(CudaConvolutionCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cuda_backend(), op_case, exact_data(op_case), tolerance(op_case), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Conv2d, CudaConvolutionCase, testing::ValuesIn(convolution_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

// In bf16 the scaled weights, the convolution's output and the result are rounded, by 2^-8 each.
class CudaFoldedConvolutionCase : public CudaConvolutionCase {};
TEST_P(CudaFoldedConvolutionCase, MatchesConvolutionThenBatchNormThenActivation) {
  const OpCase& op_case = GetParam();
  const Tolerance tolerance{.y = op_case.dtype == DType::kF32 ? 5e-6 : 1e-2};
  expect_matches(cuda_backend(), op_case, make_data(op_case), tolerance, reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Conv2d, CudaFoldedConvolutionCase, testing::ValuesIn(folded_convolution_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

OpCase inception_row(DType dtype) {
  return {.spec = Conv2d{.out_channels = 96, .kernel = 3, .pad = 1}, .x = {{2, 28, 28, 64}}, .dtype = dtype};
}

// A TF32 factor has 11 significant bits.
TEST_F(CudaConvolution, MultipliesInTensorFloat32WhenAsked) {
  cuda::CudaBackend backend({.float32_math = Float32Math::kTensorFloat32});
  const OpCase op_case = inception_row(DType::kF32);
  const OpData data = make_data(op_case);
  expect_matches(backend, op_case, data, {.y = 2e-3, .dx = 2e-3, .dw = 2e-3}, reference_conv);
  EXPECT_GT(difference(run_op(backend, op_case, data).y, reference_conv(op_case, data).y).max, 1e-5)
      << "this is exact f32";
}

TEST_F(CudaConvolution, MeasuresItsChoiceWhenAsked) {
  cuda::CudaBackend backend({.convolution_choice = ConvolutionChoice::kMeasured});
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    const OpCase op_case = inception_row(dtype);
    expect_matches(backend, op_case, exact_data(op_case), exact_tolerance(op_case), reference_conv);
  }
}

TEST_F(CudaConvolution, TakesImagesInWiderRowsAndRunsInARecording) {
  Backend& backend = cuda_backend();
  for (const OpCase& op_case : widened_image_cases()) {
    const OpData data = exact_data(op_case);
    const OpResult expected = reference_conv(op_case, data);
    WidenedImages op(backend, op_case, data);
    op.run();
    op.expect_close_to(expected, exact_tolerance(op_case));
    op.forget();
    backend.record([&] { op.run(); })();
    op.expect_close_to(expected, exact_tolerance(op_case));
  }
}

std::string message_of(const OpSpec& spec, const OpDesc& desc) {
  return error_message<UnsupportedError>([&] { cuda_backend().make_op(spec, desc); });
}

TEST_F(CudaConvolution, RefusesStridedRows) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = {.dtype = DType::kF32, .shape = {2, 8, 8, 32}, .row_stride = 48},
                    .wants_dx = {true}};
  EXPECT_EQ(message_of(Conv2d{.out_channels = 32}, desc), "This op needs dense tensors, not a slice of wider rows.");
}

TEST_F(CudaConvolution, RefusesFoldingWithBackward) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = TensorDesc::dense(DType::kF32, {2, 8, 8, 32}),
                    .wants_dx = {true}};
  EXPECT_EQ(message_of(Conv2d{.out_channels = 32, .folded = Folded{}}, desc),
            "An op with folded batch normalisation has no backward pass: folding is for evaluation.");
}

TEST_F(CudaConvolution, RefusesTwoTypes) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = TensorDesc::dense(DType::kBf16, {2, 8, 8, 32}),
                    .wants_dx = {true}};
  EXPECT_EQ(message_of(Conv2d{.out_channels = 32, .kernel = 3, .pad = 1}, desc),
            "The output is bf16 and the first input f32; both must be f32 or both bf16.");
}

TEST_F(CudaConvolution, RefusesWhatTheLibraryHasNoEngineFor) {
  const cuda::ConvolutionProblem too_large_output{
      .x = {2, 8, 8, 16}, .w = {32, 3, 3, 16}, .y = {2, 9, 9, 32}, .pad = 1};
  const std::string message =
      error_message<UnsupportedError>([&] { cuda::ConvolutionPlan(cuda_backend().context(), too_large_output); });
  EXPECT_NE(message.find("for the convolution forward 3x3/1 pad 1 f32 2x8x8x16 to 2x9x9x32: "), std::string::npos)
      << message;
}

TEST_F(CudaConvolution, ReadsPlainWeightsInF32AndNamesItsEngines) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = TensorDesc::dense(DType::kF32, {2, 8, 8, 32}),
                    .wants_dx = {true}};
  const std::unique_ptr<Op> op = cuda_backend().make_op(Conv2d{.out_channels = 32, .kernel = 3, .pad = 1}, desc);
  EXPECT_EQ(op->packed_bytes(), 0);
  EXPECT_EQ(op->implementation().find("cudnn: "), 0U);
}

}  // namespace
}  // namespace bn::test
