// Every case of every op that a library computes, against the reference. What the library of one backend promises
// besides is in that backend's library_ops_test.cpp.
#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "own_ops/tested_backend.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

void expect_library_matches(const OpCase& op_case, const OpData& data, const Tolerance& tolerance) {
  const Reference of = std::holds_alternative<BatchNorm>(op_case.spec) ? reference : reference_conv;
  expect_matches(library_backend(), op_case, data, tolerance, of, runs_of(op_case.x[0].elements()));
}

class LibraryOpCase : public OwnOpTest<testing::TestWithParam<OpCase>> {};

// The reference of a folded op is the op itself, then batch normalisation or a bias, then the activation.
TEST_P(LibraryOpCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  const bool makes_weights = is_folded(op_case.spec) || std::holds_alternative<SeparableConv2d>(op_case.spec);
  const bool is_batch_norm = std::holds_alternative<BatchNorm>(op_case.spec);
  const OpData data = makes_weights || is_batch_norm ? make_data(op_case) : exact_data(op_case);
  expect_library_matches(op_case, data, library_tolerance(op_case));
}

std::vector<OpCase> all_library_batch_norm_cases() {
  std::vector<OpCase> all;
  for (const BatchNormImplementation implementation : library_batch_norms()) {
    for (const OpCase& op_case : library_batch_norm_cases(implementation)) all.push_back(op_case);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Conv2d, LibraryOpCase, testing::ValuesIn(affordable(convolution_cases())), numbered_name);
INSTANTIATE_TEST_SUITE_P(FoldedConv2d, LibraryOpCase, testing::ValuesIn(affordable(folded_convolution_cases())),
                         numbered_name);
INSTANTIATE_TEST_SUITE_P(SeparableConv2d, LibraryOpCase, testing::ValuesIn(affordable(separable_convolution_cases())),
                         numbered_name);
INSTANTIATE_TEST_SUITE_P(Linear, LibraryOpCase, testing::ValuesIn(affordable(linear_cases())), numbered_name);
INSTANTIATE_TEST_SUITE_P(FoldedLinear, LibraryOpCase, testing::ValuesIn(affordable(folded_linear_cases())),
                         numbered_name);
INSTANTIATE_TEST_SUITE_P(BatchNorm, LibraryOpCase, testing::ValuesIn(affordable(all_library_batch_norm_cases())),
                         numbered_name);

std::string refusal_of(const OpSpec& spec, const OpDesc& desc) {
  return error_message<UnsupportedError>([&] { library_backend().make_op(spec, desc); });
}

using LibraryConv2d = OwnOpTest<>;

TEST_F(LibraryConv2d, EvaluationWithoutFoldingEqualsTraining) {
  OpCase op_case{.spec = Conv2d{.out_channels = 40, .kernel = 3, .pad = 1}, .x = {{2, 9, 9, 24}}};
  op_case.phase = Phase::kEvaluate;
  expect_library_matches(op_case, make_data(op_case), exact_tolerance(op_case));
}

// In training weights are rounded to bf16 as they are packed, and never in Parameters.
TEST_F(LibraryConv2d, RoundsWeightsToBf16) {
  const OpCase op_case{
      .spec = Conv2d{.out_channels = 64, .kernel = 3, .pad = 1}, .x = {{1, 9, 9, 64}}, .dtype = DType::kBf16};
  expect_library_matches(op_case, make_data(op_case), {.y = 6e-3, .dx = 6e-3, .dw = 5e-6});
}

TEST_F(LibraryConv2d, RefusesStridedRows) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = {.dtype = DType::kF32, .shape = {2, 8, 8, 32}, .row_stride = 48},
                    .wants_dx = {true}};
  EXPECT_EQ(refusal_of(Conv2d{.out_channels = 32}, desc), "This op needs dense tensors, not a slice of wider rows.");
}

TEST_F(LibraryConv2d, RefusesFoldingWithBackward) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = TensorDesc::dense(DType::kF32, {2, 8, 8, 32}),
                    .wants_dx = {true}};
  EXPECT_EQ(refusal_of(Conv2d{.out_channels = 32, .folded = Folded{}}, desc),
            "An op with folded batch normalisation has no backward pass: folding is for evaluation.");
}

using LibraryLinear = OwnOpTest<>;

TEST_F(LibraryLinear, EvaluationWithoutFoldingEqualsTraining) {
  OpCase op_case{.spec = Linear{.out_features = 10}, .x = {{60, 1, 1, 100}}};
  op_case.phase = Phase::kEvaluate;
  expect_library_matches(op_case, make_data(op_case), exact_tolerance(op_case));
}

// Weights, and dy where it comes in f32, are rounded to bf16 for the library.
TEST_F(LibraryLinear, RoundsWeightsAndLogitGradientsToBf16) {
  const OpCase op_case{
      .spec = Linear{.out_features = 40}, .x = {{16, 1, 1, 64}}, .dtype = DType::kBf16, .y_dtype = DType::kF32};
  expect_library_matches(op_case, make_data(op_case), {.y = 6e-3, .dx = 8e-3, .dw = 6e-3});
}

TEST_F(LibraryLinear, ReadsPlainWeightsInF32) {
  const OpDesc desc{.name = "linear",
                    .x = {TensorDesc::dense(DType::kF32, {60, 28, 28, 1})},
                    .y = TensorDesc::dense(DType::kF32, {60, 1, 1, 100}),
                    .wants_dx = {false}};
  EXPECT_EQ(library_backend().make_op(Linear{.out_features = 100}, desc)->packed_bytes(), 0);
}

class LibraryBatchNorm : public OwnOpTest<testing::TestWithParam<BatchNormImplementation>> {
 protected:
  template <class ExpectedError>
  static std::string refusal(const BatchNorm& spec, const Shape& x) {
    const TensorDesc dense = TensorDesc::dense(DType::kF32, x);
    const OpDesc desc{.name = "bn", .x = {dense}, .y = dense, .wants_dx = {true}};
    return error_message<ExpectedError>([&] { library_backend().make_op(spec, desc); });
  }
};

TEST_P(LibraryBatchNorm, RefusesOneValuePerChannel) {
  EXPECT_EQ(refusal<ShapeError>({.implementation = GetParam()}, {1, 1, 1, 8}),
            "Batch normalisation needs at least 2 values per channel; 1x1x1x8 has m = 1.");
  EXPECT_EQ(refusal<ShapeError>({.scope = BatchNormScope::kPerActivation, .implementation = GetParam()}, {1, 4, 4, 8}),
            "Batch normalisation needs at least 2 values per channel; 1x4x4x8 has m = 1.");
}

TEST_P(LibraryBatchNorm, RefusesAFusedActivation) {
  const BatchNorm spec{.implementation = GetParam(), .activation = Activation::kRelu};
  EXPECT_FALSE(supports_fused_activation(spec));
  const std::string library = GetParam() == BatchNormImplementation::kCudnn ? "cuDNN" : "oneDNN";
  EXPECT_EQ(refusal<UnsupportedError>(spec, {4, 4, 4, 8}),
            library + "'s batch normalisation takes no activation; batch_norm.implementation custom does.");
}

INSTANTIATE_TEST_SUITE_P(BatchNorm, LibraryBatchNorm, testing::ValuesIn(library_batch_norms()));

}  // namespace
}  // namespace bn::test
