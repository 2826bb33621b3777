#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

constexpr auto kOnednn = BatchNormImplementation::kOnednn;

Tolerance tolerance(DType dtype) {
  if (dtype == DType::kF32) return {.y = 1e-5, .dx = 1e-5, .dw = 1e-5, .state = 1e-6};
  return {.y = 6e-3, .dx = 6e-3, .dw = 1e-4, .state = 1e-6};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> cases;
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const BatchNormScope scope : {BatchNormScope::kSpatial, BatchNormScope::kPerActivation}) {
      for (const Phase phase : {Phase::kTrain, Phase::kEvaluate}) {
        for (const Shape& x : {Shape{4, 7, 7, 64}, Shape{2, 5, 3, 24}, Shape{3, 4, 4, 7}, Shape{60, 1, 1, 100}}) {
          const BatchNorm spec{.scope = scope, .implementation = kOnednn};
          cases.push_back({.spec = spec, .x = {x}, .dtype = dtype, .phase = phase, .label = "onednn"});
        }
      }
    }
  }
  cases.push_back({.spec = BatchNorm{.implementation = kOnednn},
                   .x = {{8, 3, 3, 16}},
                   .wants_dx = {false},
                   .label = "onednn_no_dx"});
  return cases;
}

class OnednnBatchNormCase : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override {
    if (!supports(GetParam().dtype)) GTEST_SKIP() << "this CPU has no AVX-512, which bf16 needs";
  }
};

TEST_P(OnednnBatchNormCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cpu_backend(), op_case, make_data(op_case), tolerance(op_case.dtype));
}
INSTANTIATE_TEST_SUITE_P(BatchNorm, OnednnBatchNormCase, testing::ValuesIn(cases()),
                         [](const auto& tested) { return name_of(tested.param); });

template <class ErrorType>
std::string message_of(const BatchNorm& spec, const Shape& x) {
  const OpDesc desc{.name = "bn",
                    .x = {TensorDesc::dense(DType::kF32, x)},
                    .y = TensorDesc::dense(DType::kF32, x),
                    .wants_dx = {true}};
  return error_message<ErrorType>([&] { cpu_backend().make_op(spec, desc); });
}

TEST(OnednnBatchNorm, RefusesOneValuePerChannel) {
  EXPECT_EQ(message_of<ShapeError>({.implementation = kOnednn}, {1, 1, 1, 8}),
            "Batch normalisation needs at least 2 values per channel; 1x1x1x8 has m = 1.");
  EXPECT_EQ(message_of<ShapeError>({.scope = BatchNormScope::kPerActivation, .implementation = kOnednn}, {1, 4, 4, 8}),
            "Batch normalisation needs at least 2 values per channel; 1x4x4x8 has m = 1.");
}

TEST(OnednnBatchNorm, RefusesAFusedActivation) {
  const BatchNorm spec{.implementation = kOnednn, .activation = Activation::kRelu};
  EXPECT_FALSE(cpu_backend().supports_fused_activation(spec));
  EXPECT_EQ(message_of<UnsupportedError>(spec, {4, 4, 4, 8}),
            "oneDNN's batch normalisation takes no activation; batch_norm.implementation custom does.");
}

}  // namespace
}  // namespace bn::test
