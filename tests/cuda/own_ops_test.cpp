// Our own kernels on a GPU, by the cases that tests/simt runs on a CPU.
#include <gtest/gtest.h>

#include <algorithm>

#include "cuda/cuda_backend.hpp"
#include "support/own_op_cases.hpp"

namespace bn::test {
namespace {

class CudaOwnOp : public CudaFixture<testing::TestWithParam<OpCase>> {};

TEST_P(CudaOwnOp, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(cuda_backend(), op_case, make_data(op_case), own_tolerance(op_case));
}

INSTANTIATE_TEST_SUITE_P(Cases, CudaOwnOp, testing::ValuesIn(own_op_cases()), numbered_name);

}  // namespace
}  // namespace bn::test
