#include <gtest/gtest.h>

#include "cuda/cuda_backend.hpp"
#include "cuda/library_ops.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"

namespace bn::test {
namespace {

constexpr auto kCudnn = BatchNormImplementation::kCudnn;

using CudnnBatchNorm = CudaFixture<>;
using CudnnBatchNormCase = CudaFixture<testing::TestWithParam<OpCase>>;

TEST_P(CudnnBatchNormCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cuda_backend(), op_case, make_data(op_case), library_batch_norm_tolerance(op_case));
}
INSTANTIATE_TEST_SUITE_P(BatchNorm, CudnnBatchNormCase, testing::ValuesIn(library_batch_norm_cases(kCudnn)),
                         [](const auto& tested) { return name_of(tested.param); });

TEST_F(CudnnBatchNorm, RefusesOneValuePerChannel) {
  EXPECT_EQ(batch_norm_refusal<ShapeError>(cuda_backend(), {.implementation = kCudnn}, {1, 1, 1, 8}),
            "Batch normalisation needs at least 2 values per channel; 1x1x1x8 has m = 1.");
  EXPECT_EQ(batch_norm_refusal<ShapeError>(
                cuda_backend(), {.scope = BatchNormScope::kPerActivation, .implementation = kCudnn}, {1, 4, 4, 8}),
            "Batch normalisation needs at least 2 values per channel; 1x4x4x8 has m = 1.");
}

TEST_F(CudnnBatchNorm, RefusesAFusedActivation) {
  const BatchNorm spec{.implementation = kCudnn, .activation = Activation::kRelu};
  EXPECT_FALSE(supports_fused_activation(spec));
  EXPECT_EQ(batch_norm_refusal<UnsupportedError>(cuda_backend(), spec, {4, 4, 4, 8}),
            "cuDNN's batch normalisation takes no activation; batch_norm.implementation custom does.");
}

class NoExchange final : public PartExchange {
  void gather(std::span<const double>, std::span<double>) override {}
};

TEST(CudnnBatchNormOfParts, NeedsOurOwn) {
  NoExchange exchange;
  const TensorDesc x = TensorDesc::dense(DType::kF32, {4, 4, 4, 8});
  EXPECT_EQ(error_message<UnsupportedError>([&] {
              cuda::make_batch_norm_cudnn({}, {.implementation = kCudnn, .synchronised_parts = 2},
                                          {.x = {x}, .y = x, .exchange = &exchange});
            }),
            "batch_norm.synchronised_parts above 1 needs batch_norm.implementation: custom.");
}

}  // namespace
}  // namespace bn::test
