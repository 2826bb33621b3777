#include <gtest/gtest.h>

#include "cuda/cuda_backend.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

using CudaLinear = CudaFixture<>;
using CudaLinearCase = CudaFixture<testing::TestWithParam<OpCase>>;

TEST_P(CudaLinearCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cuda_backend(), op_case, exact_data(op_case), exact_tolerance(op_case), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Linear, CudaLinearCase, testing::ValuesIn(linear_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

// In bf16 the scaled weights, the product and the result are rounded, by 2^-8 each.
class CudaFoldedLinearCase : public CudaLinearCase {};
TEST_P(CudaFoldedLinearCase, MatchesLinearThenBatchNormThenActivation) {
  const OpCase& op_case = GetParam();
  const Tolerance tolerance{.y = op_case.dtype == DType::kF32 ? 5e-6 : 1e-2};
  expect_matches(cuda_backend(), op_case, make_data(op_case), tolerance, reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Linear, CudaFoldedLinearCase, testing::ValuesIn(folded_linear_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

// Weights, and dy where it comes in f32, are rounded to bf16 for the library.
TEST_F(CudaLinear, RoundsWeightsAndLogitGradientsToBf16) {
  const OpCase op_case{
      .spec = Linear{.out_features = 40}, .x = {{16, 1, 1, 64}}, .dtype = DType::kBf16, .y_dtype = DType::kF32};
  expect_matches(cuda_backend(), op_case, make_data(op_case), {.y = 6e-3, .dx = 8e-3, .dw = 6e-3}, reference_conv);
}

// A TF32 factor has 11 significant bits.
TEST_F(CudaLinear, MultipliesInTensorFloat32WhenAsked) {
  cuda::CudaBackend backend({.float32_math = Float32Math::kTensorFloat32});
  const OpCase op_case{.spec = Linear{.out_features = 512}, .x = {{64, 1, 1, 1024}}};
  expect_matches(backend, op_case, make_data(op_case), {.y = 2e-3, .dx = 2e-3, .dw = 2e-3}, reference_conv);
}

TEST_F(CudaLinear, ReadsPlainWeightsInF32) {
  const OpDesc desc{.name = "linear",
                    .x = {TensorDesc::dense(DType::kF32, {60, 28, 28, 1})},
                    .y = TensorDesc::dense(DType::kF32, {60, 1, 1, 100}),
                    .wants_dx = {false}};
  EXPECT_EQ(cuda_backend().make_op(Linear{.out_features = 100}, desc)->packed_bytes(), 0);
}

TEST_F(CudaLinear, RefusesToNarrowF32) {
  const OpDesc desc{.name = "linear",
                    .x = {TensorDesc::dense(DType::kF32, {60, 1, 1, 64})},
                    .y = TensorDesc::dense(DType::kBf16, {60, 1, 1, 100}),
                    .wants_dx = {false}};
  EXPECT_EQ(error_message<UnsupportedError>([&] { cuda_backend().make_op(Linear{.out_features = 100}, desc); }),
            "A linear op takes f32 or bf16 and gives the same or f32, not f32 to bf16.");
}

}  // namespace
}  // namespace bn::test
