#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "support/reference_conv.hpp"

namespace bn::test {
namespace {

// Sums of up to 3 * 1,024 products. The data are already rounded to the type, so in bf16 y and dx differ by their own
// rounding (2^-8) and dw, always f32, no more than in f32.
Tolerance tolerance(DType dtype) {
  if (dtype == DType::kF32) return {.y = 5e-6, .dx = 5e-6, .dw = 5e-6};
  return {.y = 4e-3, .dx = 4e-3, .dw = 5e-6};
}

// Weights the type can hold, so that packing rounds nothing.
OpData exact_data(const OpCase& op_case) {
  OpData data = make_data(op_case);
  round_to_storage(data.w[0], op_case.dtype);
  return data;
}

struct Layer {
  Shape x;
  Conv2d spec;
  bool wants_dx = true;
  const char* label = "";
};

std::vector<Layer> layers() {
  return {
      // Rows of the Inception table.
      {{1, 224, 224, 3}, {.out_channels = 64, .kernel = 7, .stride = 2, .pad = 3}, false, "conv1"},
      {{1, 28, 28, 192}, {.out_channels = 64}, true, "3a_1x1"},
      {{1, 28, 28, 64}, {.out_channels = 96, .kernel = 3, .pad = 1}, true, "3a_double3x3a"},
      {{1, 28, 28, 128}, {.out_channels = 160, .kernel = 3, .stride = 2, .pad = 1}, true, "3c_3x3"},
      {{2, 7, 7, 1024}, {.out_channels = 352}, true, "5a_1x1"},
      {{2, 7, 7, 192}, {.out_channels = 320, .kernel = 3, .pad = 1}, true, "5a_3x3"},
      // Sizes and channels that fill no vector; borders; single pixels and images.
      {{2, 9, 7, 5}, {.out_channels = 7, .kernel = 3, .stride = 2, .pad = 1}},
      {{3, 13, 11, 3}, {.out_channels = 8, .kernel = 7, .stride = 2, .pad = 3}},
      {{3, 13, 11, 3}, {.out_channels = 8, .kernel = 7, .stride = 2, .pad = 3}, false, "no_dx"},
      {{1, 5, 5, 1}, {.out_channels = 1}},
      {{2, 15, 15, 24}, {.out_channels = 40, .kernel = 3, .pad = 1}},
      {{2, 15, 15, 24}, {.out_channels = 40, .kernel = 3, .pad = 1}, false, "no_dx"},
      {{1, 8, 9, 17}, {.out_channels = 33, .kernel = 5, .pad = 2}},
      {{2, 6, 6, 16}, {.out_channels = 16, .kernel = 3}},
      {{2, 7, 7, 16}, {.out_channels = 24, .kernel = 1, .stride = 2}},
      {{1, 10, 10, 8}, {.out_channels = 12, .kernel = 2, .stride = 2}},
      {{4, 1, 1, 48}, {.out_channels = 20}},
      {{1, 1, 1, 19}, {.out_channels = 21, .kernel = 3, .pad = 1}},
  };
}

std::vector<OpCase> cases() {
  std::vector<OpCase> cases;
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const Layer& layer : layers()) {
      cases.push_back(
          {.spec = layer.spec, .x = {layer.x}, .dtype = dtype, .wants_dx = {layer.wants_dx}, .label = layer.label});
    }
  }
  return cases;
}

std::vector<OpCase> folded_cases() {
  std::vector<OpCase> cases;
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const std::optional<float> eps : {std::optional<float>(1e-3F), std::optional<float>()}) {
      for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
        const std::string label = (eps ? "batch_norm_" : "bias_") + std::to_string(static_cast<int>(activation));
        const Folded folded{.eps = eps, .activation = activation};
        cases.push_back({.spec = Conv2d{.out_channels = 40, .kernel = 3, .stride = 2, .pad = 1, .folded = folded},
                         .x = {{2, 15, 13, 24}},
                         .dtype = dtype,
                         .phase = Phase::kEvaluate,
                         .label = label});
        cases.push_back({.spec = Conv2d{.out_channels = 64, .folded = folded},
                         .x = {{1, 28, 28, 192}},
                         .dtype = dtype,
                         .phase = Phase::kEvaluate,
                         .label = label});
      }
    }
  }
  return cases;
}

class ConvolutionCase : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override {
    if (!supports(GetParam().dtype)) GTEST_SKIP() << "this CPU has no AVX-512, which bf16 needs";
  }
};

TEST_P(ConvolutionCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cpu_backend(), op_case, exact_data(op_case), tolerance(op_case.dtype), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Conv2d, ConvolutionCase, testing::ValuesIn(cases()),
                         [](const auto& tested) { return name_of(tested.param); });

class FoldedConvolutionCase : public ConvolutionCase {};

// The scaled weights are rounded to bf16 once, by 2^-8 each.
TEST_P(FoldedConvolutionCase, MatchesConvolutionThenBatchNormThenActivation) {
  const OpCase& op_case = GetParam();
  const Tolerance tolerance{.y = op_case.dtype == DType::kF32 ? 5e-6 : 6e-3};
  expect_matches(cpu_backend(), op_case, make_data(op_case), tolerance, reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Conv2d, FoldedConvolutionCase, testing::ValuesIn(folded_cases()),
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
  expect_matches(cpu_backend(), op_case, make_data(op_case), tolerance(DType::kF32), reference_conv);
}

// In training weights are rounded to bf16 as they are packed, and never in Parameters.
TEST(Conv2d, RoundsWeightsToBf16) {
  if (!supports(DType::kBf16)) GTEST_SKIP() << "this CPU has no AVX-512, which bf16 needs";
  const OpCase op_case{
      .spec = Conv2d{.out_channels = 64, .kernel = 3, .pad = 1}, .x = {{1, 9, 9, 64}}, .dtype = DType::kBf16};
  const OpData data = make_data(op_case);
  const Tolerance rounded{.y = 6e-3, .dx = 6e-3, .dw = 5e-6};
  expect_matches(cpu_backend(), op_case, data, rounded, reference_conv);
}

std::string message_of(const OpSpec& spec, const OpDesc& desc) {
  return error_message<UnsupportedError>([&] { cpu_backend().make_op(spec, desc); });
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
