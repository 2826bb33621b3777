#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/op_cases.hpp"

namespace bn::test {
namespace {

constexpr auto kOnednn = BatchNormImplementation::kOnednn;

class OnednnBatchNormCase : public testing::TestWithParam<OpCase> {};

TEST_P(OnednnBatchNormCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cpu_backend(), op_case, make_data(op_case), library_batch_norm_tolerance(op_case));
}
INSTANTIATE_TEST_SUITE_P(BatchNorm, OnednnBatchNormCase, testing::ValuesIn(library_batch_norm_cases(kOnednn)),
                         [](const auto& tested) { return name_of(tested.param); });

TEST(OnednnBatchNorm, RefusesOneValuePerChannel) {
  EXPECT_EQ(batch_norm_refusal<ShapeError>(cpu_backend(), {.implementation = kOnednn}, {1, 1, 1, 8}),
            "Batch normalisation needs at least 2 values per channel; 1x1x1x8 has m = 1.");
  EXPECT_EQ(batch_norm_refusal<ShapeError>(
                cpu_backend(), {.scope = BatchNormScope::kPerActivation, .implementation = kOnednn}, {1, 4, 4, 8}),
            "Batch normalisation needs at least 2 values per channel; 1x4x4x8 has m = 1.");
}

TEST(OnednnBatchNorm, RefusesAFusedActivation) {
  const BatchNorm spec{.implementation = kOnednn, .activation = Activation::kRelu};
  EXPECT_FALSE(supports_fused_activation(spec));
  EXPECT_EQ(batch_norm_refusal<UnsupportedError>(cpu_backend(), spec, {4, 4, 4, 8}),
            "oneDNN's batch normalisation takes no activation; batch_norm.implementation custom does.");
}

}  // namespace
}  // namespace bn::test
