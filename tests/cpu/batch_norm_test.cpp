// Promises that only the CPU's custom kernels make; tests/own_ops has the rest.
#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "support/op_case.hpp"

namespace bn::test {
namespace {

// The sums are divided into tasks by shape alone.
TEST(BatchNormThreads, GivesTheSameBitsOnAnyNumberOfThreads) {
  const OpCase op_case{.spec = BatchNorm{.activation = Activation::kRelu}, .x = {{3, 20, 20, 64}}};
  const OpData data = make_data(op_case);
  const OpResult two = run_op(cpu_backend(), op_case, data);
  OpResult other;
  for (const int threads : {1, 3}) {
    const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = threads});
    other = run_op(*backend, op_case, data);
    EXPECT_EQ(other.y, two.y) << threads;
    EXPECT_EQ(other.dx, two.dx) << threads;
    EXPECT_EQ(other.dw, two.dw) << threads;
  }
}

}  // namespace
}  // namespace bn::test
