#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/reference_conv.hpp"

namespace bn::test {
namespace {

// As for the convolutions: in bf16 only what is stored in bf16 is rounded (2^-8), and dw never is.
Tolerance tolerance(const OpCase& op_case) {
  if (op_case.dtype == DType::kF32) return {.y = 5e-6, .dx = 5e-6, .dw = 5e-6};
  return {.y = output_dtype(op_case) == DType::kF32 ? 5e-6 : 4e-3, .dx = 4e-3, .dw = 5e-6};
}

// Weights and dy that the type can hold, so that neither packing nor backward rounds anything.
OpData exact_data(const OpCase& op_case) {
  OpData data = make_data(op_case);
  round_to_storage(data.w[0], op_case.dtype);
  round_to_storage(data.dy, op_case.dtype);
  return data;
}

struct Layer {
  Shape x;
  int64_t out_features;
  bool wants_dx = true;
  const char* label = "";
};

std::vector<Layer> layers() {
  return {
      {{60, 28, 28, 1}, 100, false, "mnist_hidden1"},
      {{60, 1, 1, 100}, 100, true, "mnist_hidden2"},
      {{60, 1, 1, 100}, 10, true, "mnist_logits"},
      {{4, 1, 1, 1024}, 1000, true, "logits"},
      {{3, 4, 4, 128}, 96, true, "auxiliary"},
      {{5, 3, 2, 7}, 13, true, "odd"},
      {{5, 3, 2, 7}, 13, false, "odd_no_dx"},
      {{1, 1, 1, 100}, 10, true, "one_image"},
      {{7, 1, 1, 33}, 1, true, "one_output"},
      {{7, 1, 1, 1}, 5, true, "one_input"},
      {{1, 1, 1, 1}, 1, true, "single"},
  };
}

struct Types {
  DType x, y;
};
constexpr Types kTypes[] = {{DType::kF32, DType::kF32}, {DType::kBf16, DType::kBf16}, {DType::kBf16, DType::kF32}};

std::string label(const std::string& text, const Types& types) { return text + (types.x == types.y ? "" : "_f32_out"); }

std::vector<OpCase> cases() {
  std::vector<OpCase> cases;
  for (const Types& types : kTypes) {
    for (const Layer& layer : layers()) {
      cases.push_back({.spec = Linear{.out_features = layer.out_features},
                       .x = {layer.x},
                       .dtype = types.x,
                       .y_dtype = types.y,
                       .wants_dx = {layer.wants_dx},
                       .label = label(layer.label, types)});
    }
  }
  return cases;
}

std::vector<OpCase> folded_cases() {
  std::vector<OpCase> cases;
  for (const Types& types : kTypes) {
    for (const std::optional<float> eps : {std::optional<float>(1e-3F), std::optional<float>()}) {
      for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
        const std::string text = (eps ? "batch_norm_" : "bias_") + std::to_string(static_cast<int>(activation));
        cases.push_back({.spec = Linear{.out_features = 13, .folded = Folded{.eps = eps, .activation = activation}},
                         .x = {{5, 3, 2, 17}},
                         .dtype = types.x,
                         .y_dtype = types.y,
                         .phase = Phase::kEvaluate,
                         .label = label(text, types)});
      }
    }
  }
  return cases;
}

class LinearCase : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override {
    if (!supports(GetParam().dtype)) GTEST_SKIP() << "this CPU has no AVX-512, which bf16 needs";
  }
};

TEST_P(LinearCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cpu_backend(), op_case, exact_data(op_case), tolerance(op_case), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Linear, LinearCase, testing::ValuesIn(cases()),
                         [](const auto& tested) { return name_of(tested.param); });

class FoldedLinearCase : public LinearCase {};

// The scaled weights are rounded to bf16 once, by 2^-8 each.
TEST_P(FoldedLinearCase, MatchesLinearThenBatchNormThenActivation) {
  const OpCase& op_case = GetParam();
  const Tolerance tolerance{.y = op_case.dtype == DType::kF32 ? 5e-6 : 6e-3};
  expect_matches(cpu_backend(), op_case, make_data(op_case), tolerance, reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Linear, FoldedLinearCase, testing::ValuesIn(folded_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

TEST(Linear, ReferenceGradientsAreProven) {
  const OpCase op_case{.spec = Linear{.out_features = 3}, .x = {{4, 2, 3, 5}}};
  expect_gradients_proven(op_case, make_data(op_case), reference_conv);
}

TEST(Linear, EvaluationWithoutFoldingEqualsTraining) {
  OpCase op_case{.spec = Linear{.out_features = 10}, .x = {{60, 1, 1, 100}}};
  op_case.phase = Phase::kEvaluate;
  expect_matches(cpu_backend(), op_case, make_data(op_case), tolerance(op_case), reference_conv);
}

// Weights, and dy where it comes in f32, are rounded to bf16 for the library.
TEST(Linear, RoundsWeightsAndLogitGradientsToBf16) {
  if (!supports(DType::kBf16)) GTEST_SKIP() << "this CPU has no AVX-512, which bf16 needs";
  const OpCase op_case{
      .spec = Linear{.out_features = 40}, .x = {{16, 1, 1, 64}}, .dtype = DType::kBf16, .y_dtype = DType::kF32};
  const Tolerance rounded{.y = 6e-3, .dx = 8e-3, .dw = 6e-3};
  expect_matches(cpu_backend(), op_case, make_data(op_case), rounded, reference_conv);
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
