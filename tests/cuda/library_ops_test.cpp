// This tests what the ops of cuDNN and cuBLASLt promise besides the cases of own_ops/library_cases_test.cpp.
#include "cuda/library_ops.hpp"

#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cuda/cuda_backend.hpp"
#include "cuda/cudnn_graph.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"

namespace bn::test {
namespace {

std::string message_of(const OpSpec& spec, const OpDesc& desc) {
  return error_message<UnsupportedError>([&] { cuda_backend().make_op(spec, desc); });
}

OpCase inception_row(DType dtype) {
  return {.spec = Conv2d{.out_channels = 96, .kernel = 3, .pad = 1}, .x = {{2, 28, 28, 64}}, .dtype = dtype};
}

using CudaConvolution = CudaFixture<>;

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

using CudaLinear = CudaFixture<>;

// A TF32 factor has 11 significant bits.
TEST_F(CudaLinear, MultipliesInTensorFloat32WhenAsked) {
  cuda::CudaBackend backend({.float32_math = Float32Math::kTensorFloat32});
  const OpCase op_case{.spec = Linear{.out_features = 512}, .x = {{64, 1, 1, 1024}}};
  expect_matches(backend, op_case, make_data(op_case), {.y = 2e-3, .dx = 2e-3, .dw = 2e-3}, reference_conv);
}

TEST_F(CudaLinear, RefusesToNarrowF32) {
  const OpDesc desc{.name = "linear",
                    .x = {TensorDesc::dense(DType::kF32, {60, 1, 1, 64})},
                    .y = TensorDesc::dense(DType::kBf16, {60, 1, 1, 100}),
                    .wants_dx = {false}};
  EXPECT_EQ(message_of(Linear{.out_features = 100}, desc),
            "A linear op takes f32 or bf16 and gives the same or f32, not f32 to bf16.");
}

class NoExchange final : public PartExchange {
  void gather(std::span<const double>, std::span<double>) override {}
};

TEST(CudnnBatchNormOfParts, NeedsOurOwn) {
  NoExchange exchange;
  const TensorDesc x = TensorDesc::dense(DType::kF32, {4, 4, 4, 8});
  EXPECT_EQ(error_message<UnsupportedError>([&] {
              cuda::make_batch_norm_cudnn({},
                                          {.implementation = BatchNormImplementation::kCudnn, .synchronised_parts = 2},
                                          {.x = {x}, .y = x, .exchange = &exchange});
            }),
            "batch_norm.synchronised_parts above 1 needs batch_norm.implementation: custom.");
}

}  // namespace
}  // namespace bn::test
