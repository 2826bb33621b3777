#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "support/own_op_cases.hpp"

namespace bn::test {
namespace {

class ConcatTest : public testing::TestWithParam<OpCase> {};

TEST_P(ConcatTest, MatchesReference) { expect_matches(cpu_backend(), GetParam(), make_data(GetParam()), Tolerance{}); }

INSTANTIATE_TEST_SUITE_P(Cases, ConcatTest, testing::ValuesIn(concat_cases()), numbered_name);

}  // namespace
}  // namespace bn::test
