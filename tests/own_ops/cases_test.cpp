// Every case of every op of ours, against the reference. What else an op promises is in a file of its name, where it is
// more than a refusal.
#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

class OwnOpCase : public OwnOpTest<testing::TestWithParam<OpCase>> {};

// The reference draws dropout's mask from MaskStream itself, so this holds the masks to be the same.
TEST_P(OwnOpCase, MatchesReference) { expect_matches(GetParam(), make_data(GetParam()), tolerance_of(GetParam())); }

INSTANTIATE_TEST_SUITE_P(Activation, OwnOpCase, testing::ValuesIn(activation_cases()), numbered_name);
INSTANTIATE_TEST_SUITE_P(BatchNorm, OwnOpCase, testing::ValuesIn(batch_norm_cases(BatchNormImplementation::kCustom)),
                         numbered_name);
INSTANTIATE_TEST_SUITE_P(CustomBatchNorm, OwnOpCase, testing::ValuesIn(custom_batch_norm_cases()), numbered_name);
INSTANTIATE_TEST_SUITE_P(Concat, OwnOpCase, testing::ValuesIn(concat_cases()), numbered_name);
INSTANTIATE_TEST_SUITE_P(Dropout, OwnOpCase, testing::ValuesIn(dropout_cases()), numbered_name);
INSTANTIATE_TEST_SUITE_P(LocalResponseNorm, OwnOpCase, testing::ValuesIn(local_response_norm_cases()), numbered_name);
INSTANTIATE_TEST_SUITE_P(Pool2d, OwnOpCase, testing::ValuesIn(pool_cases()), numbered_name);
INSTANTIATE_TEST_SUITE_P(SummingPool2d, OwnOpCase, testing::ValuesIn(summing_pool_cases()), numbered_name);
INSTANTIATE_TEST_SUITE_P(SoftmaxLoss, OwnOpCase, testing::ValuesIn(softmax_loss_cases()), numbered_name);

using LocalResponseNormBehaviour = OwnOpTest<>;

TEST_F(LocalResponseNormBehaviour, RefusesTooLargeAWindow) {
  expect_refused<UnsupportedError>({.spec = LocalResponseNorm{.size = 65}, .x = {{1, 2, 2, 100}}},
                                   "1 to 64 channels, not 65");
}

}  // namespace
}  // namespace bn::test
