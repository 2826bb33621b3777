#include <gtest/gtest.h>

#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

class ConcatTest : public OwnOpTest<testing::TestWithParam<OpCase>> {};

TEST_P(ConcatTest, MatchesReference) { expect_matches(GetParam(), make_data(GetParam()), Tolerance{}); }

INSTANTIATE_TEST_SUITE_P(Cases, ConcatTest, testing::ValuesIn(concat_cases()), numbered_name);

}  // namespace
}  // namespace bn::test
