#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "support/own_op_cases.hpp"

namespace bn::test {
namespace {

class LocalResponseNormTest : public testing::TestWithParam<OpCase> {};

TEST_P(LocalResponseNormTest, MatchesReference) {
  expect_matches(cpu_backend(), GetParam(), make_data(GetParam()), tolerance_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Cases, LocalResponseNormTest, testing::ValuesIn(local_response_norm_cases()), numbered_name);

TEST(LocalResponseNorm, RefusesTooLargeAWindow) {
  const OpCase op_case{.spec = LocalResponseNorm{.size = 65}, .x = {{1, 2, 2, 100}}};
  const std::string message =
      error_message<UnsupportedError>([&] { run_op(cpu_backend(), op_case, make_data(op_case)); });
  EXPECT_NE(message.find("1 to 64 channels, not 65"), std::string::npos) << message;
}

}  // namespace
}  // namespace bn::test
