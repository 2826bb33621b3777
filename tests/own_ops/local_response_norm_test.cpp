#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "own_ops/tested_backend.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

using LocalResponseNormBehaviour = OwnOpTest<>;

TEST_F(LocalResponseNormBehaviour, RefusesTooLargeAWindow) {
  const OpCase op_case{.spec = LocalResponseNorm{.size = 65}, .x = {{1, 2, 2, 100}}};
  const std::string message = error_message<UnsupportedError>([&] { run_op(op_case, make_data(op_case)); });
  EXPECT_NE(message.find("1 to 64 channels, not 65"), std::string::npos) << message;
}

}  // namespace
}  // namespace bn::test
