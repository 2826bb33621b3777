// What only the CPU can refuse; tests/own_ops has the rest.
#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "support/op_case.hpp"

namespace bn::test {
namespace {

TEST(SoftmaxLoss, RefusesALabelBeyondTheClasses) {
  const OpCase op_case{.spec = SoftmaxLoss{}, .x = {{10, 1, 1, 21}, {10, 1, 1, 1}}};
  OpData data = make_data(op_case);
  data.x[1][7] = 21;
  const std::string message = error_message<DataError>([&] { run_op(cpu_backend(), op_case, data); });
  EXPECT_EQ(message, "Image 7 of the batch has label 21, but the network has 21 classes.");
}

}  // namespace
}  // namespace bn::test
